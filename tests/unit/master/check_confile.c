/*
 * check_confile: which lines sh, systemd and libconfuse read alike, and which files are read at
 * all.
 */
#include "master/confile.h"

#include <errno.h>
#include <sys/stat.h>

#include "load.h"

static const char BOM_FILE[] = "\xef\xbb\xbfX=1\n";

START_TEST(test_must_accept)
{
    static const struct {
        const char *line, *normalised;
    } rows[] = {
        {"", ""},
        {"\n", "\n"},
        {"\n\n", "\n\n"},
        {"# comment", "\n"},
        {" \t# comment # more\n", "\n"},
        {"#\n", "\n"},
        {"# back\\slash \\ within\n", "\n"},
        {"# caf\xe9, in Latin-1\n", "\n"},
        {"X=abc", "X=\"abc\"\n"},
        {"X=abc\n", "X=\"abc\"\n"},
        {"X=abc\r\nY=d\r\n", "X=\"abc\"\nY=\"d\"\n"},
        {"X=\n", "X=\"\"\n"},
        {"X= \t\n", "X=\"\"\n"},
        {"X=\"\"\n", "X=\"\"\n"},
        {"X=''\n", "X=''\n"},
        {"  X=abc  \n", "X=\"abc\"\n"},
        {"X=a-b_c.d:e/f@g%h\n", "X=\"a-b_c.d:e/f@g%h\"\n"},
        {"X=/usr//bin\n", "X=\"/usr//bin\"\n"},
        {"X=-10\n", "X=\"-10\"\n"},
        {"X=010\n", "X=\"010\"\n"},
        {"X=\"a b\"\n", "X=\"a b\"\n"},
        {"X=\"a b\" \n", "X=\"a b\"\n"},
        {"X=\"# ; , = { } ( ) + * ? ! ~ ^ | & < > [ ] ' //\"\n",
         "X=\"# ; , = { } ( ) + * ? ! ~ ^ | & < > [ ] ' //\"\n"},
        {"X='a \" $HOME `b`'\n", "X='a \" $HOME `b`'\n"},
        {"X=\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"\n",
         "X=\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"\n"},
        {"X=localhost #this is it\n", "X=\"localhost\"\n"},
        {"X=abc \t# c \"d\" } # e \n", "X=\"abc\"\n"},
        {"X=\"a # b\" # c\n", "X=\"a # b\"\n"},
        {"X='a' #\n", "X='a'\n"},
        {"X={a,b} # {c}\n", "X={\"a\",\"b\"}\n"},
        {"X= # c\n", "X=\"\"\n"},
        {"X={}\n", "X={}\n"},
        {"X={a}\n", "X={\"a\"}\n"},
        {"X={a,b,c} \n", "X={\"a\",\"b\",\"c\"}\n"},
        {"X={render:0.5/1/10/inf,skip:,*:10/50/inf}\n",
         "X={\"render:0.5/1/10/inf\",\"skip:\",\"*:10/50/inf\"}\n"},
        {"export X=abc\n", "X=\"abc\"\n"},
        {"export \t X=\n", "X=\"\"\n"},
        {"exportX=abc\n", "exportX=\"abc\"\n"},
        {"export=abc\n", "export=\"abc\"\n"},
        {"_x1=abc\n", "_x1=\"abc\"\n"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *why = "";
        struct buf out;

        buf_init(&out, 4096);
        int line = confile_normalise(rows[i].line, strlen(rows[i].line), &out, &why);
        ck_assert_msg(line == 0, "%s: line %d: %s", rows[i].line, line, why);
        ck_assert_int_eq(buf_append(&out, "", 1), 0);
        ck_assert_str_eq((const char *)out.data, rows[i].normalised);
        buf_release(&out);
    }
}
END_TEST

/* Refuses text at a line, says so, and leaves what was there before. */
static void
assert_refused(const char *text, size_t len, int line, const char *reason)
{
    const char *why = "";
    struct buf out;

    buf_init(&out, 4096);
    ck_assert_int_eq(buf_append_str(&out, "before"), 0);
    int found = confile_normalise(text, len, &out, &why);
    ck_assert_msg(found == line, "%s: %d, not %d", text, found, line);
    ck_assert_msg(strstr(why, reason) != NULL, "%s: '%s' does not say '%s'", text, why, reason);
    ck_assert_uint_eq(out.len, strlen("before"));
    buf_release(&out);
}

START_TEST(test_must_refuse)
{
    static const struct {
        const char *line, *reason;
    } rows[] = {
        {"X=abc # c\\", "nothing behind the value"},
        {"X=\"abc\" # c\\ ", "nothing behind the value"},
        {"X=\"abc\"# c", "nothing behind the value"},
        {"X={a}# c", "nothing behind the value"},
        {"X=abc d # c", "nothing behind the value"},
        {"X= abc # c", "blanks"},
        {"X # c", "blanks"},
        {"X=abc#n", "letters, digits"},
        {"X=#", "letters, digits"},
        {"X=$HOME", "letters, digits"},
        {"X=${HOME}/z", "letters, digits"},
        {"X=\"${HOME}\"", "closing \""},
        {"X=\"a$b\"", "closing \""},
        {"X=$(cmd)", "letters, digits"},
        {"X=`cmd`", "letters, digits"},
        {"X=\"`cmd`\"", "closing \""},
        {"X=a\"b\"c", "letters, digits"},
        {"X=\"a\"b", "nothing behind the value"},
        {"X=\"a\"'b'", "nothing behind the value"},
        {"X='a'\\''b'", "nothing behind the value"},
        {"X=\"a\\nb\"", "closing \""},
        {"X=\"a\\\"b\"", "closing \""},
        {"X='a\\b'", "closing '"},
        {"X=\"abc", "closing \""},
        {"X=\"", "closing \""},
        {"X='abc", "closing '"},
        {"X=\"a\nb\"", "closing \""},
        {"X=a\\ b", "letters, digits"},
        {"X=abc\\", "letters, digits"},
        {"X=a Y=b", "nothing behind the value"},
        {"X=a; Y=b", "letters, digits"},
        {"X=a;b", "letters, digits"},
        {"X=a|b", "letters, digits"},
        {"X=a&", "letters, digits"},
        {"X=a>b", "letters, digits"},
        {"X=(a)", "letters, digits"},
        {"X=~/foo", "letters, digits"},
        {"X=a:~/foo", "letters, digits"},
        {"X=a b", "nothing behind the value"},
        {"X=a,b", "letters, digits"},
        {"X=a=b", "letters, digits"},
        {"X=a+b", "letters, digits"},
        {"X=+5", "letters, digits"},
        {"X=*", "letters, digits"},
        {"X=a/*b", "letters, digits"},
        {"X=[::1]:2003", "letters, digits"},
        {"X=//b", "begins with //"},
        {"X=caf\xc3\xa9", "letters, digits"},
        {"X=\"caf\xe9\"", "UTF-8"},
        {"X=\"\xc0\xaf\"", "UTF-8"},
        {"X=\"\xed\xa0\x80\"", "UTF-8"},
        {"X=\"\xf4\x90\x80\x80\"", "UTF-8"},
        {"X=\"\xe2\x82\"", "UTF-8"},
        {"X = abc", "blanks"},
        {"X =abc", "blanks"},
        {"X= abc", "blanks"},
        {"X", "KEY=value"},
        {"export X", "KEY=value"},
        {"export", "KEY=value"},
        {"=abc", "KEY=value"},
        {"1X=abc", "KEY=value"},
        {"X-Y=abc", "KEY=value"},
        {"X+=2", "KEY=value"},
        {"readonly X=1", "blanks"},
        {". /etc/other", "KEY=value"},
        {"include(\"f\")", "KEY=value"},
        {"if true; then", "blanks"},
        {"; comment", "KEY=value"},
        {"// comment", "KEY=value"},
        {"X={a, b}", "list"},
        {"X={a,b", "list"},
        {"X={,}", "list"},
        {"X={a,}", "list"},
        {"X={a,,b}", "list"},
        {"X={\"a\"}", "list"},
        {"X={{a}", "list"},
        {"X={{a}}", "nothing behind the value"},
        {"X={a}b", "nothing behind the value"},
        {"# comment ending in \\", "backslash"},
        {"# comment ending in \\\r", "backslash"},
        {"# comment\rX=1", "carriage return"},
        {"X=a\rb", "carriage return"},
        {"X=abc\r\r", "carriage return"},
        {"X=\"a\x01\"", "control"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[128];

        assert_refused(rows[i].line, strlen(rows[i].line), 1, rows[i].reason);
        /* The same with lines around it, and its own number. */
        snprintf(text, sizeof(text), "A=1\n# c\n\n%s\nB=2\n", rows[i].line);
        assert_refused(text, strlen(text), 4, rows[i].reason);
    }
}
END_TEST

START_TEST(test_must_refuse_bytes)
{
    assert_refused("X=a\0b\n", 6, 1, "NUL");
    assert_refused("A=1\n# c\0\n", 9, 2, "NUL");
    assert_refused(BOM_FILE, sizeof(BOM_FILE) - 1, 1, "byte order mark");
}
END_TEST

START_TEST(test_without_room_nothing_is_appended)
{
    char storage[8];
    const char *why = "";
    struct buf out;

    buf_init_fixed(&out, storage, sizeof(storage));
    ck_assert_int_eq(confile_normalise("X=1\nY=2\n", 8, &out, &why), 2);
    ck_assert_uint_eq(out.len, 0);
    ck_assert_msg(strstr(why, "memory") != NULL, "%s", why);
}
END_TEST

static void
make_path(char path[256])
{
    load_make_file(path, "", 0);
    unlink(path);
}

START_TEST(test_read_regular_file)
{
    char path[256];
    struct buf out;

    buf_init(&out, CONFILE_SIZE_MAX);
    load_make_file(path, "X=1\n", 4);
    ck_assert_int_eq(confile_read(path, &out), 0);
    unlink(path);
    ck_assert_uint_eq(out.len, 4);
    ck_assert_mem_eq(out.data, "X=1\n", 4);
    ck_assert_int_eq(confile_read(path, &out), -ENOENT);
    ck_assert_int_eq(confile_read("/dev/null", &out), 0);
    ck_assert_uint_eq(out.len, 4);
    buf_release(&out);
}
END_TEST

START_TEST(test_read_refuses_what_is_no_file)
{
    char path[256];
    struct buf out;

    buf_init(&out, CONFILE_SIZE_MAX);
    ck_assert_int_eq(confile_read("/", &out), -EINVAL);
    ck_assert_int_eq(confile_read("/dev/zero", &out), -EINVAL);
    ck_assert_int_eq(confile_read("", &out), -ENOENT);
    make_path(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(confile_read(path, &out), -EINVAL); /* at once: nobody writes there */
    unlink(path);
    ck_assert_uint_eq(out.len, 0);
    buf_release(&out);
}
END_TEST

START_TEST(test_read_refuses_large_files)
{
    char *text = calloc(1, CONFILE_SIZE_MAX + 1);
    char path[256];
    struct buf out;

    ck_assert_ptr_nonnull(text);
    buf_init(&out, 2 * CONFILE_SIZE_MAX);
    load_make_file(path, text, CONFILE_SIZE_MAX);
    ck_assert_int_eq(confile_read(path, &out), 0);
    unlink(path);
    ck_assert_uint_eq(out.len, CONFILE_SIZE_MAX);
    out.len = 0;
    load_make_file(path, text, CONFILE_SIZE_MAX + 1);
    ck_assert_int_eq(confile_read(path, &out), -EFBIG);
    unlink(path);
    ck_assert_uint_eq(out.len, 0);
    buf_release(&out);
    free(text);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_must_accept,
        test_must_refuse,
        test_must_refuse_bytes,
        test_without_room_nothing_is_appended,
        test_read_regular_file,
        test_read_refuses_what_is_no_file,
        test_read_refuses_large_files,
    };

    return load_run("confile", tests, sizeof(tests) / sizeof(tests[0]));
}
