/*
 * check_selfstat: the names under which the worker speaks of itself, and what it leaves unsaid.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "worker/selfstat.h"

static void
fill(struct selfstat_list *list, const struct selfstat *stats, const struct table *table)
{
    selfstat_list_reset(list);
    selfstat_list_fill(list, stats, table);
}

static const struct selfstat_item *
find(const struct selfstat_list *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->items[i].name, name) == 0)
            return &list->items[i];
    }
    return NULL;
}

static void
assert_item(const struct selfstat_list *list, const char *name, double value)
{
    const struct selfstat_item *item = find(list, name);

    ck_assert_msg(item != NULL, "no %s", name);
    ck_assert_msg(item->value == value, "%s is %g", name, item->value);
}

START_TEST(test_list)
{
    struct selfstat_list list = {.n = 7};

    selfstat_list_reset(&list);
    ck_assert_uint_eq(list.n, 0);
    selfstat_list_add(&list, "numStats", NULL, 5);
    selfstat_list_add(&list, "bad", "no_value", UINT64_C(1) << 53);
    ck_assert_uint_eq(list.n, 2);
    ck_assert_str_eq(list.items[0].name, "numStats");
    ck_assert_double_eq(list.items[0].value, 5);
    ck_assert_str_eq(list.items[1].name, "bad.no_value");
    ck_assert_double_eq(list.items[1].value, 9007199254740992.0);
}
END_TEST

START_TEST(test_names_and_values)
{
    static const struct selfstat stats = {
        .packets = 1,
        .bytes = 2,
        .lines = 3,
        .applied = 4,
        .bad = {[PARSE_NO_VALUE] = 5, [PARSE_BAD_RATE] = 6},
        .refused = {[TABLE_METRICS] = 7, [TABLE_MEMORY] = 8},
        .truncated = 9,
        .udp_drops = 10,
        .overruns = 11,
        .flush_ms = 12,
        .n_restarts = 13,
    };
    static const struct table table = {.arena = {.used = 14}, .n_metrics = {15, 16, 17, 18}};
    static const struct {
        const char *name;
        double value;
    } rows[] = {
        {"packets_received", 1},
        {"bytes_received", 2},
        {"lines_received", 3},
        {"bad_lines_seen", 11},
        {"udp_drops", 10},
        {"truncated", 9},
        {"flush_ms", 12},
        {"flush_overruns", 11},
        {"memory_used", 14},
        {"restarts.worker", 13},
        {"metrics_active.counter", 15},
        {"metrics_active.gauge", 16},
        {"metrics_active.timer", 17},
        {"metrics_active.set", 18},
        {"bad.no_value", 5},
        {"bad.bad_rate", 6},
        {"refused.metrics", 7},
        {"refused.memory", 8},
    };
    struct selfstat_list list;

    fill(&list, &stats, &table);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_item(&list, rows[i].name, rows[i].value);
    ck_assert_uint_eq(list.n, sizeof(rows) / sizeof(rows[0]));
}
END_TEST

START_TEST(test_no_reasons_without_bad_lines)
{
    static const struct selfstat stats = {.lines = 3, .applied = 3};
    static const struct table table = {0};
    struct selfstat_list list;

    fill(&list, &stats, &table);
    assert_item(&list, "lines_received", 3);
    assert_item(&list, "bad_lines_seen", 0);
    for (size_t i = 0; i < list.n; i++) {
        ck_assert_msg(strncmp(list.items[i].name, "bad.", 4) != 0, "%s", list.items[i].name);
        ck_assert_msg(strncmp(list.items[i].name, "refused", 7) != 0, "%s", list.items[i].name);
    }
}
END_TEST

START_TEST(test_everything_at_once_has_room)
{
    struct selfstat stats;
    static const struct table table = {0};
    struct selfstat_list list;

    memset(&stats, 1, sizeof(stats));
    selfstat_list_reset(&list);
    selfstat_list_add(&list, "numStats", NULL, 0);
    selfstat_list_fill(&list, &stats, &table);
    for (size_t i = 0; i < list.n; i++) {
        size_t len = strlen(list.items[i].name);

        ck_assert_uint_gt(len, 0);
        ck_assert_uint_lt(len, sizeof(list.items[i].name) - 1); /* so nothing was cut */
        ck_assert_ptr_eq(find(&list, list.items[i].name), &list.items[i]);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("selfstat");
    TCase *tcase = tcase_create("selfstat");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_list);
    tcase_add_test(tcase, test_names_and_values);
    tcase_add_test(tcase, test_no_reasons_without_bad_lines);
    tcase_add_test(tcase, test_everything_at_once_has_room);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
