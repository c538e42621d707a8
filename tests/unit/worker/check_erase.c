/*
 * check_erase: what the console deletes, and when.
 */
#include "worker/erase.h"

#include "worker/console.h"
#include "worker/forget.h"

#include "estrade.h"

static struct estrade estrade;
static uint64_t now_ms = 1000000;

uint64_t __wrap_clock_mono_ms(void);

/* The linker puts it in the place of clock_mono_ms. */
uint64_t
__wrap_clock_mono_ms(void)
{
    return now_ms;
}

static const char *
ask(const char *text)
{
    return estrade_ask_console(&estrade, text);
}

static void
set_up(void)
{
    estrade_open(&estrade);
    estrade_give_all(&estrade);
}

/* Words are names first, then folders. */
START_TEST(test_words)
{
    set_up();
    ck_assert_str_eq(ask("delcounters c. c.x.* c.x"),
                     "metric c. not found\nmetric c.x.* not found\ndeleted: c.x\nEND\n\n");
    ck_assert_str_eq(ask("delgauges c.*"), "metric c.* not found\nEND\n\n");
    ck_assert_str_eq(ask("gauges"), "{ g: 5 }\nEND\n\n");
    ck_assert_uint_eq(estrade.desk.told_deletions.n_allowed, 1); /* of the one that deleted some */
    estrade_close(&estrade);
}
END_TEST

static bool *
flushing(void)
{
    return &estrade.plots[1].region->table.flushing;
}

static void
end_flush(void)
{
    __atomic_store_n(flushing(), false, __ATOMIC_RELEASE);
}

/* A request that has to wait. */
static void
begin_while_flushing(struct reply *reply, const char *request)
{
    char text[32];

    set_up();
    *flushing() = true;
    strcpy(text, request);
    reply_init(reply, &estrade.desk, true);
    ck_assert(console_begin(reply, text, strlen(text)));
    ck_assert_int_eq(estrade_take(&estrade, reply), REPLY_LATER);
    ck_assert_str_eq((const char *)estrade.said.data, "");
}

/* A closed interval is on its way: what is to be deleted waits. */
START_TEST(test_delete_waits_for_the_flush)
{
    struct reply reply;

    begin_while_flushing(&reply, "delgauges g");
    end_flush();
    ck_assert_int_eq(estrade_take(&estrade, &reply), REPLY_DONE);
    ck_assert_str_eq((const char *)estrade.said.data, "deleted: g\nEND\n\n");
    reply_release(&reply);
    estrade_close(&estrade);
}
END_TEST

START_TEST(test_delete_gives_up)
{
    struct reply reply;

    begin_while_flushing(&reply, "delgauges x g");
    now_ms += FORGET_PATIENCE_MS;
    ck_assert_int_eq(estrade_take(&estrade, &reply), REPLY_DONE);
    ck_assert_str_eq((const char *)estrade.said.data, "error " FORGET_IN_VAIN "\n");
    reply_release(&reply);
    end_flush();
    ck_assert_str_eq(ask("gauges"), "{ g: 5 }\nEND\n\n");
    estrade_close(&estrade);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_words, test_delete_waits_for_the_flush,
                                  test_delete_gives_up};

    return estrade_run("erase", tests, sizeof(tests) / sizeof(tests[0]));
}
