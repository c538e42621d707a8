/*
 * check_shipped: etc/default/pystatsd, and that its readers agree: the daemon, sh, and systemd's
 * EnvironmentFile. Runs in the top folder of the sources.
 */
#include <ctype.h>

#include "load.h"
#include "master/confile.h"
#include "master/keys.h"

#define SHIPPED "etc/default/pystatsd"

/* What py-statsd's own file set. */
static const char *const set_keys[] = {
    "LOCAL_PYSTATD_PORT", "FLUSH_INTERVAL", "PCT",           "COUNTERS_PREFIX",
    "TIMERS_PREFIX",      "GRAPHITE_HOST",  "GRAPHITE_PORT", "USER",
};

enum { N_SET = sizeof(set_keys) / sizeof(set_keys[0]) };

/* The text of the file; where all is true, every "#KEY=" is "KEY=". */
static char *
shipped_text(bool all)
{
    struct buf raw;

    buf_init(&raw, CONFILE_SIZE_MAX);
    ck_assert_msg(confile_read(SHIPPED, &raw) == 0, "run this from the top of the sources");
    ck_assert_int_eq(buf_append(&raw, "", 1), 0);
    char *text = malloc(raw.len), *out = text;
    ck_assert_ptr_nonnull(text);
    for (const char *at = (const char *)raw.data; *at != '\0'; at++) {
        bool is_first = at == (const char *)raw.data || at[-1] == '\n';
        if (!(all && is_first && *at == '#' && isupper((unsigned char)at[1])))
            *out++ = *at;
    }
    *out = '\0';
    buf_release(&raw);
    return text;
}

/* The value of key as a reader like systemd's has it from text: comments by their first character
 * and continued by a backslash, blanks around a value dropped, one pair of quotes taken off. */
static bool
read_as_environment_file(const char *text, const char *key, char out[VALUE_TEXT_MAX])
{
    bool is_found = false, is_continued = false;
    size_t key_len = strlen(key);

    for (const char *at = text; *at != '\0';) {
        const char *eol = at + strcspn(at, "\n");
        bool is_comment = is_continued || *at == '#' || *at == ';';
        is_continued = is_comment && eol > at && eol[-1] == '\\';
        if (!is_comment && strncmp(at, key, key_len) == 0 && at[key_len] == '=') {
            const char *start = at + key_len + 1, *end = eol;
            while (end > start && isblank((unsigned char)end[-1]))
                end--;
            if (end - start >= 2 && (*start == '"' || *start == '\'') && end[-1] == *start) {
                start++;
                end--;
            }
            snprintf(out, VALUE_TEXT_MAX, "%.*s", (int)(end - start), start);
            is_found = true;
        }
        at = *eol == '\n' ? eol + 1 : eol;
    }
    return is_found;
}

/* The value of key as sh has it when it sources the file at path. */
static bool
read_as_sh(const char *path, const char *key, char out[VALUE_TEXT_MAX])
{
    char command[1024];

    snprintf(command, sizeof(command), "env -i sh -c '. %s; printf %%s \"${%s-unset}\"' 2>&1", path,
             key);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    size_t len = fread(out, 1, VALUE_TEXT_MAX - 1, pipe);
    out[len] = '\0';
    ck_assert_int_eq(pclose(pipe), 0);
    return strcmp(out, "unset") != 0;
}

/* Every key that the daemon has from text the two others have as well, and no other key. */
static void
assert_readers_agree(const char *text, size_t n_expected)
{
    struct loaded loaded;
    size_t n = 0;

    load_make_file(loaded.path, text, strlen(text));
    load_path(&loaded, NULL);
    ck_assert_msg(loaded.result == 0, "%s", load_error(&loaded));
    ck_assert_str_eq(load_warnings(&loaded), "");
    for (size_t i = 0; i < loaded.config.n_entries; i++) {
        const struct config_entry *entry = &loaded.config.entries[i];
        bool is_set = entry->origin == ORIGIN_FILE;
        char value[VALUE_TEXT_MAX];

        ck_assert_int_eq(read_as_sh(loaded.path, entry->key, value), is_set);
        if (is_set)
            ck_assert_str_eq(value, config_entry_text(entry));
        ck_assert_int_eq(read_as_environment_file(text, entry->key, value), is_set);
        if (is_set)
            ck_assert_str_eq(value, config_entry_text(entry));
        n += is_set;
    }
    ck_assert_uint_eq(n, n_expected);
    unlink(loaded.path);
    load_release(&loaded);
}

START_TEST(test_readers_agree_on_what_is_set)
{
    char *text = shipped_text(false);

    assert_readers_agree(text, N_SET);
    free(text);
}
END_TEST

static size_t
count_built(void)
{
    size_t n = 0;

    for (size_t i = 0; i < keys_count(); i++)
        n += keys_at(i)->set != NULL;
    return n;
}

START_TEST(test_readers_agree_on_everything)
{
    char *text = shipped_text(true);

    assert_readers_agree(text, count_built());
    free(text);
}
END_TEST

START_TEST(test_sets_what_it_always_set)
{
    char *text = shipped_text(false);
    struct loaded loaded;

    load_text(&loaded, text, NULL);
    ck_assert_int_eq(loaded.result, 0);
    for (size_t i = 0; i < N_SET; i++)
        ck_assert_int_eq(load_entry(&loaded, set_keys[i])->origin, ORIGIN_FILE);
    load_release(&loaded);
    free(text);
}
END_TEST

START_TEST(test_shows_the_defaults)
{
    char *text = shipped_text(true);
    struct loaded shown, defaults;

    load_text(&shown, text, NULL);
    load_text(&defaults, "", NULL);
    ck_assert_int_eq(shown.result, 0);
    ck_assert_int_eq(defaults.result, 0);
    for (size_t i = 0; i < shown.config.n_entries; i++)
        ck_assert_str_eq(config_entry_text(&shown.config.entries[i]),
                         config_entry_text(&defaults.config.entries[i]));
    load_release(&shown);
    load_release(&defaults);
    free(text);
}
END_TEST

START_TEST(test_its_lines)
{
    char *text = shipped_text(false);

    for (const char *at = text; *at != '\0';) {
        size_t len = strcspn(at, "\n");
        ck_assert_msg(len <= 100, "%.*s", (int)len, at);
        ck_assert_msg(len == 0 || at[len - 1] != '\\', "%.*s", (int)len, at);
        ck_assert_msg(at[len] == '\n', "the last line has no end");
        at += len + 1;
    }
    free(text);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_readers_agree_on_what_is_set,
        test_readers_agree_on_everything,
        test_sets_what_it_always_set,
        test_shows_the_defaults,
        test_its_lines,
    };

    return load_run("shipped", tests, sizeof(tests) / sizeof(tests[0]));
}
