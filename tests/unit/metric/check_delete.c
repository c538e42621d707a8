/*
 * check_delete: that what is deleted is sent no more, whatever idle metrics do, and that its memory
 * is there for others. What a process leaves that dies within is in check_killed.
 */
#include "metric/delete.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "metric/flush.h"

static struct rig {
    struct table table;
    struct filter filter;
    struct dialect dialect;
    struct rules rules;
    struct flush flush;
    uint64_t now_ms;
} rig;

static void
set_up(void)
{
    struct table_opts opts = {
        .max_metrics = 100,
        .timer_max_samples = 1000,
        .set_exact_max = 1000,
        .filter = &rig.filter,
        .key = {5, 6},
        .arena = {.size = 4 << 20},
    };

    memset(&rig, 0, sizeof(rig));
    rig.now_ms = 1000;
    dialect_init(&rig.dialect);
    for (int type = 0; type < METRIC_TYPE_COUNT; type++)
        rig.rules.idle_zero[type] = true;
    ck_assert_int_eq(table_init(&rig.table, &opts, 0), 0);
    struct flush_opts flush = {.tables = {&rig.table},
                               .n_tables = 1,
                               .dialect = &rig.dialect,
                               .rules = &rig.rules,
                               .max_samples = 1000};
    ck_assert_int_eq(flush_init(&rig.flush, &flush), 0);
}

static void
tear_down(void)
{
    flush_release(&rig.flush);
    table_release(&rig.table);
}

static struct metric *
find(enum metric_type type)
{
    struct name name = {.text = "n", .len = 1};

    return table_find(&rig.table, type, &name, table_hash(&rig.table, type, &name));
}

static void
apply(enum metric_type type, unsigned n)
{
    struct name name = {.text = "n", .len = 1};

    for (unsigned i = 0; i < n; i++) {
        struct sample sample = {.type = type,
                                .value = i,
                                .rate = 1,
                                .member = (const char *)&i,
                                .member_len = sizeof(i)};

        ck_assert_int_eq(table_apply(&rig.table, &sample, &name,
                                     table_hash(&rig.table, type, &name), rig.now_ms),
                         TABLE_APPLIED);
    }
}

/* Returns how many names the flush of the interval has sent. */
static uint64_t
flush(void)
{
    struct interval interval = {.end_ms = rig.now_ms += 1000, .span_ms = 1000};
    struct record record;
    uint64_t n;

    table_close(&rig.table);
    flush_begin(&rig.flush, &interval);
    while (flush_peek(&rig.flush, &record))
        flush_advance(&rig.flush);
    n = rig.flush.n_records;
    flush_begin_clear(&rig.flush);
    while (flush_clear(&rig.flush, 10))
        continue;
    return n;
}

START_TEST(test_sent_no_more)
{
    enum metric_type type = (enum metric_type)_i;

    set_up();
    apply(type, 3);
    ck_assert_uint_eq(flush(), 1);
    ck_assert_uint_eq(flush(), 1);
    apply(type, 3);
    delete_metric(&rig.table, find(type));
    ck_assert(delete_is_hidden(find(type)));
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(flush(), 0);
    tear_down();
}
END_TEST

START_TEST(test_comes_anew)
{
    enum metric_type type = (enum metric_type)_i;

    set_up();
    apply(type, 3);
    ck_assert_uint_eq(flush(), 1);
    delete_metric(&rig.table, find(type));
    ck_assert_uint_eq(flush(), 0);
    apply(type, 2);
    ck_assert(!delete_is_hidden(find(type)));
    ck_assert_uint_eq(flush(), 1);
    ck_assert_uint_eq(flush(), 1);
    delete_metric(&rig.table, find(type));
    apply(type, 1);
    ck_assert_uint_eq(flush(), 1);
    tear_down();
}
END_TEST

/* Samples that came before are not among those that come behind. */
START_TEST(test_begins_at_nothing)
{
    set_up();
    apply(METRIC_COUNTER, 10);
    delete_metric(&rig.table, find(METRIC_COUNTER));
    apply(METRIC_COUNTER, 2);
    const struct counter *counter = metric_state(find(METRIC_COUNTER), table_open(&rig.table));
    ck_assert_double_eq(sum_value(&counter->sum), 1);
    tear_down();
}
END_TEST

START_TEST(test_memory_comes_back)
{
    enum metric_type type = (enum metric_type)_i;
    size_t used;

    set_up();
    apply(type, 1);
    delete_metric(&rig.table, find(type));
    used = rig.table.arena.used;
    for (int i = 0; i < 50; i++) {
        apply(type, 900);
        delete_metric(&rig.table, find(type));
        ck_assert_uint_eq(rig.table.arena.used, used);
    }
    /* The newest is where new ones are put behind, and stays. */
    apply((type + 1) % METRIC_TYPE_COUNT, 1);
    for (int i = 0; i < 3; i++)
        (void)flush();
    ck_assert_ptr_null(find(type));
    tear_down();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("delete");
    TCase *tcase = tcase_create("delete");
    SRunner *runner;
    int n_failed;

    tcase_add_loop_test(tcase, test_sent_no_more, 0, METRIC_TYPE_COUNT);
    tcase_add_loop_test(tcase, test_comes_anew, 0, METRIC_TYPE_COUNT);
    tcase_add_test(tcase, test_begins_at_nothing);
    tcase_add_loop_test(tcase, test_memory_comes_back, 0, METRIC_TYPE_COUNT);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
