/*
 * check_keys_limit: each setting of how much is kept, with a good and a bad value, and where it
 * ends up.
 */
#include "load.h"

START_TEST(test_values)
{
    static const struct load_row rows[] = {
        {"MEMORY_LIMIT", "1M", "1M"},     {"MEMORY_LIMIT", "64G", "64G"},
        {"MEMORY_LIMIT", "1023K", NULL},  {"MEMORY_LIMIT", "65G", NULL},
        {"TIMER_MAX_SAMPLES", "1", "1"},  {"TIMER_MAX_SAMPLES", "100000000", "100000000"},
        {"TIMER_MAX_SAMPLES", "0", NULL}, {"TIMER_MAX_SAMPLES", "100000001", NULL},
        {"SET_EXACT_MAX", "1", "1"},      {"SET_EXACT_MAX", "10000000", "10000000"},
        {"SET_EXACT_MAX", "0", NULL},     {"SET_EXACT_MAX", "10000001", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        load_check_row(&rows[i]);
}
END_TEST

START_TEST(test_limits)
{
    static const char text[] = "MEMORY_LIMIT=3M\nMAX_METRICS=7\nMAX_NAME=100\nMAX_NODE=50\n"
                               "TIMER_MAX_SAMPLES=9\nSET_EXACT_MAX=11\n";
    struct loaded loaded;

    load_text(&loaded, text, NULL);
    ck_assert_int_eq(loaded.result, 0);
    const struct worker_opts *worker = &loaded.config.worker;
    ck_assert_uint_eq(worker->memory_limit, 3 << 20);
    ck_assert_uint_eq(worker->max_metrics, 7);
    ck_assert_uint_eq(worker->names.name_max, 100);
    ck_assert_uint_eq(worker->names.node_max, 50);
    ck_assert_uint_eq(worker->timer_max_samples, 9);
    ck_assert_uint_eq(worker->set_exact_max, 11);
    load_release(&loaded);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_values, test_limits};

    return load_run("keys_limit", tests, sizeof(tests) / sizeof(tests[0]));
}
