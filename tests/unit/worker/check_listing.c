/*
 * check_listing: list, get and delete.
 */
#include "worker/listing.h"

#include "worker/command.h"

#include "estrade.h"

static struct estrade estrade;

static const char *
ask(const char *text)
{
    struct reply reply;
    char line[1100];

    strcpy(line, text);
    reply_init(&reply, &estrade.desk, false);
    command_begin(&reply, line, strlen(line));
    ck_assert_int_eq(estrade_take(&estrade, &reply), REPLY_DONE);
    reply_release(&reply);
    return (const char *)estrade.said.data;
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

int
main(void)
{
    const TTest *const tests[] = {test_names};

    return estrade_run("listing", tests, sizeof(tests) / sizeof(tests[0]));
}
