/*
 * check_keys_idle: each setting of idle metrics, with a good and a bad value, and where it ends up.
 */
#include "load.h"

START_TEST(test_values)
{
    static const struct load_row rows[] = {
        {"IDLE_COUNTERS", "omit", "omit"},
        {"IDLE_COUNTERS", "zero", "zero"},
        {"IDLE_COUNTERS", "last", NULL},
        {"IDLE_TIMERS", "omit", "omit"},
        {"IDLE_TIMERS", "zero", "zero"},
        {"IDLE_TIMERS", "last", NULL},
        {"IDLE_SETS", "omit", "omit"},
        {"IDLE_SETS", "zero", "zero"},
        {"IDLE_SETS", "last", NULL},
        {"IDLE_GAUGES", "last", "last"},
        {"IDLE_GAUGES", "omit", "omit"},
        {"IDLE_GAUGES", "zero", NULL},
        {"GAUGES_MAX_TTL", "1", "1"},
        {"GAUGES_MAX_TTL", "65535", "65535"},
        {"GAUGES_MAX_TTL", "0", NULL},
        {"GAUGES_MAX_TTL", "65536", NULL},
        {"EXPIRE", "2m", "120"},
        {"EXPIRE", "-1", NULL},
        {"EXPIRE_GAUGES", "1500ms", "1500ms"},
        {"EXPIRE_GAUGES", "3650d", "315360000"},
        {"EXPIRE_GAUGES", "3651d", NULL},
        {"EXPIRE_COUNTERS", "1500ms", "1500ms"},
        {"EXPIRE_COUNTERS", "3650d", "315360000"},
        {"EXPIRE_COUNTERS", "3651d", NULL},
        {"EXPIRE_TIMERS", "1500ms", "1500ms"},
        {"EXPIRE_TIMERS", "3650d", "315360000"},
        {"EXPIRE_TIMERS", "3651d", NULL},
        {"EXPIRE_SETS", "1500ms", "1500ms"},
        {"EXPIRE_SETS", "3650d", "315360000"},
        {"EXPIRE_SETS", "3651d", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        load_check_row(&rows[i]);
}
END_TEST

static struct rules
rules_of(const char *text)
{
    struct loaded loaded;

    load_text(&loaded, text, NULL);
    ck_assert_int_eq(loaded.result, 0);
    struct rules rules = loaded.config.worker.rules;
    load_release(&loaded);
    return rules;
}

START_TEST(test_defaults)
{
    struct rules rules = rules_of("");

    for (int type = 0; type < METRIC_TYPE_COUNT; type++) {
        ck_assert_uint_eq(rules.expire_ms[type], 0);
        ck_assert(!rules.idle_zero[type]);
    }
    ck_assert(!rules.omit_idle_gauges);
    ck_assert_uint_eq(rules.gauges_max_ttl, 1);
}
END_TEST

/* Each key means its own type and no other. */
START_TEST(test_idle)
{
    static const struct {
        const char *text;
        bool is_zero[METRIC_TYPE_COUNT];
    } rows[] = {
        {"IDLE_COUNTERS=zero\n", {[METRIC_COUNTER] = true}},
        {"IDLE_TIMERS=zero\n", {[METRIC_TIMER] = true}},
        {"IDLE_SETS=zero\n", {[METRIC_SET] = true}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rules rules = rules_of(rows[i].text);

        for (int type = 0; type < METRIC_TYPE_COUNT; type++)
            ck_assert_int_eq(rules.idle_zero[type], rows[i].is_zero[type]);
        ck_assert(!rules.omit_idle_gauges);
    }
}
END_TEST

START_TEST(test_idle_gauges)
{
    struct rules rules = rules_of("IDLE_GAUGES=omit\nGAUGES_MAX_TTL=4\n");

    ck_assert(rules.omit_idle_gauges);
    ck_assert_uint_eq(rules.gauges_max_ttl, 4);
}
END_TEST

/* EXPIRE is what the types' own keys are by default, wherever it stands. */
START_TEST(test_expire)
{
    static const struct {
        const char *text;
        uint64_t expire_ms[METRIC_TYPE_COUNT];
    } rows[] = {
        {"EXPIRE=5\n",
         {[METRIC_COUNTER] = 5000,
          [METRIC_GAUGE] = 5000,
          [METRIC_TIMER] = 5000,
          [METRIC_SET] = 5000}},
        {"EXPIRE_GAUGES=1\nEXPIRE=5\nEXPIRE_SETS=0\n",
         {[METRIC_COUNTER] = 5000, [METRIC_GAUGE] = 1000, [METRIC_TIMER] = 5000, [METRIC_SET] = 0}},
        {"EXPIRE_GAUGES=1\n", {[METRIC_GAUGE] = 1000}},
        {"EXPIRE_COUNTERS=2\n", {[METRIC_COUNTER] = 2000}},
        {"EXPIRE_TIMERS=3\n", {[METRIC_TIMER] = 3000}},
        {"EXPIRE_SETS=4ms\n", {[METRIC_SET] = 4}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rules rules = rules_of(rows[i].text);

        for (int type = 0; type < METRIC_TYPE_COUNT; type++)
            ck_assert_uint_eq(rules.expire_ms[type], rows[i].expire_ms[type]);
    }
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_values, test_defaults, test_idle, test_idle_gauges,
                                  test_expire};

    return load_run("keys_idle", tests, sizeof(tests) / sizeof(tests[0]));
}
