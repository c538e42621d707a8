/*
 * check_parse: the lines that must be taken and those that must not, and why. Every line stands in
 * a heap block of just its size, so that a sanitizer sees any look beyond its ends.
 */
#include "metric/parse.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A line with NUL bytes names its length; the others end at theirs. */
static const struct {
    const char *line;
    enum metric_type type;
    const char *name;
    double value, rate;
    const char *member;
    size_t len, name_len;
} must_parse[] = {
    {"a:1|c", METRIC_COUNTER, "a", 1, 1, NULL, 0, 0},
    {"a:0|c", METRIC_COUNTER, "a", 0, 1, NULL, 0, 0},
    {"a:-5|c", METRIC_COUNTER, "a", -5, 1, NULL, 0, 0},
    {"a:+5|c", METRIC_COUNTER, "a", 5, 1, NULL, 0, 0},
    {"a:.5|c", METRIC_COUNTER, "a", .5, 1, NULL, 0, 0},
    {"a:5.|c", METRIC_COUNTER, "a", 5, 1, NULL, 0, 0},
    {"a:1e3|c", METRIC_COUNTER, "a", 1000, 1, NULL, 0, 0},
    {"a:005|c", METRIC_COUNTER, "a", 5, 1, NULL, 0, 0},
    {"a:  7\t|c", METRIC_COUNTER, "a", 7, 1, NULL, 0, 0},
    {"a:1|c\r", METRIC_COUNTER, "a", 1, 1, NULL, 0, 0},
    {"a:1|c \t\r\r", METRIC_COUNTER, "a", 1, 1, NULL, 0, 0},
    {"12345:1|c", METRIC_COUNTER, "12345", 1, 1, NULL, 0, 0},
    {" a b/c;d=e\t:1|c", METRIC_COUNTER, " a b/c;d=e\t", 1, 1, NULL, 0, 0},
    {"a|b:1|c", METRIC_COUNTER, "a|b", 1, 1, NULL, 0, 0},
    {"\xff\x80:1|c", METRIC_COUNTER, "\xff\x80", 1, 1, NULL, 0, 0},
    {"a\0b:1|c", METRIC_COUNTER, "a\0b", 1, 1, NULL, 7, 3},
    {"\0:1|c", METRIC_COUNTER, "\0", 1, 1, NULL, 5, 1},
    {"a:1|c|@0.1", METRIC_COUNTER, "a", 1, .1, NULL, 0, 0},
    {"a:1|c|@.5", METRIC_COUNTER, "a", 1, .5, NULL, 0, 0},
    {"a:1|c|@1", METRIC_COUNTER, "a", 1, 1, NULL, 0, 0},
    {"a:1|c|@1.0", METRIC_COUNTER, "a", 1, 1, NULL, 0, 0},
    {"a:1|c|@1e-3", METRIC_COUNTER, "a", 1, 1e-3, NULL, 0, 0},
    {"a:1|c|@0.1\r", METRIC_COUNTER, "a", 1, .1, NULL, 0, 0},
    {"a:1|c|@0.1|#tag", METRIC_COUNTER, "a", 1, 1, NULL, 0, 0}, /* py-statsd: not one field */
    {"a:1|c|#tag|@0.1", METRIC_COUNTER, "a", 1, 1, NULL, 0, 0},
    {"a:1|c|@2|x", METRIC_COUNTER, "a", 1, 1, NULL, 0, 0},
    {"a:1|c||", METRIC_COUNTER, "a", 1, 1, NULL, 0, 0},
    {"a:1|c|@0|", METRIC_COUNTER, "a", 1, 1, NULL, 0, 0},
    {"a:1|g", METRIC_GAUGE, "a", 1, 1, NULL, 0, 0},
    {"a:+3|g", METRIC_GAUGE, "a", 3, 1, NULL, 0, 0},
    {"a:-3|g", METRIC_GAUGE, "a", -3, 1, NULL, 0, 0},
    {"a:1.5E-3|g", METRIC_GAUGE, "a", 1.5e-3, 1, NULL, 0, 0},
    {"a:9007199254740993|g", METRIC_GAUGE, "a", 9007199254740992.0, 1, NULL, 0, 0},
    {"a:1|g|", METRIC_GAUGE, "a", 1, 1, NULL, 0, 0},
    {"a:1|g|#tag", METRIC_GAUGE, "a", 1, 1, NULL, 0, 0},
    {"a:1|g|anything|else", METRIC_GAUGE, "a", 1, 1, NULL, 0, 0},
    {"a:320|ms", METRIC_TIMER, "a", 320, 1, NULL, 0, 0},
    {"a:-5|ms", METRIC_TIMER, "a", -5, 1, NULL, 0, 0},
    {"a:320|ms|@0.1", METRIC_TIMER, "a", 320, .1, NULL, 0, 0},
    {"a:320|ms|x", METRIC_TIMER, "a", 320, 1, NULL, 0, 0},
    {"a:alice|s", METRIC_SET, "a", 0, 1, "alice", 0, 0},
    {"a:b:c|s", METRIC_SET, "a", 0, 1, "b:c", 0, 0},
    {"a: x |s", METRIC_SET, "a", 0, 1, " x ", 0, 0},
    {"a: |s", METRIC_SET, "a", 0, 1, " ", 0, 0},
    {"a::|s", METRIC_SET, "a", 0, 1, ":", 0, 0},
    {"a:nan|s", METRIC_SET, "a", 0, 1, "nan", 0, 0},
    {"a:@,#;=\xff|s", METRIC_SET, "a", 0, 1, "@,#;=\xff", 0, 0},
    {"a:1|s|@0.5", METRIC_SET, "a", 0, .5, "1", 0, 0},
    {"a:x|s|t", METRIC_SET, "a", 0, 1, "x", 0, 0},
};

static const struct {
    const char *line;
    enum parse_error error;
    size_t len;
} must_not_parse[] = {
    {"", PARSE_NO_VALUE, 0},
    {"\r", PARSE_NO_VALUE, 0},
    {" \t ", PARSE_NO_VALUE, 0},
    {"foo", PARSE_NO_VALUE, 0},
    {"foo|c", PARSE_NO_VALUE, 0},
    {"foo:", PARSE_NO_VALUE, 0},
    {"foo: ", PARSE_NO_VALUE, 0},
    {"foo:\r", PARSE_NO_VALUE, 0},
    {"foo:|c", PARSE_NO_VALUE, 0},
    {"foo:|", PARSE_NO_VALUE, 0},
    {":", PARSE_NO_VALUE, 0},
    {":1|c", PARSE_NO_NAME, 0},
    {"::1|c", PARSE_NO_NAME, 0},
    {"foo:1", PARSE_NO_TYPE, 0},
    {"foo:1|", PARSE_NO_TYPE, 0},
    {"foo:1|\r", PARSE_NO_TYPE, 0},
    {"foo:1|zz", PARSE_BAD_TYPE, 0},
    {"foo:1|C", PARSE_BAD_TYPE, 0},
    {"foo:1|MS", PARSE_BAD_TYPE, 0},
    {"foo:1|m", PARSE_BAD_TYPE, 0},
    {"foo:1|mss", PARSE_BAD_TYPE, 0},
    {"foo:1|h", PARSE_BAD_TYPE, 0},
    {"foo:1| c", PARSE_BAD_TYPE, 0},
    {"foo:1|c |@0.1", PARSE_BAD_TYPE, 0},
    {"foo:1||c", PARSE_BAD_TYPE, 0},
    {"foo:1||", PARSE_BAD_TYPE, 0},
    {"foo:1|c\rx", PARSE_BAD_TYPE, 0},
    {"foo:1|c\0", PARSE_BAD_TYPE, 8},
    {"foo:1|\0", PARSE_BAD_TYPE, 7},
    {"foo:x|c", PARSE_BAD_VALUE, 0},
    {"foo: |c", PARSE_BAD_VALUE, 0},
    {"foo:abc|g", PARSE_BAD_VALUE, 0},
    {"foo:--1|ms", PARSE_BAD_VALUE, 0},
    {"foo:1.2.3|ms", PARSE_BAD_VALUE, 0},
    {"foo:nan|c", PARSE_BAD_VALUE, 0},
    {"foo:inf|g", PARSE_BAD_VALUE, 0},
    {"foo:-inf|ms", PARSE_BAD_VALUE, 0},
    {"foo:infinity|g", PARSE_BAD_VALUE, 0},
    {"foo:1e999|c", PARSE_BAD_VALUE, 0},
    {"foo:0x10|c", PARSE_BAD_VALUE, 0},
    {"foo:1_000|c", PARSE_BAD_VALUE, 0},
    {"foo:1,5|c", PARSE_BAD_VALUE, 0},
    {"foo:1 2|c", PARSE_BAD_VALUE, 0},
    {"foo:- 1|c", PARSE_BAD_VALUE, 0},
    {"foo:1\0|c", PARSE_BAD_VALUE, 8},
    {"foo:\0|c", PARSE_BAD_VALUE, 7},
    {"a:b:1|c", PARSE_BAD_VALUE, 0},
    {"a::1|c", PARSE_BAD_VALUE, 0},
    {"foo:1:2|ms", PARSE_BAD_VALUE, 0},
    {"foo:1|c|@0", PARSE_BAD_RATE, 0},
    {"foo:1|c|@-0", PARSE_BAD_RATE, 0},
    {"foo:1|c|@-1", PARSE_BAD_RATE, 0},
    {"foo:1|c|@2", PARSE_BAD_RATE, 0},
    {"foo:1|c|@1.0000001", PARSE_BAD_RATE, 0},
    {"foo:1|c|@nan", PARSE_BAD_RATE, 0},
    {"foo:1|c|@inf", PARSE_BAD_RATE, 0},
    {"foo:1|c|@0.5abc", PARSE_BAD_RATE, 0},
    {"foo:1|c|@1.2.3", PARSE_BAD_RATE, 0},
    {"foo:1|c|@", PARSE_BAD_RATE, 0},
    {"foo:1|c|@ 0.5", PARSE_BAD_RATE, 0},
    {"foo:1|c|@0.5\0", PARSE_BAD_RATE, 13},
    {"foo:1|g|@2", PARSE_BAD_RATE, 0},
    {"foo:1|ms|@x", PARSE_BAD_RATE, 0},
    {"foo:1|s|@0", PARSE_BAD_RATE, 0},
    {"foo:1|c|0.1", PARSE_BAD_FIELD, 0},
    {"foo:1|c|#tag", PARSE_BAD_FIELD, 0},
    {"foo:1|c|", PARSE_BAD_FIELD, 0},
    {"foo:1|c| @0.1", PARSE_BAD_FIELD, 0},
    {"foo:1|c|\0", PARSE_BAD_FIELD, 9},
};

#define N_MUST_PARSE     (sizeof(must_parse) / sizeof(must_parse[0]))
#define N_MUST_NOT_PARSE (sizeof(must_not_parse) / sizeof(must_not_parse[0]))

static size_t
len_of(const char *text, size_t len)
{
    return len != 0 || text == NULL ? len : strlen(text);
}

/* A heap block of just len bytes, or the end of one for none. The caller frees *out_block. */
static const char *
exactly(const char *line, size_t len, char **out_block)
{
    char *block = malloc(len > 0 ? len : 1);

    ck_assert_ptr_nonnull(block);
    memcpy(block, line, len);
    *out_block = block;
    return len > 0 ? block : block + 1;
}

static bool
is_span(const char *start, size_t len, const char *text, size_t text_len)
{
    return len == text_len && (len == 0 || memcmp(start, text, len) == 0);
}

START_TEST(test_must_parse)
{
    const char *text = must_parse[_i].line;
    size_t len = len_of(text, must_parse[_i].len);
    char *block;
    const char *line = exactly(text, len, &block);
    struct sample sample;
    enum parse_error error = parse_line(line, len, &sample);

    ck_assert_msg(error == PARSE_OK, "%s: %s", text, parse_error_name(error));
    ck_assert_msg(sample.type == must_parse[_i].type, "%s is a %s", text,
                  metric_type_name(sample.type));
    ck_assert_msg(is_span(sample.name, sample.name_len, must_parse[_i].name,
                          len_of(must_parse[_i].name, must_parse[_i].name_len)),
                  "%s has name %.*s", text, (int)sample.name_len, sample.name);
    ck_assert_msg(!(fabs(sample.value - must_parse[_i].value) > 0), "%s has value %g", text,
                  sample.value);
    ck_assert_msg(!(fabs(sample.rate - must_parse[_i].rate) > 0), "%s has rate %g", text,
                  sample.rate);
    ck_assert_msg(is_span(sample.member, sample.member_len, must_parse[_i].member,
                          len_of(must_parse[_i].member, 0)),
                  "%s has member %.*s", text, (int)sample.member_len, sample.member);
    ck_assert_msg(memcmp(line, text, len) == 0, "%s was written to", text);
    free(block);
}
END_TEST

START_TEST(test_must_not_parse)
{
    const char *text = must_not_parse[_i].line;
    size_t len = len_of(text, must_not_parse[_i].len);
    char *block;
    const char *line = exactly(text, len, &block);
    struct sample sample, before;
    enum parse_error error;

    memset(&sample, 0xa5, sizeof(sample));
    memcpy(&before, &sample, sizeof(before));
    error = parse_line(line, len, &sample);
    ck_assert_msg(error == must_not_parse[_i].error, "%s: %s", text, parse_error_name(error));
    ck_assert_msg(memcmp(&sample, &before, sizeof(sample)) == 0, "%s left something", text);
    ck_assert_msg(memcmp(line, text, len) == 0, "%s was written to", text);
    free(block);
}
END_TEST

static bool
is_within(const char *start, size_t len, const char *line, size_t line_len)
{
    return start >= line && start + len <= line + line_len;
}

/* Whatever the bytes are: a known error, or a sample that keeps its promises. */
static void
check_promises(const char *bytes, size_t len)
{
    char *block;
    const char *line = exactly(bytes, len, &block);
    struct sample sample;
    enum parse_error error = parse_line(line, len, &sample);
    bool is_kept = error < PARSE_TOO_LONG;

    if (error == PARSE_OK) {
        is_kept = sample.name == line && sample.name_len > 0 && sample.name_len < len &&
                  memchr(line, ':', sample.name_len) == NULL && sample.rate > 0 &&
                  sample.rate <= 1 && isfinite(sample.value);
        if (sample.type == METRIC_SET)
            is_kept = is_kept && sample.member_len > 0 &&
                      is_within(sample.member, sample.member_len, line, len);
    }
    if (!is_kept)
        ck_abort_msg("%.*s: %s", (int)len, line, parse_error_name(error));
    free(block);
}

START_TEST(test_every_prefix)
{
    size_t len = len_of(must_parse[_i].line, must_parse[_i].len);

    for (size_t n = 0; n <= len; n++) {
        check_promises(must_parse[_i].line, n);
        check_promises(must_parse[_i].line + n, len - n);
    }
}
END_TEST

START_TEST(test_every_byte_changed)
{
    size_t len = len_of(must_parse[_i].line, must_parse[_i].len);
    char line[64];

    ck_assert_uint_le(len, sizeof(line));
    memcpy(line, must_parse[_i].line, len);
    for (size_t at = 0; at < len; at++) {
        char kept = line[at];

        for (int byte = 0; byte < 256; byte++) {
            line[at] = (char)byte;
            check_promises(line, len);
        }
        line[at] = kept;
    }
}
END_TEST

START_TEST(test_long_lines)
{
    enum { LEN = 65507 };
    static char line[LEN];
    struct sample sample;

    memset(line, 'a', LEN);
    check_promises(line, LEN);
    memset(line, '0', LEN);
    memcpy(line, "a:", 2);
    memcpy(line + LEN - 3, "1|c", 3);
    ck_assert_int_eq(parse_line(line, LEN, &sample), PARSE_OK);
    ck_assert_double_eq(sample.value, 1);
    memset(line, ' ', LEN);
    check_promises(line, LEN);
    memset(line, '|', LEN);
    memcpy(line, "a:1|c|", 6);
    ck_assert_int_eq(parse_line(line, LEN, &sample), PARSE_OK);
}
END_TEST

START_TEST(test_error_names)
{
    static const char *const names[] = {
        "ok",        "no_value", "no_name",   "no_type",  "bad_type",
        "bad_value", "bad_rate", "bad_field", "too_long",
    };

    ck_assert_uint_eq(sizeof(names) / sizeof(names[0]), PARSE_ERROR_COUNT);
    for (unsigned i = 0; i < PARSE_ERROR_COUNT; i++)
        ck_assert_str_eq(parse_error_name((enum parse_error)i), names[i]);
}
END_TEST

/* splitmix64. */
static uint64_t
draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static bool
is_same(const struct sample *a, const struct sample *b)
{
    return a->type == b->type && a->name == b->name && a->name_len == b->name_len &&
           memcmp(&a->value, &b->value, sizeof(a->value)) == 0 && !(fabs(a->rate - b->rate) > 0) &&
           a->member == b->member && a->member_len == b->member_len;
}

/* What parse_common takes it takes as parse_line would. Returns whether it did. text is a heap
 * block of just its size. */
static bool
check_common(const char *text, size_t len)
{
    struct sample common, whole, before;
    enum parse_error error;

    memset(&common, 0xa5, sizeof(common));
    memcpy(&before, &common, sizeof(before));
    if (!parse_common(text, len, &common)) {
        if (memcmp(&common, &before, sizeof(common)) != 0)
            ck_abort_msg("%.*s left something", (int)len, text);
        return false;
    }
    error = parse_line(text, len, &whole);
    if (error != PARSE_OK || !is_same(&common, &whole))
        ck_abort_msg("%.*s: %s, %.17g and %.17g", (int)len, text, parse_error_name(error),
                     common.value, whole.value);
    return true;
}

static bool
check_common_exactly(const char *bytes, size_t len)
{
    char *block;
    const char *text = exactly(bytes, len, &block);
    bool is_taken = check_common(text, len);

    free(block);
    return is_taken;
}

static const struct {
    const char *text;
    bool is_taken;
} common_rows[] = {
    {"a:1|c", true},
    {"a:-3|g", true},
    {"a:-.5|g", true},
    {"a:5.|g", true},
    {"a:.5|g", true},
    {"a:123456789012345|g", true},
    {"a:1234567.89012345|g", true},
    {"a:0.00000000000001|c", true},
    {"a:-123456789012345|c", true},
    {"a:000000000000001|c", true},
    {"a:-0|g", true},
    {"a:1234567890123456|g", false},
    {"a:12345678901234567|g", false},
    {"a:.|g", false},
    {"a:-|g", false},
    {"a:|g", false},
    {"a:+1|g", false},
    {"a:1e3|g", false},
    {"a:1.2.3|g", false},
    {"a: 1|g", false},
    {"a:1 |g", false},
    {"a:1|g\r", false},
    {"a:1|g ", false},
    {"a:1|s", false},
    {"a:1|m", false},
    {"a:1|mx", false},
    {"a:1|mss", false},
    {"a:1|c|@0.5", false},
    {"a:1|", false},
    {"a:1", false},
    {"a:", false},
    {"a", false},
    {":1|c", false},
    {"a b:1|c", true},
    {"a/b:1|c", true},
    {"", false},
};

START_TEST(test_common_lines)
{
    for (size_t i = 0; i < sizeof(common_rows) / sizeof(common_rows[0]); i++) {
        const char *text = common_rows[i].text;
        size_t len = strlen(text);

        ck_assert_msg(check_common_exactly(text, len) == common_rows[i].is_taken, "%s", text);
        for (size_t n = 0; n <= len; n++) {
            check_common_exactly(text, n);
            check_common_exactly(text + n, len - n);
        }
    }
}
END_TEST

/* Lines of the common form, with numbers of every length. */
static size_t
common_line(uint64_t *state, char *out)
{
    static const char *const types[] = {"c", "g", "ms", "s", "c", "ms", "g", "ms\r"};
    uint64_t shape = draw(state);
    size_t n_digits = 1 + shape % 17, point = shape >> 8 & 31, len = 0;
    const char *type = types[shape >> 16 & 7];

    for (size_t n = 1 + (shape >> 24 & 3); n > 0; n--)
        out[len++] = "aZ09._-b"[draw(state) & 7];
    out[len++] = ':';
    if ((shape >> 32 & 3) == 0)
        out[len++] = '-';
    for (size_t i = 0; i < n_digits; i++) {
        if (i == point)
            out[len++] = '.';
        out[len++] = (char)('0' + draw(state) % 10);
    }
    out[len++] = '|';
    memcpy(out + len, type, strlen(type));
    return len + strlen(type);
}

START_TEST(test_common_like_parse_line)
{
    static const char bytes[] = ":|.\r@-+0159acgms e\0\xff";
    uint64_t state = UINT64_C(20240307);
    int n_taken = 0, n_whole = 0;
    char *block = malloc(64);

    ck_assert_ptr_nonnull(block);
    for (int i = 0; i < 1000000; i++) {
        char line[64];
        size_t len = common_line(&state, line);
        uint64_t dice = draw(&state);

        for (uint64_t n = dice % 4; n > 1; n--)
            line[draw(&state) % len] = bytes[draw(&state) % sizeof(bytes)];
        if (dice % 16 == 5)
            len = draw(&state) % (len + 1);
        memcpy(block + 64 - len, line, len); /* it ends where the block does */
        n_taken += check_common(block + 64 - len, len);
        n_whole += dice % 4 < 2;
    }
    free(block);
    ck_assert_int_gt(n_whole, 400000);
    ck_assert_int_gt(n_taken, 300000);
    ck_assert_int_lt(n_taken, 900000);
}
END_TEST

START_TEST(test_common_prefixes)
{
    uint64_t state = UINT64_C(20240308);

    for (int i = 0; i < 2000; i++) {
        char line[64];
        size_t len = common_line(&state, line);

        for (size_t n = 0; n <= len; n++)
            check_common_exactly(line, n);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("parse");
    TCase *tcase = tcase_create("parse");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_must_parse, 0, (int)N_MUST_PARSE);
    tcase_add_loop_test(tcase, test_must_not_parse, 0, (int)N_MUST_NOT_PARSE);
    tcase_add_loop_test(tcase, test_every_prefix, 0, (int)N_MUST_PARSE);
    tcase_add_loop_test(tcase, test_every_byte_changed, 0, (int)N_MUST_PARSE);
    tcase_add_test(tcase, test_long_lines);
    tcase_add_test(tcase, test_error_names);
    tcase_add_test(tcase, test_common_lines);
    tcase_add_test(tcase, test_common_like_parse_line);
    tcase_add_test(tcase, test_common_prefixes);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
