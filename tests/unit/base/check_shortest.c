/*
 * check_shortest: the digits of doubles, through num_format as callers see them, held against the
 * C library's own conversions. Owns its random numbers, so that a failure can be repeated.
 */
#include <check.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>

#include "base/num.h"
#include "base/shortest.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SEED         UINT64_C(20240229)
#define N_BITS       500000 /* doubles of random bits */
#define N_PLACES     100000 /* doubles with few places */
#define N_ALL        10000  /* doubles for which every number of digits is tried */
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

static void
format(double value, char out[NUM_TEXT_MAX + 1])
{
    size_t len = num_format(value, out);

    ck_assert_uint_le(len, NUM_TEXT_MAX);
    out[len] = '\0';
}

static const struct {
    double value;
    const char *text;
} formatted[] = {
    {0, "0"},
    {-0.0, "0"},
    {1, "1"},
    {-1, "-1"},
    {10, "10"},
    {100, "100"},
    {12.34, "12.34"},
    {-0.5, "-0.5"},
    {0.1, "0.1"},
    {0.1 + 0.2, "0.30000000000000004"},
    {1.0 / 3, "0.3333333333333333"},
    {2.0 / 3, "0.6666666666666666"},
    {1e-5, "0.00001"},
    {1e15, "1000000000000000"},
    {1e21, "1000000000000000000000"},
    {1e22, "10000000000000000000000"},
    {1e23, "100000000000000000000000"},
    {9007199254740991, "9007199254740991"},
    {9007199254740992, "9007199254740992"},
    {9007199254740994, "9007199254740994"},
    {4503599627370495.5, "4503599627370495.5"},
    {1125899906842623.9, "1125899906842623.9"},
    {5e-22, "0.0000000000000000000005"},
    {0x1p-44, "0.00000000000005684341886080802"}, /* 801 is as near, but reads as another one */
    {0x1p-1074, NULL},
    {-0x1p-1074, NULL},
    {DBL_MIN, NULL},
    {-DBL_MIN, NULL},
    {DBL_MAX, NULL},
    {-DBL_MAX, NULL},
};

START_TEST(test_formatted)
{
    double value = formatted[_i].value, back = 4711;
    char text[NUM_TEXT_MAX + 1];

    format(value, text);
    if (formatted[_i].text != NULL) {
        ck_assert_str_eq(text, formatted[_i].text);
    }
    ck_assert_int_eq(num_parse(text, strlen(text), &back), 0);
    ck_assert(back == value);
}
END_TEST

/* The ends of the range, whose texts are long: what they begin and end with. */
START_TEST(test_formatted_ends)
{
    char text[NUM_TEXT_MAX + 1], expected[NUM_TEXT_MAX + 1];

    format(-0x1p-1074, text);
    snprintf(expected, sizeof expected, "-0.%0324d", 5);
    ck_assert_str_eq(text, expected);
    format(-DBL_MIN, text);
    snprintf(expected, sizeof expected, "-0.%0307d22250738585072014", 0);
    ck_assert_str_eq(text, expected);
    format(-DBL_MAX, text);
    snprintf(expected, sizeof expected, "-17976931348623157%0292d", 0);
    ck_assert_str_eq(text, expected);
}
END_TEST

/* -?[0-9]+(\.[0-9]+)? without a zero too many at either end. Copies the significant digits. */
static bool
take_digits(const char *text, char out[NUM_TEXT_MAX + 1])
{
    const char *at = text + (*text == '-');
    size_t n_whole = strspn(at, "0123456789"), n = 0;
    const char *point = at[n_whole] == '.' ? at + n_whole : NULL;
    size_t n_places = point != NULL ? strspn(point + 1, "0123456789") : 0;
    size_t len = n_whole + n_places + (point != NULL);

    if (n_whole == 0 || (n_whole > 1 && *at == '0') || at[len] != '\0' ||
        (point != NULL && (n_places == 0 || at[len - 1] == '0'))) {
        return false;
    }
    for (; *at != '\0'; at++) {
        if (*at != '.' && (n > 0 || *at != '0')) {
            out[n++] = *at;
        }
    }
    while (n > 0 && out[n - 1] == '0') {
        n--;
    }
    out[n] = '\0';
    return true;
}

/* The n digits nearest to value; returns whether they read back. */
static bool
nearest_digits(double value, int n, char out[32])
{
    char text[32];

    snprintf(text, sizeof text, "%.*e", n - 1, fabs(value));
    out[0] = text[0];
    memcpy(out + 1, text + 2, (size_t)n); /* with n = 1 that is of "e+00", and cut off */
    out[n] = '\0';
    return strtod(text, NULL) == fabs(value);
}

static noreturn void
complain(size_t i, double value, const char *text, const char *why)
{
    ck_abort_msg("seed %" PRIu64 ", %zu: %a gave %s %s", SEED, i, value, text, why);
}

/* Written without a digit too many, and read back as it was. (Check writes a file at every
 * assertion, so that there is none while all is well.) */
static void
check_both_ways(double value, size_t i)
{
    char text[NUM_TEXT_MAX + 1], digits[NUM_TEXT_MAX + 1], nearest[32], full[32];
    double back = 4711;
    size_t len = num_format(value, text);

    text[len <= NUM_TEXT_MAX ? len : NUM_TEXT_MAX] = '\0';
    if (len > NUM_TEXT_MAX || !take_digits(text, digits)) {
        complain(i, value, text, "of another shape");
    }
    if (strtod(text, NULL) != value || num_parse(text, len, &back) != 0 || back != value) {
        complain(i, value, text, "which reads as another number");
    }
    snprintf(full, sizeof full, "%.17g", value);
    if (num_parse(full, strlen(full), &back) != 0 || back != value) {
        complain(i, value, full, "with %.17g, which num_parse reads as another number");
    }
    /* Fewer digits than n - 1 are n - 1 digits as well, with zeros. */
    int n = (int)strlen(digits);
    if (n > 17 || (n > 1 && nearest_digits(value, n - 1, nearest))) {
        complain(i, value, text, "though fewer digits are enough");
    }
    /* The nearest need not read back below a power of two, where the doubles lie closer. */
    if (n > 0 && nearest_digits(value, n, nearest) && strcmp(digits, nearest) != 0) {
        complain(i, value, text, "though as many digits come nearer");
    }
}

START_TEST(test_random_bits)
{
    uint64_t state = SEED + 2;

    for (size_t i = 0; i < N_BITS; i++) {
        check_both_ways(draw_finite(&state), i);
    }
}
END_TEST

/* What the daemon mostly sees, 1 to 17 digits and up to 25 places, and its neighbours. */
START_TEST(test_random_places)
{
    uint64_t state = SEED + 3;
    char text[64];

    for (size_t i = 0; i < N_PLACES; i++) {
        uint64_t digits = draw(&state) >> draw_below(&state, 64);
        snprintf(text, sizeof text, "%" PRIu64 "e-%" PRIu64, digits, draw_below(&state, 26));
        double value = strtod(text, NULL);
        check_both_ways(i % 4 == 0 ? nextafter(value, 0) : value, i);
    }
}
END_TEST

START_TEST(test_powers)
{
    for (int i = -1074; i < 1024; i++) {
        double value = ldexp(1, i);
        check_both_ways(value, (size_t)(i + 1074));
        check_both_ways(nextafter(value, 0), (size_t)(i + 1074));
        check_both_ways(nextafter(value, 1e300), (size_t)(i + 1074));
    }
    for (int i = -323; i <= 308; i++) {
        char text[16];
        snprintf(text, sizeof text, "1e%d", i);
        check_both_ways(strtod(text, NULL), (size_t)(i + 323));
    }
}
END_TEST

/* The digits alone, against every shorter %g there is. */
START_TEST(test_every_length)
{
    uint64_t state = SEED + 4;
    char text[32];

    for (size_t i = 0; i < N_ALL; i++) {
        double value = fabs(draw_finite(&state));
        uint64_t digits = 0;
        int exponent = 0, n = 1;
        while (snprintf(text, sizeof text, "%.*g", n, value) > 0 && strtod(text, NULL) != value) {
            n++;
        }
        shortest_digits(value, &digits, &exponent);
        snprintf(text, sizeof text, "%" PRIu64 "e%d", digits, exponent);
        bool reads_back = strtod(text, NULL) == value;
        while (digits > 0 && digits % 10 == 0) { /* a whole number in full */
            digits /= 10;
        }
        if (!reads_back || snprintf(NULL, 0, "%" PRIu64, digits) > n) {
            complain(i, value, text, "which reads as another number or is too long");
        }
    }
}
END_TEST

static Suite *
shortest_suite(void)
{
    Suite *suite = suite_create("shortest");
    TCase *write = tcase_create("write");

    tcase_set_timeout(write, TIMEOUT_S);
    tcase_add_loop_test(write, test_formatted, 0, (int)COUNT(formatted));
    tcase_add_test(write, test_formatted_ends);
    tcase_add_test(write, test_random_bits);
    tcase_add_test(write, test_random_places);
    tcase_add_test(write, test_powers);
    tcase_add_test(write, test_every_length);
    suite_add_tcase(suite, write);
    return suite;
}

int
main(void)
{
    SRunner *runner = srunner_create(shortest_suite());

    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
