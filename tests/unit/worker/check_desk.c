/*
 * check_desk: what the main thread and the one that answers tell each other.
 */
#include "worker/desk.h"

#include "estrade.h"

static struct estrade estrade;

START_TEST(test_facts)
{
    struct desk_facts facts = {.flush_ms = 5, .n_overruns = 6}, found;

    estrade_open(&estrade);
    desk_ask(&estrade.desk, &found);
    ck_assert_uint_eq(found.told_ms, 0);
    desk_tell(&estrade.desk, &facts);
    desk_ask(&estrade.desk, &found);
    ck_assert_uint_eq(found.flush_ms, 5);
    ck_assert_uint_eq(found.n_overruns, 6);
    ck_assert_uint_gt(found.told_ms, 0);
    estrade_close(&estrade);
}
END_TEST

/* What is wanted while one is on its way is another one; until then all are one. */
START_TEST(test_flushes)
{
    struct desk *desk = &estrade.desk;
    uint64_t first, second, third, rings;
    bool is_sent;

    estrade_open(&estrade);
    ck_assert(!desk_take_flush(desk));
    desk_flushed(desk, true);
    first = desk_want_flush(desk);
    second = desk_want_flush(desk);
    ck_assert(!desk_flush_is_done(desk, first, &is_sent));
    ck_assert_int_eq(read(desk->main_fd, &rings, sizeof(rings)), sizeof(rings));
    ck_assert(desk_take_flush(desk));
    ck_assert(desk_take_flush(desk)); /* it owes it still */
    third = desk_want_flush(desk);
    desk_flushed(desk, true);
    ck_assert_int_eq(read(desk->answers_fd, &rings, sizeof(rings)), sizeof(rings));
    desk_flushed(desk, false);
    ck_assert(desk_flush_is_done(desk, first, &is_sent) && is_sent);
    ck_assert(desk_flush_is_done(desk, second, &is_sent) && is_sent);
    ck_assert(!desk_flush_is_done(desk, third, &is_sent));
    ck_assert(desk_take_flush(desk));
    desk_flushed(desk, false);
    ck_assert(desk_flush_is_done(desk, third, &is_sent) && !is_sent);
    ck_assert(desk_flush_is_done(desk, second, &is_sent) && is_sent);
    ck_assert(!desk_take_flush(desk));
    estrade_close(&estrade);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_facts, test_flushes};

    return estrade_run("desk", tests, sizeof(tests) / sizeof(tests[0]));
}
