/*
 * check_console: what the console answers, to the byte.
 */
#include "worker/console.h"

#include "estrade.h"

static struct estrade estrade;

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

START_TEST(test_answers)
{
    static const struct {
        const char *text, *answer;
    } rows[] = {
        {"help\n", "Commands: stats, counters, timers, gauges, delcounters, deltimers, delgauges, "
                   "health, config, quit\n\n"},
        {"counters", "{ 'c.x': 3.5 }\nEND\n\n"},
        {"timers", "{ t: [ 4, 7 ] }\nEND\n\n"},
        {"gauges ignored", "{ g: 5 }\nEND\n\n"},
        {"sets", "{ s: 2 }\nEND\n\n"},
        {"", "ERROR\n"},
        {" \r\n", "ERROR\n"},
        {"Counters", "ERROR\n"},
        {"counters\ngauges\n", "ERROR\n"},
        {"health", "health: up\n"},
        {"health Down", "health: down\n"},
        {"health ups", "health: down\n"},
        {"health  up", "health: down\n"},
        {"health UP now", "health: up\n"},
        {"delcounters", "END\n\n"},
        {"delcounters a  c", "metric a not found\nmetric  not found\nmetric c not found\nEND\n\n"},
        {"delcounters g", "metric g not found\nEND\n\n"},
        {"delcounters c.* c.x", "deleted: c.x\nmetric c.x not found\nEND\n\n"},
        {"counters", "{}\nEND\n\n"},
        {"deltimers .*", "metric .* not found\nEND\n\n"},
        {"deltimers t", "deleted: t\nEND\n\n"},
        {"delgauges g*", "metric g* not found\nEND\n\n"},
        {"gauges", "{ g: 5 }\nEND\n\n"},
    };

    set_up();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ck_assert_str_eq(ask(rows[i].text), rows[i].answer);
    estrade_close(&estrade);
}
END_TEST

START_TEST(test_what_closes)
{
    static const char *const texts[] = {
        "quit",     "quit now\n",    "GET / HTTP/1.1\r\n", "POST /",  "HEAD",   "PUT x",
        "DELETE x", "OPTIONS * H\n", "CONNECT a",          "PATCH /", "TRACE /"};

    set_up();
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        ck_assert_ptr_null(ask(texts[i]));
    ck_assert_str_eq(ask("get /"), "ERROR\n");
    estrade_close(&estrade);
}
END_TEST

START_TEST(test_who_may_not_write)
{
    set_up();
    estrade.opts.console_writes = false;
    ck_assert_str_eq(ask("delgauges g"), "ERROR\n");
    ck_assert_str_eq(ask("health down"), "health: up\n");
    ck_assert_str_eq(ask("gauges"), "{ g: 5 }\nEND\n\n");
    estrade_close(&estrade);
}
END_TEST

START_TEST(test_config)
{
    static const char text[] = "# default\nA=\"\"\n# x: --set\nB=\"90,99.5\"\n# y\nC=\"a b\"\n";

    set_up();
    /* The desk borrows it; the master alone writes there. */
    bulletin_post((struct bulletin *)(uintptr_t)estrade.opts.config, text, strlen(text));
    ck_assert_str_eq(ask("config"), "\nA: \nB > 0: 90\nB > 1: 99.5\nC: a b\n");
    estrade_close(&estrade);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_answers, test_what_closes, test_who_may_not_write,
                                  test_config};

    return estrade_run("console", tests, sizeof(tests) / sizeof(tests[0]));
}
