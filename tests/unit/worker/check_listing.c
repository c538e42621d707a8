/*
 * check_listing: list, get and delete. Time is the test's.
 */
#include "worker/listing.h"

#include "worker/command.h"
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
    return estrade_ask_admin(&estrade, text);
}

START_TEST(test_names)
{
    estrade_open(&estrade);
    ck_assert_str_eq(ask("list"), "ok\n");
    estrade_give(&estrade, 0, METRIC_TIMER, "t", 1);
    estrade_give(&estrade, 1, METRIC_TIMER, "t", 3);
    estrade_give(&estrade, 0, METRIC_GAUGE, "a_b", 2);
    ck_assert_str_eq(ask("list t*"), "ok\ntimer t\n");
    ck_assert_ptr_nonnull(strstr(ask("get a b"), "gauge a_b value 2\n"));
    ck_assert(strncmp(ask("get t"),
                      "ok\ntimer t count 2\ntimer t lower 1\ntimer t mean 2\ntimer t upper 3\n"
                      "timer t sum 4\ntimer t age_s ",
                      90) == 0);
    ck_assert_str_eq(ask("delete x"), "ok\n");
    ck_assert_str_eq(ask("delete ?"), "ok\ntimer t\n");
    ck_assert_str_eq(ask("list"), "ok\ngauge a_b\n");
    estrade_close(&estrade);
}
END_TEST

static void
set_flushing(bool flushing)
{
    hold_begin(&estrade.hold);
    __atomic_store_n(&estrade.plots[1].region->table.flushing, flushing, __ATOMIC_RELEASE);
    hold_end(&estrade.hold);
}

static enum reply_progress
begin(struct reply *reply, const char *text)
{
    char line[64];

    strcpy(line, text);
    reply_init(reply, &estrade.desk, false);
    command_begin(reply, line, strlen(line));
    return estrade_take(&estrade, reply);
}

/* What it walks must not change under it; who only looks does not wait. */
START_TEST(test_deletion_waits_for_the_flush)
{
    struct reply reply;

    estrade_open(&estrade);
    estrade_give(&estrade, 0, METRIC_GAUGE, "g", 2);
    set_flushing(true);
    ck_assert_int_eq(begin(&reply, "delete g"), REPLY_LATER);
    ck_assert_str_eq(ask("list"), "ok\ngauge g\n");
    now_ms += FORGET_PATIENCE_MS - 1;
    ck_assert_int_eq(estrade_take(&estrade, &reply), REPLY_LATER);
    ck_assert_str_eq((const char *)estrade.said.data, "");
    set_flushing(false);
    ck_assert_int_eq(estrade_take(&estrade, &reply), REPLY_DONE);
    ck_assert_str_eq((const char *)estrade.said.data, "ok\ngauge g\n");
    reply_release(&reply);
    ck_assert_str_eq(ask("list"), "ok\n");
    estrade_close(&estrade);
}
END_TEST

START_TEST(test_deletion_gives_up)
{
    struct reply reply;

    estrade_open(&estrade);
    estrade_give(&estrade, 0, METRIC_GAUGE, "g", 2);
    set_flushing(true);
    ck_assert_int_eq(begin(&reply, "delete g"), REPLY_LATER);
    now_ms += FORGET_PATIENCE_MS;
    ck_assert_int_eq(estrade_take(&estrade, &reply), REPLY_DONE);
    ck_assert_str_eq((const char *)estrade.said.data,
                     "error a flush is on its way and does not get on; try again\n");
    reply_release(&reply);
    set_flushing(false);
    ck_assert_str_eq(ask("list"), "ok\ngauge g\n");
    estrade_close(&estrade);
}
END_TEST

/* In how many pieces a request is answered, between which the shards go on. */
static unsigned
count_pieces(char *line)
{
    struct reply reply;
    unsigned n = 0;

    reply_init(&reply, &estrade.desk, false);
    command_begin(&reply, line, strlen(line));
    do {
        reply.out.len = 0;
        n++;
    } while (reply_step(&reply) == REPLY_MORE);
    reply_release(&reply);
    return n;
}

/* The shards go on between two pieces, also where there are places and no names. */
START_TEST(test_shards_are_held_for_little)
{
    char line[] = "list";

    estrade_open(&estrade);
    for (unsigned i = 0; i < 20000; i++) {
        char name[16];

        snprintf(name, sizeof(name), "n%u", i);
        estrade_give(&estrade, 0, METRIC_GAUGE, name, 1);
    }
    ck_assert_uint_gt(strlen(ask("delete *")), 20000);
    ck_assert_uint_ge(count_pieces(line), 4);
    estrade_close(&estrade);
}
END_TEST

/* And where a few names take long, by patterns that nearly match again and again. */
START_TEST(test_patterns_that_take_long)
{
    enum { N_NAMES = 40, N_PATTERNS = 100, HALF = 120, LEN = 400 };
    static char line[N_PATTERNS * (HALF + 4) + 8] = "list ";
    char name[LEN + 8];

    estrade_open(&estrade);
    memset(name, 'a', LEN);
    for (unsigned i = 0; i < N_NAMES; i++) {
        snprintf(name + LEN, sizeof(name) - LEN, "%u", i);
        estrade_give(&estrade, 0, METRIC_GAUGE, name, 1);
    }
    for (unsigned i = 0; i < N_PATTERNS; i++)
        sprintf(line + strlen(line), "%s*%.*sb", i > 0 ? "," : "", HALF, name);
    ck_assert_uint_ge(count_pieces(line), 10);
    estrade_close(&estrade);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_names, test_deletion_waits_for_the_flush,
                                  test_deletion_gives_up, test_shards_are_held_for_little,
                                  test_patterns_that_take_long};

    return estrade_run("listing", tests, sizeof(tests) / sizeof(tests[0]));
}
