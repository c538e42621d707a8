/*
 * check_maps: maps that take many pieces.
 */
#include "worker/maps.h"

#include "estrade.h"

static struct estrade estrade;

static const char *
ask(const char *text)
{
    return estrade_ask_console(&estrade, text);
}

/* In many pieces; each name once. */
START_TEST(test_many)
{
    const char *at;
    unsigned n = 0;

    estrade_open(&estrade);
    for (unsigned i = 0; i < 5000; i++) {
        char name[16];

        snprintf(name, sizeof(name), "n.%u", i);
        estrade_give(&estrade, i % 2, METRIC_COUNTER, name, i);
        estrade_give(&estrade, i % 3 == 0, METRIC_COUNTER, name, 0);
    }
    for (at = ask("counters"); (at = strstr(at, "\n  'n.")) != NULL; at++)
        n++;
    ck_assert_uint_eq(n, 5000);
    ck_assert_ptr_nonnull(strstr(ask("counters"), "'n.4711': 4711"));
    n = 0;
    for (at = ask("delcounters n.1.* n.*"); (at = strstr(at, "deleted: n.")) != NULL; at++)
        n++;
    ck_assert_uint_eq(n, 5000);
    ck_assert_str_eq(ask("counters"), "{}\nEND\n\n");
    estrade_close(&estrade);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_many};

    return estrade_run("maps", tests, sizeof(tests) / sizeof(tests[0]));
}
