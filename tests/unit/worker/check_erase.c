/*
 * check_erase: what the console deletes, and when.
 */
#include "worker/erase.h"

#include "worker/console.h"

#include "estrade.h"

static struct estrade estrade;

static const char *
ask(const char *text)
{
    struct reply reply;
    char piece[1100];

    strcpy(piece, text);
    reply_init(&reply, &estrade.desk, true);
    if (!console_begin(&reply, piece, strlen(piece))) {
        reply_release(&reply);
        return NULL;
    }
    ck_assert_int_eq(estrade_take(&estrade, &reply), REPLY_DONE);
    reply_release(&reply);
    return (const char *)estrade.said.data;
}

static void
set_up(void)
{
    estrade_open(&estrade);
    estrade_give(&estrade, 0, METRIC_COUNTER, "c.x", 3);
    estrade_give(&estrade, 1, METRIC_COUNTER, "c.x", 0.5);
    estrade_give(&estrade, 1, METRIC_TIMER, "t", 7);
    estrade_give(&estrade, 0, METRIC_TIMER, "t", 4);
    estrade_give(&estrade, 0, METRIC_GAUGE, "g", 5);
    estrade_give(&estrade, 1, METRIC_GAUGE, "g", 2);
    estrade_give(&estrade, 0, METRIC_SET, "s", 5);
    estrade_give(&estrade, 1, METRIC_SET, "s", 5);
    estrade_give(&estrade, 1, METRIC_SET, "s", 6);
}

/* Words are names first, then folders. */
START_TEST(test_words)
{
    set_up();
    ck_assert_str_eq(ask("delcounters c. c.x.* c.x"),
                     "metric c. not found\nmetric c.x.* not found\ndeleted: c.x\nEND\n\n");
    ck_assert_str_eq(ask("delgauges c.*"), "metric c.* not found\nEND\n\n");
    ck_assert_str_eq(ask("gauges"), "{ g: 5 }\nEND\n\n");
    estrade_close(&estrade);
}
END_TEST

/* A closed interval is on its way: what is to be deleted waits. */
START_TEST(test_delete_waits_for_the_flush)
{
    char text[] = "delgauges g";
    struct reply reply;
    struct table *table;

    set_up();
    table = &estrade.plots[1].region->table;
    table->flushing = true;
    reply_init(&reply, &estrade.desk, true);
    ck_assert(console_begin(&reply, text, strlen(text)));
    ck_assert_int_eq(estrade_take(&estrade, &reply), REPLY_LATER);
    ck_assert_str_eq((const char *)estrade.said.data, "");
    __atomic_store_n(&table->flushing, false, __ATOMIC_RELEASE);
    ck_assert_int_eq(estrade_take(&estrade, &reply), REPLY_DONE);
    ck_assert_str_eq((const char *)estrade.said.data, "deleted: g\nEND\n\n");
    reply_release(&reply);
    estrade_close(&estrade);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_words, test_delete_waits_for_the_flush};

    return estrade_run("erase", tests, sizeof(tests) / sizeof(tests[0]));
}
