/*
 * check_health: each thing that can be wrong with a daemon, at its edge.
 */
#include "worker/health.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define NOW UINT64_C(1700000000000)

static const struct health_facts good = {
    .now_ms = NOW,
    .started_ms = NOW - 3600000,
    .interval_ms = 10000,
    .worker_told_ms = NOW - 200,
    .sender_told_ms = NOW - 400,
    .last_success_ms = NOW - 9000,
    .n_waiting = 5,
    .queue_bytes = 500,
    .queue_limit = 1000,
    .spool_limit = 1000,
    .n_dropped = 7,
};

#define AT(member) offsetof(struct health_facts, member)

static const struct {
    size_t member;
    uint64_t value;
    enum health_state state;
    const char *problem; /* NULL: none */
} rows[] = {
    {AT(worker_told_ms), NOW - 5000, HEALTH_OK, NULL},
    {AT(worker_told_ms), NOW - 5001, HEALTH_CRITICAL, "the worker has made no progress for 5 s"},
    {AT(worker_told_ms), 0, HEALTH_CRITICAL, "the worker has made no progress for 3600 s"},
    {AT(sender_told_ms), NOW - 9999, HEALTH_CRITICAL, "the sender has made no progress for 9 s"},
    {AT(sender_told_ms), NOW + 9999, HEALTH_OK, NULL},
    {AT(last_success_ms), NOW - 30000, HEALTH_OK, NULL},
    {AT(last_success_ms), NOW - 30001, HEALTH_CRITICAL,
     "nothing was delivered for 30 s, 5 lines wait"},
    {AT(last_success_ms), 0, HEALTH_CRITICAL, "nothing was delivered for 3600 s, 5 lines wait"},
    {AT(queue_bytes), 501, HEALTH_WARNING, "the queue is at 50 % of its limit"},
    {AT(queue_bytes), 1000, HEALTH_WARNING, "the queue is at 100 % of its limit"},
    {AT(spool_bytes), 500, HEALTH_OK, NULL},
    {AT(spool_bytes), 900, HEALTH_WARNING, "the spool is at 90 % of its limit"},
    {AT(last_drop_ms), NOW - 300000, HEALTH_OK, NULL},
    {AT(last_drop_ms), NOW - 299000, HEALTH_WARNING,
     "lines that carbon had not taken were dropped 299 s ago, 7 in all"},
    {AT(udp_drops), 3, HEALTH_WARNING, "the kernel dropped 3 datagrams in the last interval"},
    {AT(refused), 1, HEALTH_WARNING, "1 lines were refused in the last interval"},
    {AT(worker_restarted_ms), NOW - 300000, HEALTH_OK, NULL},
    {AT(worker_restarted_ms), NOW - 299000, HEALTH_WARNING, "the worker was restarted 299 s ago"},
    {AT(sender_restarted_ms), NOW, HEALTH_WARNING, "the sender was restarted 0 s ago"},
};

START_TEST(test_row)
{
    struct health_facts facts = good;
    struct health health;

    memcpy((char *)&facts + rows[_i].member, &rows[_i].value, sizeof(rows[_i].value));
    health_judge(&facts, &health);
    ck_assert_int_eq(health.state, rows[_i].state);
    ck_assert_uint_eq(health.n, rows[_i].problem != NULL);
    if (rows[_i].problem != NULL)
        ck_assert_str_eq(health.problems[0], rows[_i].problem);
}
END_TEST

START_TEST(test_nothing_to_send)
{
    struct health_facts facts = good;
    struct health health;

    facts.n_waiting = 0;
    facts.last_success_ms = 0;
    health_judge(&facts, &health);
    ck_assert_int_eq(health.state, HEALTH_OK);
}
END_TEST

/* All at once, the worst of it counts. */
START_TEST(test_everything)
{
    struct health_facts facts = {.now_ms = NOW,
                                 .started_ms = 1,
                                 .worker_restarted_ms = NOW,
                                 .sender_restarted_ms = NOW,
                                 .n_waiting = 1,
                                 .queue_bytes = 1,
                                 .spool_bytes = 1,
                                 .last_drop_ms = NOW,
                                 .udp_drops = 1,
                                 .refused = 1};
    struct health health;

    health_judge(&facts, &health);
    ck_assert_uint_eq(health.n, HEALTH_PROBLEMS_MAX);
    ck_assert_str_eq(health_state_name(health.state), "critical");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("health");
    TCase *tcase = tcase_create("health");
    SRunner *runner;
    int n_failed;

    tcase_add_loop_test(tcase, test_row, 0, sizeof(rows) / sizeof(rows[0]));
    tcase_add_test(tcase, test_nothing_to_send);
    tcase_add_test(tcase, test_everything);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
