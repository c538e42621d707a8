/*
 * check_number: numbers against the C library's own text in the C locale, and against what Python
 * prints. Owns its random numbers, so that a failure can be repeated.
 */
#include <check.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/number.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SEED         UINT64_C(20240229)
#define N_RANDOM     50000
#define N_BRIEF      1000 /* for valgrind, which is slow */

static int
n_random(void)
{
    return getenv("CHECK_BRIEF") != NULL ? N_BRIEF : N_RANDOM;
}

static uint64_t
draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Of any size; of ordinary ones; of few bits, so that ties come; of few digits. */
static double
draw_finite(uint64_t *state)
{
    double value;

    switch (draw(state) % 4) {
    case 0:
        do {
            uint64_t bits = draw(state);
            memcpy(&value, &bits, sizeof value);
        } while (!isfinite(value));
        return value;
    case 1: return (double)draw(state) / (double)(1 + draw(state) % 1000000000);
    case 2: return ldexp((double)(draw(state) % (1 << 30)), -(int)(draw(state) % 42));
    default: return (double)(draw(state) % 1000000000) / pow(10, (double)(draw(state) % 12));
    }
}

static void
assert_fixed(double value)
{
    char ours[NUMBER_TEXT_MAX + 1], theirs[NUMBER_TEXT_MAX + 1];
    size_t len = number_fixed(value, ours);

    ck_assert_uint_le(len, NUMBER_TEXT_MAX);
    ours[len] = '\0';
    snprintf(theirs, sizeof theirs, "%f", value);
    ck_assert_str_eq(ours, theirs);
}

START_TEST(test_fixed)
{
    const double values[] = {
        0,       -0.0,      1,        -1,      0.0078125, 3 * 0.0078125, 5e-7,   4.999e-7,
        1e-6,    0.9999995, 0.999999, 1e15,    -1e15,     0x1p53,        0x1p63, 1e20,
        DBL_MAX, -DBL_MAX,  DBL_MIN,  0x1p-12, 0x1p-13,   0.1,           320,    42,
    };
    uint64_t state = SEED;

    for (size_t i = 0; i < COUNT(values); i++)
        assert_fixed(values[i]);
    for (int i = 0; i < n_random(); i++)
        assert_fixed(draw_finite(&state));
}
END_TEST

/* As str() of Python 3 prints them, but for the ".0". */
static const struct {
    double value;
    const char *text;
} shortest[] = {
    {0, "0"},
    {-0.0, "-0"},
    {1, "1"},
    {-1, "-1"},
    {0.1, "0.1"},
    {0.5, "0.5"},
    {0.25, "0.25"},
    {0.3, "0.3"},
    {1.0 / 3, "0.3333333333333333"},
    {2.0 / 3, "0.6666666666666666"},
    {0.1 + 0.2, "0.30000000000000004"},
    {0.0001, "0.0001"},
    {0.00012, "0.00012"},
    {0.00001, "1e-05"},
    {0.000015, "1.5e-05"},
    {1e-100, "1e-100"},
    {5e-324, "5e-324"},
    {0.9999999999999999, "0.9999999999999999"},
    {-2.5, "-2.5"},
    {123456789.125, "123456789.125"},
    {1e15, "1000000000000000"},
    {1e16, "1e+16"},
    {1.5e300, "1.5e+300"},
    {9007199254740993.0, "9007199254740992"},
    {DBL_MAX, "1.7976931348623157e+308"},
};

START_TEST(test_shortest)
{
    char text[NUMBER_TEXT_MAX + 1];

    text[number_shortest(shortest[_i].value, text)] = '\0';
    ck_assert_str_eq(text, shortest[_i].text);
}
END_TEST

/* It reads back, and the C library finds nothing with a digit less that does. */
START_TEST(test_nothing_is_shorter)
{
    uint64_t state = SEED;

    for (int i = 0; i < n_random(); i++) {
        double value = fabs(draw_finite(&state));
        char text[NUMBER_TEXT_MAX + 1], shorter[NUMBER_TEXT_MAX + 1];
        size_t n_digits = 0;
        text[number_shortest(value, text)] = '\0';
        ck_assert_msg(strtod(text, NULL) == value, "%.17g became %s", value, text);
        const char *first = text + strspn(text, "0.");
        for (const char *at = first; *at != '\0' && *at != 'e'; at++)
            n_digits += *at != '.';
        if (n_digits > 1 && strchr(text, '.') != NULL) {
            snprintf(shorter, sizeof shorter, "%.*e", (int)n_digits - 2, value);
            ck_assert_msg(strtod(shorter, NULL) != value, "%s is %s", text, shorter);
        }
    }
}
END_TEST

START_TEST(test_whole)
{
    const long values[] = {0, 1, -1, 10, 12345, -99, LONG_MAX, LONG_MIN};

    for (size_t i = 0; i < COUNT(values); i++) {
        char ours[NUMBER_TEXT_MAX + 1], theirs[32];
        ours[number_whole(values[i], ours)] = '\0';
        snprintf(theirs, sizeof theirs, "%ld", values[i]);
        ck_assert_str_eq(ours, theirs);
    }
}
END_TEST

int
main(void)
{
    TCase *tcase = tcase_create("number");
    Suite *suite = suite_create("number");

    tcase_add_test(tcase, test_fixed);
    tcase_add_loop_test(tcase, test_shortest, 0, COUNT(shortest));
    tcase_add_test(tcase, test_nothing_is_shorter);
    tcase_add_test(tcase, test_whole);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
