/*
 * check_num: numbers as text, held against tables, and what is read against the C library's own
 * reader. Owns its random numbers, so that a failure can be repeated; must not set a locale.
 */
#include "base/num.h"

#include <check.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SEED         UINT64_C(20240229)
#define N_TEXTS      300000 /* random decimal strings */
#define N_MIDPOINTS  10000
#define TIMEOUT_S    60

/* splitmix64, which has no bad seeds. */
static uint64_t
draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t
draw_below(uint64_t *state, uint64_t limit)
{
    return draw(state) % limit;
}

static uint64_t
bits_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double
draw_finite(uint64_t *state)
{
    double value;

    do {
        uint64_t bits = draw(state);
        memcpy(&value, &bits, sizeof value);
    } while (!isfinite(value));
    return value;
}

/* The number on its own heap block, so that a sanitizer sees any look beyond its end. */
static int
parse(const char *text, size_t len, double *out)
{
    char *copy = malloc(len > 0 ? len : 1);

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, len);
    int result = num_parse(len > 0 ? copy : copy + 1, len, out);
    free(copy);
    return result;
}

/* Both must find it infinite, or give the same bits. (Check writes a file at every assertion, so
 * that there is none while all is well.) */
static void
check_like_strtod(const char *text, size_t i)
{
    double expected = strtod(text, NULL), value = 4711;
    int result = num_parse(text, strlen(text), &value);
    bool is_same = isinf(expected) ? result == -1 && value == 4711
                                   : result == 0 && bits_of(value) == bits_of(expected);

    if (!is_same) {
        ck_abort_msg("seed %" PRIu64 ", %zu: %s gave %d, %a, not %a", SEED, i, text, result, value,
                     expected);
    }
}

static const struct {
    const char *text;
    double value;
} accepted[] = {
    {"0", 0},
    {"-0", -0.0},
    {"+0.0", 0},
    {"1", 1},
    {"+1", 1},
    {"-1", -1},
    {".5", .5},
    {"5.", 5},
    {"-.5e-3", -.5e-3},
    {"1e3", 1000},
    {"1E-5", 1e-5},
    {"1e+2", 100},
    {"5.e1", 50},
    {"007", 7},
    {"123.456", 123.456},
    {"0.1", 0.1},
    {"1e22", 1e22},
    {"1e23", 1e23},
    {"1e-22", 1e-22},
    {"1e-23", 1e-23},
    {"9007199254740991", 9007199254740991.0},
    {"9007199254740992", 9007199254740992.0},
    {"9007199254740993", 9007199254740992.0}, /* 2^53 + 1, a tie: down to even */
    {"9007199254740993.00000000000000000000000000000000000000000001", 9007199254740994.0},
    {"9007199254740995", 9007199254740996.0}, /* a tie: up to even */
    {"18446744073709551615", 18446744073709551616.0},
    {"99999999999999999999", 1e20},
    {"1.7976931348623157e308", DBL_MAX},
    {"1.7976931348623158e308", DBL_MAX},
    {"17976931348623157e292", DBL_MAX},
    {"2.2250738585072014e-308", DBL_MIN},
    {"2.2250738585072011e-308", 0x0.fffffffffffffp-1022},
    {"2.2250738585072012e-308", DBL_MIN}, /* rounds up out of the subnormal numbers */
    {"4.9406564584124654e-324", 0x1p-1074},
    {"5e-324", 0x1p-1074},
    {"2.4703282292062328e-324", 0x1p-1074},
    {"2.4703282292062327e-324", 0},
    {"1e-324", 0},
    {"-1e-999", -0.0},
    {"1e-999999999", 0},
    {"1e-99999999999999999999999999999", 0},
    {"0e999", 0},
    {"0.000e+99999999999999999999999999", 0},
    {"0.00000000000000000000000000000000000000001e41", 1},
    {"100000000000000000000000000000000000000000e-41", 1},
    {"1.00000000000000000000000000000000000000000", 1},
};

START_TEST(test_accepted)
{
    const char *text = accepted[_i].text;
    double value = 4711;

    ck_assert_msg(parse(text, strlen(text), &value) == 0, "%s was refused", text);
    ck_assert_msg(bits_of(value) == bits_of(accepted[_i].value), "%s gave %a, not %a", text, value,
                  accepted[_i].value);
}
END_TEST

/* By kind, several in a row. */
/* clang-format off */
static const char *const refused[] = {
    "", ".", "+", "-", "+.", "..5", "1.5.5", "--1", "+-1", "1-", "1f",
    "e5", ".e5", "1e", "1e+", "1e-", "1ee5", "1e+-5", "1e5.", "1e5.5", "1e 1", "1e5 ", "1e/", "1e:",
    " 1", "1 ", "1\n", "\t1", "1_0", "1,5", "1/", "1:", "1;", "1\xb2",
    "0x10", "0x1p3", "1p3", "nan", "NaN", "inf", "-inf", "-Infinity",
    "1e309", "1e999", "-1e999", "1e999999999", "1e9999999999999999999999999",
    "1.7976931348623159e308",
};
/* clang-format on */

START_TEST(test_refused)
{
    double value = 4711;

    ck_assert_msg(parse(refused[_i], strlen(refused[_i]), &value) == -1, "%s was accepted",
                  refused[_i]);
    ck_assert(value == 4711);
}
END_TEST

/* A NUL is a byte like any other that is no digit. */
START_TEST(test_embedded_nul)
{
    static const char text[] = "1\0"
                               "2e1\0";
    uint64_t whole_number = 4711;
    double value = 4711;

    ck_assert_int_eq(parse(text, 2, &value), -1);
    ck_assert_int_eq(parse(text, 3, &value), -1);
    ck_assert_int_eq(parse(text + 1, 2, &value), -1);
    ck_assert_int_eq(parse(text + 2, 4, &value), -1);
    ck_assert(value == 4711);
    ck_assert_int_eq(num_parse_u64(text, 2, 99, &whole_number), -1);
    ck_assert_int_eq(num_parse_u64(text + 1, 2, 99, &whole_number), -1);
    ck_assert_uint_eq(whole_number, 4711);
}
END_TEST

/* Only len bytes belong to the number. */
START_TEST(test_length_ends_it)
{
    static const char text[] = "-12.5e17";
    static const double values[] = {-1, -12, -12, -12.5};
    double value = 0;

    for (size_t i = 0; i < COUNT(values); i++) {
        ck_assert_int_eq(parse(text, i + 2, &value), 0);
        ck_assert(value == values[i]);
    }
    ck_assert_int_eq(parse(text, 6, &value), -1);
    ck_assert_int_eq(parse(text, 7, &value), 0);
    ck_assert(value == -125);
}
END_TEST

/* Thousands of digits, on either side of the point, that exponents make up for. */
START_TEST(test_long_texts)
{
    enum { N_ZEROS = 5000 };
    static char text[N_ZEROS + 32];
    double value = 0;

    text[0] = '1';
    memset(text + 1, '0', N_ZEROS);
    strcpy(text + 1 + N_ZEROS, "e-5000");
    ck_assert_int_eq(parse(text, strlen(text), &value), 0);
    ck_assert(value == 1);
    memcpy(text + N_ZEROS, "1.5", 3);
    strcpy(text + N_ZEROS + 3, "e-5000");
    ck_assert_int_eq(parse(text, strlen(text), &value), 0);
    ck_assert(value == 1);

    memset(text, '0', N_ZEROS);
    text[1] = '.';
    strcpy(text + N_ZEROS, "15e5000");
    ck_assert_int_eq(parse(text, strlen(text), &value), 0);
    ck_assert(value == 15.0);

    /* Nothing but the last digit decides between a tie and more than that. */
    memcpy(text, "9007199254740993.", 17);
    memset(text + 17, '0', N_ZEROS);
    text[N_ZEROS] = '\0';
    ck_assert_int_eq(parse(text, N_ZEROS, &value), 0);
    ck_assert(value == 9007199254740992.0);
    text[N_ZEROS - 1] = '1';
    ck_assert_int_eq(parse(text, N_ZEROS, &value), 0);
    ck_assert(value == 9007199254740994.0);
    text[N_ZEROS] = 'e';
    ck_assert_int_eq(parse(text, N_ZEROS + 1, &value), -1);
}
END_TEST

/* A random number of up to n digits with a point or not, an exponent or not. */
static void
draw_text(uint64_t *state, size_t n, char *out)
{
    size_t n_digits = 1 + draw_below(state, n), point = draw_below(state, 2 * n_digits);
    char *at = out;

    if (draw_below(state, 4) == 0) {
        *at++ = "+-"[draw_below(state, 2)];
    }
    for (size_t i = 0; i < n_digits; i++) {
        if (i == point) {
            *at++ = '.';
        }
        *at++ = (char)('0' + draw_below(state, 10));
    }
    *at = '\0';
    if (draw_below(state, 2) == 0) {
        int exponent = (int)draw_below(state, 700) - 360 - (int)(n_digits / 2);
        sprintf(at, draw_below(state, 2) == 0 ? "e%d" : "E%+d", exponent);
    }
}

START_TEST(test_random_texts)
{
    uint64_t state = SEED;
    char text[1024];

    for (size_t i = 0; i < N_TEXTS; i++) {
        draw_text(&state, i % 100 == 0 ? 900 : 25, text);
        check_like_strtod(text, i);
    }
}
END_TEST

/* Exactly between two doubles, and a touch above and below it after 800 digits. */
START_TEST(test_midpoints)
{
    uint64_t state = SEED + 1;
    char text[1024];

    if (LDBL_MANT_DIG <= DBL_MANT_DIG) {
        return;
    }
    for (size_t i = 0; i < N_MIDPOINTS; i++) {
        double value = draw_finite(&state);
        if (i % 4 == 0) {
            value = ldexp(value, -1000); /* mostly subnormal or 0 */
        }
        double next = nextafter(value, INFINITY);
        if (!isfinite(next)) {
            continue;
        }
        snprintf(text, sizeof text, "%.800Le", ((long double)value + next) / 2);
        check_like_strtod(text, i);
        char *last = strchr(text, 'e') - 1;
        *last = '1';
        check_like_strtod(text, i);
        snprintf(text, sizeof text, "%.17Le", ((long double)value + next) / 2);
        check_like_strtod(text, i);
    }
}
END_TEST

static const struct {
    const char *text;
    uint64_t max;
    int result;
    uint64_t value;
} whole[] = {
    {"0", 0, 0, 0},
    {"00", 0, 0, 0},
    {"1", 0, -1, 0},
    {"5", 5, 0, 5},
    {"6", 5, -1, 0},
    {"10", 5, -1, 0},
    {"007", 7, 0, 7},
    {"65535", 65535, 0, 65535},
    {"65536", 65535, -1, 0},
    {"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
    {"18446744073709551616", UINT64_MAX, -1, 0},
    {"18446744073709551620", UINT64_MAX, -1, 0},
    {"99999999999999999999", UINT64_MAX, -1, 0},
    {"184467440737095516150", UINT64_MAX, -1, 0},
    {"9223372036854775808", INT64_MAX, -1, 0},
    {"0000000000000000000000000000012", 12, 0, 12},
    {"", 9, -1, 0},
    {"+1", 9, -1, 0},
    {"-1", 9, -1, 0},
    {" 1", 9, -1, 0},
    {"1 ", 9, -1, 0},
    {"1.", 9, -1, 0},
    {"1e0", 9, -1, 0},
    {"0x1", 9, -1, 0},
    {"a", 99, -1, 0},
    {"/", 99, -1, 0},
    {":", 99, -1, 0},
};

START_TEST(test_whole)
{
    uint64_t value = 4711;

    ck_assert_int_eq(num_parse_u64(whole[_i].text, strlen(whole[_i].text), whole[_i].max, &value),
                     whole[_i].result);
    ck_assert_uint_eq(value, whole[_i].result == 0 ? whole[_i].value : 4711);
}
END_TEST

static Suite *
num_suite(void)
{
    Suite *suite = suite_create("num");
    TCase *read = tcase_create("read");

    tcase_set_timeout(read, TIMEOUT_S);
    tcase_add_loop_test(read, test_accepted, 0, (int)COUNT(accepted));
    tcase_add_loop_test(read, test_refused, 0, (int)COUNT(refused));
    tcase_add_loop_test(read, test_whole, 0, (int)COUNT(whole));
    tcase_add_test(read, test_embedded_nul);
    tcase_add_test(read, test_length_ends_it);
    tcase_add_test(read, test_long_texts);
    tcase_add_test(read, test_random_texts);
    tcase_add_test(read, test_midpoints);
    suite_add_tcase(suite, read);
    return suite;
}

int
main(void)
{
    SRunner *runner = srunner_create(num_suite());

    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
