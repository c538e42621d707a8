/*
 * check_value: every kind of value, what it takes, how it spells it, and what it refuses.
 */
#include "master/value.h"

#include "load.h"

static const char *const names[] = {"graphite", "none", NULL};
static const char *const unbuilt[] = {"ganglia", NULL};

static const struct value_rule rules[VALUE_KIND_COUNT] = {
    [VALUE_TEXT] = {VALUE_TEXT, 1, 8, NULL, NULL},
    [VALUE_AFFIX] = {VALUE_AFFIX, 0, 8, NULL, NULL},
    [VALUE_PATH] = {VALUE_PATH, 0, 8, NULL, NULL},
    [VALUE_HOST] = {VALUE_HOST, 0, 32, NULL, NULL},
    [VALUE_HOSTS] = {VALUE_HOSTS, 1, 32, NULL, NULL},
    [VALUE_NUMBER] = {VALUE_NUMBER, 1, 1024, NULL, NULL},
    [VALUE_PORT] = {VALUE_PORT, 0, 65535, NULL, NULL},
    [VALUE_SIZE] = {VALUE_SIZE, 1024, UINT64_C(64) << 30, NULL, NULL},
    [VALUE_SECONDS] = {VALUE_SECONDS, 0, 864000000, NULL, NULL},
    [VALUE_MILLISECONDS] = {VALUE_MILLISECONDS, 1000, 86400000, NULL, NULL},
    [VALUE_SWITCH] = {VALUE_SWITCH, 0, 0, NULL, NULL},
    [VALUE_CHOICE] = {VALUE_CHOICE, 0, 0, names, unbuilt},
    [VALUE_NUMBERS] = {VALUE_NUMBERS, 0, 0, NULL, NULL},
    [VALUE_WORDS] = {VALUE_WORDS, 0, 0, NULL, NULL},
};

START_TEST(test_must_take)
{
    static const struct {
        enum value_kind kind;
        const char *text, *spelt;
        uint64_t number;
    } rows[] = {
        {VALUE_TEXT, "a b$\"`", "a b$\"`", 0},
        {VALUE_TEXT, "12345678", "12345678", 0},
        {VALUE_AFFIX, "", "", 0},
        {VALUE_AFFIX, "...", "", 0},
        {VALUE_AFFIX, ".a.b..", "a.b", 0},
        {VALUE_PATH, "", "", 0},
        {VALUE_PATH, "/", "/", 0},
        {VALUE_PATH, "///", "/", 0},
        {VALUE_PATH, "/a b/../", "/a b/..", 0},
        {VALUE_HOST, "", "", 0},
        {VALUE_HOST, "fe80::1%eth0", "fe80::1%eth0", 0},
        {VALUE_HOSTS, "[::1]:2003", "[::1]:2003", 0},
        {VALUE_NUMBER, "1", "1", 1},
        {VALUE_NUMBER, "1024", "1024", 1024},
        {VALUE_PORT, "0", "0", 0},
        {VALUE_PORT, "65535", "65535", 65535},
        {VALUE_SIZE, "1024", "1K", 1024},
        {VALUE_SIZE, "1025", "1025", 1025},
        {VALUE_SIZE, "1536K", "1536K", 1536 * 1024},
        {VALUE_SIZE, "1024M", "1G", UINT64_C(1) << 30},
        {VALUE_SIZE, "64G", "64G", UINT64_C(64) << 30},
        {VALUE_SECONDS, "0", "0", 0},
        {VALUE_SECONDS, "5", "5", 5000},
        {VALUE_SECONDS, "1500ms", "1500ms", 1500},
        {VALUE_SECONDS, "2000ms", "2", 2000},
        {VALUE_SECONDS, "2m", "120", 120000},
        {VALUE_SECONDS, "3h", "10800", 10800000},
        {VALUE_SECONDS, "10d", "864000", 864000000},
        {VALUE_MILLISECONDS, "10000", "10000", 10000},
        {VALUE_MILLISECONDS, "10s", "10000", 10000},
        {VALUE_MILLISECONDS, "1d", "86400000", 86400000},
        {VALUE_SWITCH, "yes", "yes", 1},
        {VALUE_SWITCH, "TRUE", "yes", 1},
        {VALUE_SWITCH, "On", "yes", 1},
        {VALUE_SWITCH, "1", "yes", 1},
        {VALUE_SWITCH, "no", "no", 0},
        {VALUE_SWITCH, "False", "no", 0},
        {VALUE_SWITCH, "OFF", "no", 0},
        {VALUE_SWITCH, "0", "no", 0},
        {VALUE_CHOICE, "graphite", "graphite", 0},
        {VALUE_CHOICE, "none", "none", 1},
        {VALUE_NUMBERS, "90", "90", 0},
        {VALUE_NUMBERS, "-100, 99.90 ,0,100", "-100,99.9,0,100", 0},
        {VALUE_NUMBERS, "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16",
         "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct value value, again;
        struct buf why;

        buf_init(&why, 1024);
        ck_assert_msg(value_read(&rules[rows[i].kind], rows[i].text, &value, &why) == 0,
                      "'%s': %.*s", rows[i].text, (int)why.len, (const char *)why.data);
        ck_assert_str_eq(value.text, rows[i].spelt);
        ck_assert_uint_eq(value.number, rows[i].number);
        /* The one spelling means the same again. */
        ck_assert_int_eq(value_read(&rules[rows[i].kind], value.text, &again, &why), 0);
        ck_assert_mem_eq(&value, &again, sizeof(value));
        buf_release(&why);
    }
}
END_TEST

START_TEST(test_must_refuse)
{
    static const struct {
        enum value_kind kind;
        const char *text, *why;
    } rows[] = {
        {VALUE_TEXT, "", "1 to 8 printable characters that quotes can hold, got ''"},
        {VALUE_TEXT, "123456789", "got '123456789'"},
        {VALUE_TEXT, "a\nb", "got 'a\\x0ab'"},
        {VALUE_TEXT, "caf\xc3\xa9", "got 'caf\\xc3\\xa9'"},
        {VALUE_TEXT, "a\\b", "got 'a\\\\b'"},
        {VALUE_TEXT, "a\"'", "quotes"},
        {VALUE_AFFIX, "123456789", "at most 8"},
        {VALUE_PATH, "a/b", "expected an absolute path, or nothing, of at most 8 bytes, got"},
        {VALUE_PATH, " /a", "absolute path"},
        {VALUE_PATH, "/2345678/", "at most 8"},
        {VALUE_PATH, "/a\t", "absolute path"},
        {VALUE_HOST, "a b", "expected a host name or address, got 'a b'"},
        {VALUE_HOST, "a/b", "host"},
        {VALUE_HOST, "[::1]", "host"},
        {VALUE_HOSTS, "", "expected host, host:port or [v6]:port, got ''"},
        {VALUE_HOSTS, "a;b", "host"},
        {VALUE_HOSTS, "a,b", "several hosts are not built yet"},
        {VALUE_NUMBER, "0", "expected a whole number from 1 to 1024, got '0'"},
        {VALUE_NUMBER, "1025", "whole number"},
        {VALUE_NUMBER, "12a", "whole number"},
        {VALUE_NUMBER, "1K", "whole number"},
        {VALUE_NUMBER, "", "got ''"},
        {VALUE_PORT, "abc", "expected a port from 0 to 65535, got 'abc'"},
        {VALUE_PORT, "65536", "port"},
        {VALUE_PORT, "08125", "port"},
        {VALUE_PORT, "00", "port"},
        {VALUE_PORT, "0x50", "port"},
        {VALUE_PORT, "-1", "port"},
        {VALUE_PORT, "+1", "port"},
        {VALUE_PORT, " 1", "port"},
        {VALUE_PORT, "1 ", "port"},
        {VALUE_PORT, "1e3", "port"},
        {VALUE_PORT, "99999999999999999999999", "port"},
        {VALUE_SIZE, "1023", "expected a size from 1K to 64G (bytes, or with K, M, G)"},
        {VALUE_SIZE, "65G", "size"},
        {VALUE_SIZE, "18014398509481985K", "size"},
        {VALUE_SIZE, "1m", "size"},
        {VALUE_SIZE, "1MB", "size"},
        {VALUE_SIZE, "1.5M", "size"},
        {VALUE_SIZE, "M", "size"},
        {VALUE_SECONDS, "864001", "expected a duration from 0 to 864000 (seconds, or with"},
        {VALUE_SECONDS, "11d", "duration"},
        {VALUE_SECONDS, "213503982335d", "duration"},
        {VALUE_SECONDS, "1.5", "duration"},
        {VALUE_SECONDS, "5 s", "duration"},
        {VALUE_SECONDS, "5S", "duration"},
        {VALUE_SECONDS, "s", "duration"},
        {VALUE_MILLISECONDS, "999", "from 1000 to 86400000 (milliseconds, or with"},
        {VALUE_MILLISECONDS, "2d", "duration"},
        {VALUE_SWITCH, "maybe", "expected yes or no, got 'maybe'"},
        {VALUE_SWITCH, "", "yes or no"},
        {VALUE_SWITCH, "2", "yes or no"},
        {VALUE_CHOICE, "carbon", "expected graphite or none, got 'carbon'"},
        {VALUE_CHOICE, "Graphite", "graphite or none"},
        {VALUE_CHOICE, "", "graphite or none"},
        {VALUE_CHOICE, "ganglia", "'ganglia' is not built yet in this version"},
        {VALUE_NUMBERS, "", "expected 1 to 16 different numbers from -100 to 100, got ''"},
        {VALUE_NUMBERS, "101", "numbers"},
        {VALUE_NUMBERS, "-100.5", "numbers"},
        {VALUE_NUMBERS, "90;99", "numbers"},
        {VALUE_NUMBERS, "nan", "numbers"},
        {VALUE_NUMBERS, "90,", "numbers"},
        {VALUE_NUMBERS, ",90", "numbers"},
        {VALUE_NUMBERS, "90,90.0", "numbers"},
        {VALUE_NUMBERS, "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "numbers"},
        {VALUE_NUMBERS, "1e-300,2e-300", "numbers"}, /* longer than any text when written out */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct value value = {.text = "untouched"};
        struct buf why;

        buf_init(&why, 1024);
        ck_assert_msg(value_read(&rules[rows[i].kind], rows[i].text, &value, &why) == -1,
                      "'%s' is taken", rows[i].text);
        ck_assert_int_eq(buf_append(&why, "", 1), 0);
        ck_assert_msg(strstr((const char *)why.data, rows[i].why) != NULL, "'%s': '%s' in '%s'",
                      rows[i].text, rows[i].why, (const char *)why.data);
        ck_assert_str_eq(value.text, "untouched");
        buf_release(&why);
    }
}
END_TEST

START_TEST(test_numbers)
{
    struct value value;
    struct buf why;

    buf_init(&why, 1024);
    ck_assert_int_eq(value_read(&rules[VALUE_NUMBERS], "90,-10,99.9", &value, &why), 0);
    ck_assert_uint_eq(value.n_numbers, 3);
    ck_assert_double_eq(value.numbers[0], 90);
    ck_assert_double_eq(value.numbers[1], -10);
    ck_assert_double_eq(value.numbers[2], 99.9);
    buf_release(&why);
}
END_TEST

START_TEST(test_a_long_value_is_cut_in_the_message)
{
    char text[2000];
    struct value value;
    struct buf why;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    buf_init(&why, 1024);
    ck_assert_int_eq(value_read(&rules[VALUE_PORT], text, &value, &why), -1);
    ck_assert_uint_lt(why.len, 150);
    buf_release(&why);
}
END_TEST

START_TEST(test_quote)
{
    ck_assert_int_eq(value_quote(""), '"');
    ck_assert_int_eq(value_quote("it's"), '"');
    ck_assert_int_eq(value_quote("$a"), '\'');
    ck_assert_int_eq(value_quote("\""), '\'');
    ck_assert_int_eq(value_quote("`'"), 0);
    ck_assert_int_eq(value_quote("\\"), 0);
}
END_TEST

START_TEST(test_lists)
{
    for (int kind = 0; kind < VALUE_KIND_COUNT; kind++)
        ck_assert_int_eq(value_is_list((enum value_kind)kind),
                         kind == VALUE_NUMBERS || kind == VALUE_HOSTS || kind == VALUE_WORDS);
}
END_TEST

START_TEST(test_words)
{
    static const struct {
        const char *text;
        int result;
    } rows[] = {
        {"", 0},      {"a", 0},         {"*.a?,b;c=d", 0}, {"a,a", 0},   {"'", 0},
        {"$`\"", 0},  {",", -1},        {"a,", -1},        {",a", -1},   {"a,,b", -1},
        {"a b", -1},  {"a, b", -1},     {"{a,b}", -1},     {"a\\", -1},  {"a\tb", -1},
        {"\x7f", -1}, {"\xc3\xbc", -1}, {"'\"", -1},       {"',\"", -1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct value value;
        struct buf why;

        buf_init(&why, 1024);
        ck_assert_msg(value_read(&rules[VALUE_WORDS], rows[i].text, &value, &why) == rows[i].result,
                      "%s", rows[i].text);
        if (rows[i].result == 0)
            ck_assert_ptr_eq(value.list, rows[i].text);
        else
            ck_assert_ptr_nonnull(memmem(why.data, why.len, "at most 256 words", 17));
        buf_release(&why);
    }
}
END_TEST

START_TEST(test_limits_of_words)
{
    static const struct {
        size_t n, len;
        int result;
    } rows[] = {{256, 256, 0}, {257, 1, -1}, {1, 257, -1}};

    ck_assert_uint_eq(value_text_size(VALUE_WORDS), 256 * 257);
    ck_assert_uint_eq(value_text_size(VALUE_TEXT), VALUE_TEXT_MAX);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t size = rows[i].n * (rows[i].len + 1);
        char *text = malloc(size);
        struct value value;
        struct buf why;

        ck_assert_ptr_nonnull(text);
        memset(text, 'x', size);
        for (size_t k = 1; k <= rows[i].n; k++)
            text[k * (rows[i].len + 1) - 1] = k == rows[i].n ? '\0' : ',';
        buf_init(&why, 1024);
        ck_assert_int_eq(value_read(&rules[VALUE_WORDS], text, &value, &why), rows[i].result);
        buf_release(&why);
        free(text);
    }
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_must_take, test_must_refuse, test_numbers, test_a_long_value_is_cut_in_the_message,
        test_quote,     test_lists,       test_words,   test_limits_of_words,
    };

    return load_run("value", tests, sizeof(tests) / sizeof(tests[0]));
}
