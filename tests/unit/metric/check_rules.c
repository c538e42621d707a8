/*
 * check_rules: every cell of what an idle metric may be, by table, and what no setting changes.
 */
#include "metric/rules.h"

#include <check.h>
#include <stdlib.h>

#define END_MS 100000

#define C METRIC_COUNTER
#define G METRIC_GAUGE
#define T METRIC_TIMER
#define S METRIC_SET

/* One type's rules, and one metric under them; of the last sample its age at the interval's end. */
static const struct {
    const char *what;
    enum metric_type type;
    bool idle_zero, omit_gauges;
    uint32_t ttl;
    uint64_t expire_ms;
    bool touched, touched_since, gauge_known;
    uint32_t n_idle;
    int64_t age_ms;
    enum rules_verdict verdict;
} rows[] = {
    /* With samples nothing else counts. */
    {"counter", C, 0, 0, 1, 0, 1, 0, 0, 0, 10, RULES_SEND},
    {"gauge", G, 0, 0, 1, 0, 1, 0, 0, 0, 10, RULES_SEND},
    {"gauge to omit", G, 0, 1, 1, 0, 1, 0, 1, 9, 10, RULES_SEND},
    {"timer", T, 1, 0, 1, 0, 1, 1, 0, 0, 10, RULES_SEND},
    {"set after long idleness", S, 0, 0, 1, 0, 1, 0, 0, 99, 10, RULES_SEND},
    {"counter, expired", C, 0, 0, 1, 5, 1, 0, 0, 0, 6, RULES_SEND},
    {"gauge, expired", G, 0, 1, 1, 5, 1, 0, 1, 0, 6, RULES_SEND},
    /* omit. */
    {"idle counter", C, 0, 0, 1, 0, 0, 0, 0, 0, 10, RULES_SKIP},
    {"idle timer", T, 0, 0, 1, 0, 0, 0, 0, 0, 10, RULES_SKIP},
    {"idle set", S, 0, 0, 1, 0, 0, 0, 0, 0, 10, RULES_SKIP},
    {"counter, last idle flush", C, 0, 0, 1, 0, 0, 0, 0, RULES_IDLE_MAX - 2, 10, RULES_SKIP},
    {"counter, idle for too long", C, 0, 0, 1, 0, 0, 0, 0, RULES_IDLE_MAX - 1, 10, RULES_FORGET},
    {"timer, idle for too long", T, 0, 0, 1, 0, 0, 0, 0, RULES_IDLE_MAX - 1, 10, RULES_FORGET},
    {"set, idle for far too long", S, 0, 0, 1, 0, 0, 0, 0, UINT32_MAX, 10, RULES_FORGET},
    {"set that came back", S, 0, 0, 1, 0, 0, 1, 0, RULES_IDLE_MAX - 1, 10, RULES_SKIP},
    {"timer that came back", T, 0, 0, 1, 0, 0, 1, 0, UINT32_MAX, 10, RULES_SKIP},
    {"counter, expired while idle", C, 0, 0, 1, 5, 0, 0, 0, 0, 6, RULES_FORGET},
    {"counter, nearly expired", C, 0, 0, 1, 5, 0, 0, 0, 0, 5, RULES_SKIP},
    /* zero. */
    {"zeros of a counter", C, 1, 0, 1, 0, 0, 0, 0, 0, 10, RULES_SEND_IDLE},
    {"zeros of a timer", T, 1, 0, 1, 0, 0, 0, 0, 0, 10, RULES_SEND_IDLE},
    {"zeros of a set", S, 1, 0, 1, 0, 0, 0, 0, 0, 10, RULES_SEND_IDLE},
    {"zeros of a counter for ever", C, 1, 0, 1, 0, 0, 0, 0, UINT32_MAX, 10, RULES_SEND_IDLE},
    {"zeros of a timer for ever", T, 1, 0, 1, 0, 0, 0, 0, RULES_IDLE_MAX, 10, RULES_SEND_IDLE},
    {"zeros of a set for ever", S, 1, 0, 1, 0, 0, 0, 0, RULES_IDLE_MAX, 10, RULES_SEND_IDLE},
    {"zeros of a counter that came back", C, 1, 0, 1, 0, 0, 1, 0, 9, -1, RULES_SEND_IDLE},
    {"zeros of a counter, expired", C, 1, 0, 1, 5, 0, 0, 0, 0, 6, RULES_FORGET},
    {"zeros of a timer, expired", T, 1, 0, 1, 5, 0, 0, 0, 0, 6, RULES_FORGET},
    {"zeros of a set, expired", S, 1, 0, 1, 5, 0, 0, 0, 0, 6, RULES_FORGET},
    {"zeros of a set, nearly expired", S, 1, 0, 1, 5, 0, 0, 0, 0, 5, RULES_SEND_IDLE},
    {"expired, but with a sample since", C, 1, 0, 1, 5, 0, 1, 0, 0, 6, RULES_SKIP},
    /* last. */
    {"idle gauge", G, 0, 0, 1, 0, 0, 0, 1, 0, 10, RULES_SEND_IDLE},
    {"idle gauge for ever", G, 0, 0, 1, 0, 0, 0, 1, UINT32_MAX, END_MS - 1, RULES_SEND_IDLE},
    {"gauge that came back", G, 0, 0, 1, 0, 0, 1, 1, 3, -1, RULES_SEND_IDLE},
    {"new gauge", G, 0, 0, 1, 0, 0, 1, 0, 0, -1, RULES_SKIP},
    {"gauge without a value", G, 0, 0, 1, 0, 0, 0, 0, 99, 10, RULES_SKIP},
    {"idle gauge, zeros or not", G, 1, 0, 1, 0, 0, 0, 1, 99, 10, RULES_SEND_IDLE},
    {"gauge without a value, zeros or not", G, 1, 0, 1, 0, 0, 0, 0, 0, 10, RULES_SKIP},
    {"idle gauge, expired", G, 0, 0, 1, 5, 0, 0, 1, 0, 6, RULES_FORGET},
    {"idle gauge, nearly expired", G, 0, 0, 1, 5, 0, 0, 1, 0, 5, RULES_SEND_IDLE},
    {"idle gauge, expired, sample since", G, 0, 0, 1, 5, 0, 1, 1, 0, 6, RULES_SKIP},
    {"gauge without a value, expired", G, 0, 0, 1, 5, 0, 0, 0, 0, 6, RULES_FORGET},
    {"gauge from the future", G, 0, 0, 1, 5, 0, 0, 1, 0, -END_MS, RULES_SEND_IDLE},
    {"gauge, time to live not in use", G, 0, 0, 1, 0, 0, 0, 1, 1, 10, RULES_SEND_IDLE},
    {"gauge that was deleted", G, 0, 0, 1, 0, 0, 0, 0, 0, END_MS, RULES_FORGET},
    {"counter that was deleted", C, 1, 0, 1, 0, 0, 0, 0, 0, END_MS, RULES_FORGET},
    {"deleted, and back since", C, 1, 0, 1, 0, 0, 1, 0, 0, -1, RULES_SEND_IDLE},
    /* Gauges to omit. */
    {"TTL 1", G, 0, 1, 1, 0, 0, 0, 1, 0, 10, RULES_FORGET},
    {"TTL 1, long idle", G, 0, 1, 1, 0, 0, 0, 1, UINT32_MAX, 10, RULES_FORGET},
    {"TTL 1, sample since", G, 0, 1, 1, 0, 0, 1, 1, 0, -1, RULES_SKIP},
    {"TTL 1, new gauge", G, 0, 1, 1, 0, 0, 1, 0, 0, -1, RULES_SKIP},
    {"TTL 2, second flush", G, 0, 1, 2, 0, 0, 0, 1, 0, 10, RULES_SEND_IDLE},
    {"TTL 2, third flush", G, 0, 1, 2, 0, 0, 0, 1, 1, 10, RULES_FORGET},
    {"TTL 2, third flush, sample since", G, 0, 1, 2, 0, 0, 1, 1, 1, -1, RULES_SKIP},
    {"TTL 2, second flush, sample since", G, 0, 1, 2, 0, 0, 1, 1, 0, -1, RULES_SEND_IDLE},
    {"TTL 2, expired first", G, 0, 1, 2, 5, 0, 0, 1, 0, 6, RULES_FORGET},
    {"TTL 2, no value", G, 0, 1, 2, 0, 0, 0, 0, 0, 10, RULES_SKIP},
    {"TTL 300, its last flush", G, 0, 1, 300, 0, 0, 0, 1, 298, 10, RULES_SEND_IDLE},
    {"TTL 300, one more", G, 0, 1, 300, 0, 0, 0, 1, 299, 10, RULES_FORGET},
    {"largest TTL", G, 0, 1, UINT32_MAX, 0, 0, 0, 1, UINT32_MAX - 2, 10, RULES_SEND_IDLE},
    {"gauges to omit do not touch others", C, 0, 1, 1, 0, 0, 0, 0, 3, 10, RULES_SKIP},
    /* No sum may overflow. */
    {"longest expiry", G, 0, 0, 1, UINT64_MAX, 0, 0, 1, 0, END_MS - 1, RULES_SEND_IDLE},
    {"longest expiry, zeros", C, 1, 0, 1, UINT64_MAX, 0, 0, 0, 0, 10, RULES_SEND_IDLE},
};

START_TEST(test_row)
{
    struct rules rules = {.omit_idle_gauges = rows[_i].omit_gauges, .gauges_max_ttl = rows[_i].ttl};
    struct rules_case c = {
        .type = rows[_i].type,
        .touched = rows[_i].touched,
        .touched_since = rows[_i].touched_since,
        .gauge_known = rows[_i].gauge_known,
        .n_idle = rows[_i].n_idle,
        .updated_ms = (uint64_t)(END_MS - rows[_i].age_ms),
        .end_ms = END_MS,
    };

    /* The other types' rules say the contrary. */
    for (int type = 0; type < METRIC_TYPE_COUNT; type++) {
        bool is_own = type == (int)rows[_i].type;
        rules.idle_zero[type] = rows[_i].idle_zero == is_own;
        rules.expire_ms[type] = is_own ? rows[_i].expire_ms : rows[_i].expire_ms == 0;
    }
    enum rules_verdict verdict = rules_judge(&rules, &c);
    ck_assert_msg(verdict == rows[_i].verdict, "%s: %d", rows[_i].what, (int)verdict);
}
END_TEST

/* Whatever the rules are: what has samples is sent, what will have is kept. */
START_TEST(test_no_sample_is_lost)
{
    for (unsigned bits = 0; bits < 1u << 9; bits++) {
        struct rules rules = {.omit_idle_gauges = bits & 1, .gauges_max_ttl = 1 + (bits >> 1 & 1)};
        struct rules_case c = {
            .type = bits >> 2 & 3,
            .touched = bits >> 4 & 1,
            .touched_since = !(bits >> 4 & 1),
            .gauge_known = bits >> 5 & 1,
            .n_idle = (bits >> 6 & 1) * RULES_IDLE_MAX,
            .updated_ms = 1,
            .end_ms = END_MS,
        };
        rules.idle_zero[c.type] = bits >> 7 & 1;
        rules.expire_ms[c.type] = bits >> 8 & 1;

        enum rules_verdict verdict = rules_judge(&rules, &c);
        if (c.touched)
            ck_assert_int_eq(verdict, RULES_SEND);
        else
            ck_assert_int_ne(verdict, RULES_FORGET);
    }
}
END_TEST

/* How often a gauge is sent from its update to its end. */
START_TEST(test_ttl_is_how_often)
{
    for (uint32_t ttl = 1; ttl <= 20; ttl++) {
        struct rules rules = {.omit_idle_gauges = true, .gauges_max_ttl = ttl};
        struct rules_case c = {.type = G,
                               .touched = true,
                               .gauge_known = true,
                               .updated_ms = END_MS,
                               .end_ms = END_MS};
        uint32_t n_sent = 0;

        while (rules_judge(&rules, &c) != RULES_FORGET) {
            ck_assert_uint_le(++n_sent, ttl);
            c.n_idle += !c.touched;
            c.touched = false;
        }
        ck_assert_uint_eq(n_sent, ttl);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("rules");
    TCase *tcase = tcase_create("rules");

    tcase_add_loop_test(tcase, test_row, 0, (int)(sizeof(rows) / sizeof(rows[0])));
    tcase_add_test(tcase, test_no_sample_is_lost);
    tcase_add_test(tcase, test_ttl_is_how_often);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
