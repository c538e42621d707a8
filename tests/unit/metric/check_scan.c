/*
 * check_scan: a walk that pauses while names come and go. Names are numbers here.
 */
#include "metric/scan.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_NAMES = 20000 };

static struct rig {
    struct table table;
    struct filter filter;
    unsigned n_seen[N_NAMES];
} rig;

static void
apply(unsigned number)
{
    struct sample sample = {.type = METRIC_COUNTER, .value = 1, .rate = 1};
    char text[16];
    struct name name = {.text = text, .len = (size_t)snprintf(text, sizeof(text), "%u", number)};
    uint32_t hash = table_hash(&rig.table, METRIC_COUNTER, &name);

    ck_assert_int_eq(table_apply(&rig.table, &sample, &name, hash, 1), TABLE_APPLIED);
}

static void
set_up(unsigned from, unsigned to)
{
    struct table_opts opts = {
        .max_metrics = N_NAMES,
        .filter = &rig.filter,
        .key = {3, 4},
        .arena = {.size = 64 << 20},
    };

    memset(&rig, 0, sizeof(rig));
    ck_assert_int_eq(table_init(&rig.table, &opts, 0), 0);
    for (unsigned i = from; i < to; i++)
        apply(i);
}

static void
see(struct metric *metric, void *context)
{
    char text[16] = "";

    ck_assert_ptr_null(context);
    memcpy(text, metric_name(metric), metric->name_len);
    rig.n_seen[atoi(text)]++;
}

static void
walk(struct scan *scan, unsigned n)
{
    while (n-- > 0 && scan_step(scan, &rig.table, see, NULL))
        continue;
}

START_TEST(test_nothing)
{
    struct scan scan = {0};

    set_up(0, 0);
    walk(&scan, UINT32_MAX);
    ck_assert(scan.has_ended);
    ck_assert(!scan_step(&scan, &rig.table, see, NULL));
    table_release(&rig.table);
}
END_TEST

START_TEST(test_all_once)
{
    struct scan scan = {0};

    set_up(0, N_NAMES);
    walk(&scan, UINT32_MAX);
    for (unsigned i = 0; i < N_NAMES; i++)
        ck_assert_uint_eq(rig.n_seen[i], 1);
    table_release(&rig.table);
}
END_TEST

/* The index grows several times on the way. Who came late may be seen, but not twice. */
START_TEST(test_while_the_table_grows)
{
    struct scan scan = {0};
    unsigned n_before = 500, n = n_before;

    set_up(0, n_before);
    while (!scan.has_ended) {
        walk(&scan, 37);
        for (unsigned i = 0; i < 100 && n < N_NAMES; i++)
            apply(n++);
    }
    ck_assert_uint_gt(rig.table.index.log2_n, 12);
    for (unsigned i = 0; i < N_NAMES; i++) {
        if (i < n_before)
            ck_assert_uint_eq(rig.n_seen[i], 1);
        else
            ck_assert_uint_le(rig.n_seen[i], 1);
    }
    table_release(&rig.table);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("scan");
    TCase *tcase = tcase_create("scan");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_nothing);
    tcase_add_test(tcase, test_all_once);
    tcase_add_test(tcase, test_while_the_table_grows);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
