/*
 * check_name: the sanitiser held against a table, against a second one that works in py-statsd's
 * four steps, and at its limits.
 */
#include "metric/name.h"

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

static const struct name_limits wide = {NAME_LEN_MAX, NAME_LEN_MAX};

static const struct {
    const char *raw, *clean;
} rows[] = {
    {"a", "a"},
    {"A-Z_a-z.0-9", "A-Z_a-z.0-9"},
    {"a/b", "a-b"},
    {"/a//b/", "-a--b-"},
    {"a b", "a_b"},
    {"a  b", "a__b"},
    {"a \t b", "a___b"},
    {"a\tb", "a_b"},
    {"a\t\t\tb", "a_b"},
    {"a\t\v\f\r\nb", "a_b"},
    {"a\t \tb", "a___b"},
    {"a\t!\tb", "a__b"},
    {"a\t/\tb", "a_-_b"},
    {" ", "_"},
    {"\t\t", "_"},
    {"a!@#$%^&*()b", "ab"},
    {"<x>\"y\"", "xy"},
    {"p+q=r", "pqr"},
    {"m[0]{1};n", "m01n"},
    {"gr\xc3\xbc\xc3\x9f", "gr"},
    {"a\xa0"
     "b",
     "ab"},
    {"a\x1c\x1d\x85"
     "b",
     "ab"},
    {".", "."},
    {"..a..", "..a.."},
    {"-", "-"},
};

static const char *const nothing_left[] = {"", "!", ";=:", "\xff\xfe", "\x01\x7f", "\xc3\xbc"};

static bool
is_kept(const char *raw, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (raw[i] == '\0' || strchr(KEPT, raw[i]) == NULL)
            return false;
    }
    return true;
}

/* From a heap block of just its size. A name that is clean already must be that block. */
static enum parse_error
clean(const char *raw, size_t len, const struct name_limits *limits, char *out, size_t *out_len)
{
    char *block = malloc(len > 0 ? len : 1), *scratch = malloc(NAME_LEN_MAX);
    const char *text = len > 0 ? block : block + 1;
    struct name name = {0};
    enum parse_error error;

    ck_assert_ptr_nonnull(block);
    ck_assert_ptr_nonnull(scratch);
    memcpy(block, raw, len);
    error = name_clean(text, len, limits, scratch, &name);
    if (memcmp(text, raw, len) != 0)
        ck_abort_msg("%.*s was written to", (int)len, raw);
    if (error == PARSE_OK) {
        const char *where = is_kept(raw, len) ? text : scratch;

        if (name.text != where)
            ck_abort_msg("%.*s stands in the wrong place", (int)len, raw);
        memcpy(out, name.text, name.len);
        *out_len = name.len;
    } else if (name.text != NULL || name.len != 0) {
        ck_abort_msg("%.*s left a name", (int)len, raw);
    }
    free(scratch);
    free(block);
    return error;
}

START_TEST(test_table)
{
    char out[NAME_LEN_MAX];
    size_t len = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_int_eq(clean(rows[i].raw, strlen(rows[i].raw), &wide, out, &len), PARSE_OK);
        ck_assert_msg(len == strlen(rows[i].clean) && memcmp(out, rows[i].clean, len) == 0,
                      "row %zu: %.*s", i, (int)len, out);
    }
}
END_TEST

START_TEST(test_nothing_left)
{
    char out[NAME_LEN_MAX];
    size_t len = 4711;

    for (size_t i = 0; i < sizeof(nothing_left) / sizeof(nothing_left[0]); i++) {
        const char *raw = nothing_left[i];

        ck_assert_int_eq(clean(raw, strlen(raw), &wide, out, &len), PARSE_NO_NAME);
        ck_assert_uint_eq(len, 4711);
    }
}
END_TEST

/* What re.sub(r'\s', …) of Python 2 takes for white space. */
static bool
is_space(char byte)
{
    return byte != '\0' && strchr(" \t\n\r\f\v", byte) != NULL;
}

/* The four substitutions of Server.process, one after the other. */
static size_t
clean_slowly(const char *raw, size_t len, char *out)
{
    char text[64];
    size_t n = 0, n_kept = 0;

    for (size_t i = 0; i < len; i++)
        text[i] = raw[i] == '/' ? '-' : raw[i] == ' ' ? '_' : raw[i];
    for (size_t i = 0; i < len;) {
        if (!is_space(text[i])) {
            text[n++] = text[i++];
            continue;
        }
        while (i < len && is_space(text[i]))
            i++;
        text[n++] = '_';
    }
    for (size_t i = 0; i < n; i++) {
        if (text[i] != '\0' && strchr(KEPT, text[i]) != NULL)
            out[n_kept++] = text[i];
    }
    return n_kept;
}

static void
check_like_slowly(const char *raw, size_t len)
{
    char out[NAME_LEN_MAX], expected[64];
    size_t n = 0, n_expected = clean_slowly(raw, len, expected);
    enum parse_error error = clean(raw, len, &wide, out, &n);

    if (n_expected == 0 ? error != PARSE_NO_NAME
                        : error != PARSE_OK || n != n_expected || memcmp(out, expected, n) != 0)
        ck_abort_msg("%.*s gave %.*s (%s), not %.*s", (int)len, raw, (int)n, out,
                     parse_error_name(error), (int)n_expected, expected);
}

START_TEST(test_every_byte)
{
    for (int byte = 0; byte < 256; byte++) {
        char raw[3] = {(char)byte, 'x', (char)byte};

        check_like_slowly(raw, 1);
        check_like_slowly(raw, 2);
        check_like_slowly(raw, 3);
    }
}
END_TEST

START_TEST(test_all_short_texts)
{
    static const char bytes[] = {' ', '\t', '\n', '\r', '/', '.', '-', 'a', '!', '\0', '\xe4'};
    enum { N = sizeof(bytes), LEN = 5 };
    size_t n_texts = 1;

    for (int i = 0; i < LEN; i++)
        n_texts *= N;
    for (size_t text = 0; text < n_texts; text++) {
        char raw[LEN];
        size_t rest = text;

        for (int i = 0; i < LEN; i++, rest /= N)
            raw[i] = bytes[rest % N];
        check_like_slowly(raw, LEN);
    }
}
END_TEST

static const struct {
    const char *raw;
    size_t name_max, node_max;
    enum parse_error error;
} limit_rows[] = {
    {"abcde", 5, 5, PARSE_OK},
    {"abcdef", 5, 9, PARSE_TOO_LONG},
    {"abcdef", 9, 5, PARSE_TOO_LONG},
    {"ab.cd", 5, 2, PARSE_OK},
    {"ab.cde", 6, 2, PARSE_TOO_LONG},
    {"abc.de", 6, 2, PARSE_TOO_LONG},
    {"ab.cd.ef", 8, 2, PARSE_OK},
    {"ab.cd.efg", 9, 2, PARSE_TOO_LONG},
    {"ab.", 3, 2, PARSE_OK},
    {"ab..", 3, 2, PARSE_TOO_LONG},
    {"....", 4, 1, PARSE_OK},
    {"!a!b!c!d!e!", 5, 5, PARSE_OK}, /* what is dropped does not count */
    {"a\t\t\t\tb", 3, 3, PARSE_OK},
    {"a    b", 5, 5, PARSE_TOO_LONG},
};

START_TEST(test_limits)
{
    for (size_t i = 0; i < sizeof(limit_rows) / sizeof(limit_rows[0]); i++) {
        struct name_limits limits = {limit_rows[i].name_max, limit_rows[i].node_max};
        const char *raw = limit_rows[i].raw;
        char out[NAME_LEN_MAX];
        size_t len = 4711;
        enum parse_error error = clean(raw, strlen(raw), &limits, out, &len);

        ck_assert_msg(error == limit_rows[i].error, "%s: %s", raw, parse_error_name(error));
        ck_assert_msg(error == PARSE_OK || len == 4711, "%s left a length", raw);
    }
}
END_TEST

START_TEST(test_longest_name)
{
    char *out = malloc(NAME_LEN_MAX);
    char raw[NAME_LEN_MAX + 1];
    size_t len = 0;

    ck_assert_ptr_nonnull(out);
    memset(raw, 'x', sizeof(raw));
    ck_assert_int_eq(clean(raw, NAME_LEN_MAX, &wide, out, &len), PARSE_OK);
    ck_assert_uint_eq(len, NAME_LEN_MAX);
    ck_assert_int_eq(memcmp(out, raw, len), 0);
    ck_assert_int_eq(clean(raw, NAME_LEN_MAX + 1, &wide, out, &len), PARSE_TOO_LONG);
    free(out);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("name");
    TCase *tcase = tcase_create("name");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_table);
    tcase_add_test(tcase, test_nothing_left);
    tcase_add_test(tcase, test_every_byte);
    tcase_add_test(tcase, test_all_short_texts);
    tcase_add_test(tcase, test_limits);
    tcase_add_test(tcase, test_longest_name);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
