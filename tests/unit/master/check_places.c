/*
 * check_places: which line sets which key, and what of it libconfuse gets to see.
 */
#include "master/places.h"

#include "load.h"
#include "master/confile.h"
#include "master/keys.h"

struct read {
    char path[256];
    struct places places;
    struct buf error, warnings; /* with a final NUL */
    int result;
};

static void
read_text(struct read *read, const char *text)
{
    load_make_file(read->path, text, strlen(text));
    buf_init(&read->error, 4096);
    buf_init(&read->warnings, 4096);
    places_init(&read->places, read->path, false);
    read->result = places_read(&read->places, &read->error, &read->warnings);
    ck_assert_int_eq(buf_append(&read->error, "", 1), 0);
    ck_assert_int_eq(buf_append(&read->warnings, "", 1), 0);
    unlink(read->path);
}

static void
release(struct read *read)
{
    places_release(&read->places);
    buf_release(&read->error);
    buf_release(&read->warnings);
}

static const struct place *
place_of(const struct read *read, const char *key)
{
    return &read->places.of[keys_find(key, strlen(key))];
}

START_TEST(test_the_last_line_counts)
{
    struct read read;

    read_text(&read, "PCT=1\n# c\n\nMAX_NAME=9\nPCT=2\n");
    ck_assert_int_eq(read.result, 0);
    ck_assert_str_eq((const char *)read.places.text.data,
                     "       \n\n\nMAX_NAME=\"9\"\nPCT=\"2\"\n");
    ck_assert_int_eq(place_of(&read, "PCT")->line, 5);
    ck_assert_int_eq(place_of(&read, "MAX_NAME")->line, 4);
    ck_assert_int_eq(place_of(&read, "MAX_NODE")->line, 0);
    release(&read);
}
END_TEST

START_TEST(test_an_alias_is_its_key)
{
    struct read read;

    read_text(&read, "LOCAL_PYSTATD_PORT=1\nLOCAL_PYSTATSD_PORT=2\n");
    ck_assert_int_eq(read.result, 0);
    ck_assert_int_eq(place_of(&read, "LOCAL_PYSTATD_PORT")->line, 2);
    ck_assert_str_eq(place_of(&read, "LOCAL_PYSTATD_PORT")->name, "LOCAL_PYSTATSD_PORT");
    release(&read);
    read_text(&read, "LOCAL_PYSTATSD_PORT=2\nLOCAL_PYSTATD_PORT=1\n");
    ck_assert_int_eq(place_of(&read, "LOCAL_PYSTATD_PORT")->line, 2);
    ck_assert_str_eq(place_of(&read, "LOCAL_PYSTATD_PORT")->name, "LOCAL_PYSTATD_PORT");
    release(&read);
}
END_TEST

START_TEST(test_unknown_keys_are_warnings)
{
    struct read read;
    char expected[1024];

    read_text(&read, "FLUSH_INTERVALL=5\nPATH=/bin:/sbin\nPCT=5\nexport L={a,b}\n");
    ck_assert_int_eq(read.result, 0);
    snprintf(expected, sizeof(expected),
             "%s:1: FLUSH_INTERVALL is no known key; the nearest is FLUSH_INTERVAL, and it is "
             "ignored\n%s:2: PATH is no known key; the nearest is PCT, and it is ignored\n%s:4: "
             "L is no known key; the nearest is LOG, and it is ignored\n",
             read.path, read.path, read.path);
    ck_assert_str_eq((const char *)read.warnings.data, expected);
    ck_assert_uint_eq(strspn((const char *)read.places.text.data, " \n"),
                      strlen("FLUSH_INTERVALL=\"5\"\nPATH=\"/bin:/sbin\"\n"));
    release(&read);
}
END_TEST

START_TEST(test_errors)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"# c\nRELAY=a\n", ":2: RELAY is not built yet in this version; remove it"},
        {"MAX_NAME={5}\n", ":1: MAX_NAME: expected one value, got a list"},
        {"LOG={}\n", ":1: LOG: expected one value, got a list"},
        {"A=1\nPCT=90 95\nRELAY=a\n",
         ":2: expected nothing behind the value but a blank and a # comment that ends in no "
         "backslash"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct read read;
        char expected[512];

        read_text(&read, rows[i].text);
        snprintf(expected, sizeof(expected), "%s%s", read.path, rows[i].error);
        ck_assert_int_eq(read.result, -1);
        ck_assert_str_eq((const char *)read.error.data, expected);
        release(&read);
    }
}
END_TEST

/* Reads path, and says what was wrong with it. */
static void
assert_unreadable(const char *path, bool is_optional, const char *expected)
{
    struct places places;
    struct buf error, warnings;

    buf_init(&error, 1024);
    buf_init(&warnings, 1024);
    places_init(&places, path, is_optional);
    ck_assert_int_eq(places_read(&places, &error, &warnings), expected != NULL ? -1 : 0);
    ck_assert_int_eq(buf_append(&error, "", 1), 0);
    ck_assert_str_eq((const char *)error.data, expected != NULL ? expected : "");
    places_release(&places);
    buf_release(&error);
    buf_release(&warnings);
}

START_TEST(test_files_that_cannot_be_read)
{
    assert_unreadable("/nowhere/pystatsd", false, "/nowhere/pystatsd: No such file or directory");
    assert_unreadable("/nowhere/pystatsd", true, NULL);
    assert_unreadable("/", false, "/: not a regular file");
    assert_unreadable("/", true, "/: not a regular file");
    assert_unreadable("/dev/null", false, NULL);
    assert_unreadable("a\nb", false, "a\\x0ab: No such file or directory");
}
END_TEST

START_TEST(test_a_large_file)
{
    char *text = malloc(CONFILE_SIZE_MAX + 2), path[256], expected[300];

    ck_assert_ptr_nonnull(text);
    memset(text, '#', CONFILE_SIZE_MAX + 1);
    load_make_file(path, text, CONFILE_SIZE_MAX + 1);
    snprintf(expected, sizeof(expected), "%s: larger than 256 KiB", path);
    assert_unreadable(path, false, expected);
    unlink(path);
    /* The most that quotes can add: every line grows by two bytes, many by half their size. */
    for (size_t i = 0; i < CONFILE_SIZE_MAX; i++)
        text[i] = "A=\n"[i % 3];
    text[CONFILE_SIZE_MAX - CONFILE_SIZE_MAX % 3] = '\0';
    load_make_file(path, text, strlen(text));
    assert_unreadable(path, false, NULL);
    unlink(path);
    free(text);
}
END_TEST

START_TEST(test_release_of_zeroed)
{
    struct places places = {0};

    places_release(&places);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_the_last_line_counts,      test_an_alias_is_its_key,
        test_unknown_keys_are_warnings, test_errors,
        test_files_that_cannot_be_read, test_a_large_file,
        test_release_of_zeroed,
    };

    return load_run("places", tests, sizeof(tests) / sizeof(tests[0]));
}
