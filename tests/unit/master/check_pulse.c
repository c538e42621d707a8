/*
 * check_pulse: how many looks in a row make a stall, and what begins them anew.
 */
#include <check.h>
#include <stdlib.h>

#include "master/pulse.h"

/* How many looks at a word that stands still it takes. */
static unsigned
looks_to_stall(struct pulse *pulse, uint64_t beat)
{
    unsigned n = 1;

    while (!pulse_look(pulse, beat)) {
        n++;
        ck_assert_uint_lt(n, 100);
    }
    return n;
}

START_TEST(test_stall)
{
    struct pulse pulse = {.told = 0};

    pulse_begin(&pulse, 7);
    ck_assert_uint_eq(looks_to_stall(&pulse, 7), PULSE_PATIENCE);
    /* Once: then as long again. */
    ck_assert_uint_eq(looks_to_stall(&pulse, 7), PULSE_PATIENCE);
}
END_TEST

START_TEST(test_any_change_is_progress)
{
    static const uint64_t beats[] = {8, 9, 2, UINT64_MAX, 0};
    struct pulse pulse;

    pulse_begin(&pulse, 7);
    for (size_t i = 0; i < sizeof(beats) / sizeof(beats[0]); i++) {
        ck_assert(!pulse_look(&pulse, beats[i]));
        for (int n = 0; n < PULSE_PATIENCE - 1; n++)
            ck_assert(!pulse_look(&pulse, beats[i]));
    }
    ck_assert(pulse_look(&pulse, 0));
}
END_TEST

START_TEST(test_a_new_process_has_all_its_time)
{
    struct pulse pulse;

    pulse_begin(&pulse, 7);
    for (int n = 0; n < PULSE_PATIENCE - 1; n++)
        ck_assert(!pulse_look(&pulse, 7));
    pulse_begin(&pulse, 7);
    ck_assert_uint_eq(looks_to_stall(&pulse, 7), PULSE_PATIENCE);
}
END_TEST

START_TEST(test_all_moved)
{
    struct pulse pulses[2] = {{.told = 0}, {.told = 0}};

    ck_assert(!pulse_all_moved(pulses, 2));
    ck_assert(!pulse_look(&pulses[0], 70));
    ck_assert(!pulse_all_moved(pulses, 2));
    ck_assert(!pulse_look(&pulses[1], 80));
    ck_assert(pulse_all_moved(pulses, 2));
    ck_assert(!pulse_all_moved(pulses, 2));
    /* A new process goes on counting, and has yet to. */
    pulse_begin(&pulses[1], 80);
    ck_assert(!pulse_look(&pulses[0], 71));
    ck_assert(!pulse_look(&pulses[1], 80));
    ck_assert(!pulse_all_moved(pulses, 2));
    ck_assert(!pulse_look(&pulses[1], 81));
    ck_assert(pulse_all_moved(pulses, 2));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("pulse");
    TCase *tcase = tcase_create("pulse");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_stall);
    tcase_add_test(tcase, test_any_change_is_progress);
    tcase_add_test(tcase, test_a_new_process_has_all_its_time);
    tcase_add_test(tcase, test_all_moved);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
