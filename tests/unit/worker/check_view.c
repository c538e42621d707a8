/*
 * check_view: what shards have of a name, brought together.
 */
#include "worker/view.h"

#include "estrade.h"

static struct estrade estrade;

static struct view
find(enum metric_type type, const char *text)
{
    struct name name = {.text = text, .len = strlen(text)};
    struct view view;

    ck_assert(view_find(&estrade.hold, type, &name, &view));
    return view;
}

START_TEST(test_values)
{
    struct view view;
    struct view_timer timer;
    double samples[3];

    estrade_open(&estrade);
    estrade_give(&estrade, 0, METRIC_TIMER, "n", 5);
    estrade_give(&estrade, 1, METRIC_TIMER, "n", 1);
    estrade_give(&estrade, 1, METRIC_TIMER, "n", 9);
    estrade_give(&estrade, 0, METRIC_GAUGE, "n", 8);
    estrade_give(&estrade, 1, METRIC_GAUGE, "n", 3);
    hold_begin(&estrade.hold);
    view = find(METRIC_TIMER, "n");
    ck_assert_uint_eq(view.n, 2);
    view_timer(&view, &timer);
    ck_assert_uint_eq(timer.n, 3);
    ck_assert_double_eq(timer.sum, 15);
    ck_assert_double_eq(timer.lower, 1);
    ck_assert_double_eq(timer.upper, 9);
    ck_assert_uint_eq(view_samples(&view, samples, 2), 2);
    ck_assert_uint_eq(view_samples(&view, samples, 3), 3);
    ck_assert_double_eq(samples[0], 5);
    ck_assert_double_eq(samples[2], 9);
    view = find(METRIC_GAUGE, "n");
    ck_assert_double_eq(view_gauge(&view), 8);
    ck_assert_uint_eq(view_updated_ms(&view), 1008);
    hold_end(&estrade.hold);
    estrade_close(&estrade);
}
END_TEST

/* Its flush has not cleared the closed interval yet. */
START_TEST(test_gauge_of_the_closed_interval)
{
    struct view view;
    uint64_t rings;

    estrade_open(&estrade);
    estrade_give(&estrade, 0, METRIC_GAUGE, "g", 8);
    estrade_give(&estrade, 0, METRIC_COUNTER, "g", 8);
    shard_ask(&estrade.shards[0], SHARD_CLOSE);
    ck_assert_int_eq(read(estrade.done_fd, &rings, sizeof(rings)), sizeof(rings));
    hold_begin(&estrade.hold);
    view = find(METRIC_GAUGE, "g");
    ck_assert_double_eq(view_gauge(&view), 8);
    view = find(METRIC_COUNTER, "g");
    ck_assert_double_eq(view_sum(&view), 0);
    hold_end(&estrade.hold);
    estrade_close(&estrade);
}
END_TEST

static void
count(const struct view *view, void *context)
{
    unsigned *counts = context;

    counts[view->type]++;
}

START_TEST(test_types)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    unsigned counts[METRIC_TYPE_COUNT] = {0};
    struct view_walk walk = {0};

    estrade_open(&estrade);
    for (size_t i = 0; i < 16; i++)
        estrade_give(&estrade, i % 3 == 0, (enum metric_type)(i / 4), names[i % 4], 1);
    hold_begin(&estrade.hold);
    while (view_piece(&estrade.hold, &walk, view_type(METRIC_GAUGE) | view_type(METRIC_SET), count,
                      counts))
        continue;
    hold_end(&estrade.hold);
    ck_assert_uint_eq(counts[METRIC_COUNTER] + counts[METRIC_TIMER], 0);
    ck_assert_uint_eq(counts[METRIC_GAUGE], 4);
    ck_assert_uint_eq(counts[METRIC_SET], 4);
    estrade_close(&estrade);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_values, test_gauge_of_the_closed_interval, test_types};

    return estrade_run("view", tests, sizeof(tests) / sizeof(tests[0]));
}
