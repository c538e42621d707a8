/*
 * check_selfstat: the names under which the worker speaks of itself, and what it leaves unsaid.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/selfstat.h"

static void
fill(struct selfstat_list *list, const struct selfstat *stats)
{
    selfstat_list_reset(list);
    selfstat_list_fill(list, stats);
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
        .bad = {[PARSE_NO_VALUE] = 5, [PARSE_BAD_RATE] = 6},
        .verdicts = {[TABLE_APPLIED] = 4,
                     [TABLE_FILTERED] = 11,
                     [TABLE_METRICS] = 7,
                     [TABLE_MEMORY] = 8,
                     [TABLE_OVERFLOW] = 12},
        .truncated = 9,
        .udp_drops = 10,
        .memory_used = 14,
        .quarantined = 15,
        .resets = 16,
    };
    static const struct {
        const char *name;
        double value;
    } rows[] = {
        {"packets_received", 1}, {"bytes_received", 2},    {"lines_received", 3},
        {"lines_applied", 4},    {"bad_lines_seen", 11},   {"udp_drops", 10},
        {"truncated", 9},        {"filtered", 11},         {"memory_used", 14},
        {"bad.no_value", 5},     {"bad.bad_rate", 6},      {"refused.metrics", 7},
        {"refused.memory", 8},   {"refused.overflow", 12}, {"quarantined", 15},
        {"resets", 16},
    };
    struct selfstat_list list;

    fill(&list, &stats);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_item(&list, rows[i].name, rows[i].value);
    ck_assert_uint_eq(list.n, sizeof(rows) / sizeof(rows[0]));
}
END_TEST

START_TEST(test_add)
{
    enum { N = sizeof(struct selfstat) / sizeof(uint64_t) };
    union {
        struct selfstat stats;
        uint64_t counts[N];
    } whole, part;

    for (size_t i = 0; i < N; i++) {
        whole.counts[i] = i;
        part.counts[i] = UINT64_C(1000) * (i + 1);
    }
    selfstat_add(&whole.stats, &part.stats);
    for (size_t i = 0; i < N; i++) {
        ck_assert_uint_eq(whole.counts[i], i + 1000 * (i + 1));
        ck_assert_uint_eq(part.counts[i], 1000 * (i + 1));
    }
}
END_TEST

/* No one bit turns over unseen. */
START_TEST(test_check)
{
    union {
        struct selfstat stats;
        uint8_t bytes[sizeof(struct selfstat)];
    } it = {0};

    ck_assert_uint_eq(selfstat_check(&it.stats), 0);
    for (int filler = 0; filler < 3; filler++) {
        uint32_t check;

        for (size_t i = 0; i < sizeof(it); i++)
            it.bytes[i] = (uint8_t)(i * 31 * (unsigned)filler);
        check = selfstat_check(&it.stats);
        for (size_t bit = 0; bit < 8 * sizeof(it); bit++) {
            it.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            ck_assert_uint_ne(selfstat_check(&it.stats), check);
            it.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        ck_assert_uint_eq(selfstat_check(&it.stats), check);
    }
}
END_TEST

START_TEST(test_sums)
{
    static const struct selfstat stats = {
        .bad = {[PARSE_NO_VALUE] = 1, [PARSE_BAD_FIELD] = 2},
        .verdicts = {[TABLE_APPLIED] = 4,
                     [TABLE_FILTERED] = 8,
                     [TABLE_METRICS] = 16,
                     [TABLE_MEMORY] = 32,
                     [TABLE_OVERFLOW] = 64},
    };

    ck_assert_uint_eq(selfstat_bad(&stats), 3);
    ck_assert_uint_eq(selfstat_refused(&stats), 16 + 32 + 64);
}
END_TEST

START_TEST(test_no_reasons_without_bad_lines)
{
    static const struct selfstat stats = {.lines = 3,
                                          .verdicts = {[TABLE_APPLIED] = 2, [TABLE_FILTERED] = 1}};
    struct selfstat_list list;

    fill(&list, &stats);
    assert_item(&list, "lines_received", 3);
    assert_item(&list, "bad_lines_seen", 0);
    assert_item(&list, "filtered", 1);
    for (size_t i = 0; i < list.n; i++) {
        ck_assert_msg(strncmp(list.items[i].name, "bad.", 4) != 0, "%s", list.items[i].name);
        ck_assert_msg(strncmp(list.items[i].name, "refused", 7) != 0, "%s", list.items[i].name);
        ck_assert_str_ne(list.items[i].name, "quarantined");
        ck_assert_str_ne(list.items[i].name, "resets");
    }
}
END_TEST

START_TEST(test_everything_at_once_has_room)
{
    struct selfstat stats;
    struct selfstat_list list;

    memset(&stats, 1, sizeof(stats));
    selfstat_list_reset(&list);
    for (unsigned i = 0; i < 8; i++) { /* what else a flush says of itself */
        char name[16];

        snprintf(name, sizeof(name), "other%u", i);
        selfstat_list_add(&list, name, NULL, i);
    }
    selfstat_list_fill(&list, &stats);
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
    tcase_add_test(tcase, test_add);
    tcase_add_test(tcase, test_check);
    tcase_add_test(tcase, test_sums);
    tcase_add_test(tcase, test_no_reasons_without_bad_lines);
    tcase_add_test(tcase, test_everything_at_once_has_room);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
