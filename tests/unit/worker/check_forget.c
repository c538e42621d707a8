/*
 * check_forget: when names may be deleted, and from where.
 */
#include "worker/forget.h"

#include "estrade.h"

static struct estrade estrade;

START_TEST(test_may)
{
    estrade_open(&estrade);
    hold_begin(&estrade.hold);
    ck_assert(forget_may(&estrade.hold));
    for (size_t i = 0; i < ESTRADE_SHARDS; i++) {
        bool *flushing = &estrade.plots[i].region->table.flushing;

        __atomic_store_n(flushing, true, __ATOMIC_RELEASE);
        ck_assert(!forget_may(&estrade.hold));
        __atomic_store_n(flushing, false, __ATOMIC_RELEASE);
    }
    ck_assert(forget_may(&estrade.hold));
    hold_end(&estrade.hold);
    estrade_close(&estrade);
}
END_TEST

START_TEST(test_from_every_shard)
{
    const struct name name = {.text = "a", .len = 1}, other = {.text = "b", .len = 1};
    struct view view;

    estrade_open(&estrade);
    for (size_t i = 0; i < ESTRADE_SHARDS; i++) {
        estrade_give(&estrade, i, METRIC_COUNTER, "a", 1);
        estrade_give(&estrade, i, METRIC_COUNTER, "b", 1);
    }
    hold_begin(&estrade.hold);
    ck_assert(view_find(&estrade.hold, METRIC_COUNTER, &name, &view));
    ck_assert_uint_eq(view.n, ESTRADE_SHARDS);
    forget(&view);
    ck_assert(!view_find(&estrade.hold, METRIC_COUNTER, &name, &view));
    ck_assert(view_find(&estrade.hold, METRIC_COUNTER, &other, &view));
    ck_assert_uint_eq(view.n, ESTRADE_SHARDS);
    hold_end(&estrade.hold);
    estrade_close(&estrade);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_may, test_from_every_shard};

    return estrade_run("forget", tests, sizeof(tests) / sizeof(tests[0]));
}
