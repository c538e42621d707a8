/*
 * check_statusview: the status on a screen and as JSON.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/statusview.h"

static const char *const lines[] = {
    "version 1.0.0",
    "uptime_s 7512",
    "state warning",
    "pid.master 1",
    "pid.worker 2",
    "pid.sender 3",
    "restarts.worker 0",
    "restarts.sender 4",
    "interval_ms 10000",
    "listen 127.0.0.1:8125",
    "destination carbon:2003",
    "packets_per_s 12",
    "bytes_per_s 2048",
    "lines_per_s 1234.5",
    "lines_sent_per_s 5",
    "packets 99",
    "bytes 4096",
    "lines 12345",
    "applied 12000",
    "filtered 5",
    "bad 20",
    "refused 1",
    "udp_drops 7",
    "truncated 0",
    "quarantined 0",
    "bad.no_value 17",
    "bad.bad_type 3",
    "bad.no_name 0",
    "metrics.counter 10",
    "metrics.gauge 20",
    "metrics.timer 30",
    "metrics.set 40",
    "memory_used 67108864",
    "memory_limit 268435456",
    "max_metrics 1000000",
    "flush_ms 3",
    "flush_overruns 1",
    "emitted 100",
    "delivered 90",
    "queued 10",
    "spooled 0",
    "dropped 0",
    "queue_bytes 1024",
    "queue_limit 2048",
    "spool_bytes 0",
    "spool_limit 0",
    "reconnects 2",
    "send_failures 3",
    "last_success_age_s 12",
    "carbon connected",
    "problem the queue is half \033[full",
};

static char *
print(unsigned columns, bool colour, bool as_json)
{
    struct facts facts = {0};
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        ck_assert_int_eq(facts_add(&facts, lines[i]), 0);
    if (as_json)
        statusview_print_json(out, &facts);
    else
        statusview_print(out, &facts, columns, colour);
    fclose(out);
    facts_release(&facts);
    return text;
}

START_TEST(test_screen)
{
    char *text = print(80, false, false);

    ck_assert_str_eq(text,
                     "pystatsd 1.0.0 is warning, up 2h 5m\n"
                     "! the queue is half \\x1b[full\n"
                     "flushes      every 10s, the last took 3ms; overruns: 1\n"
                     "processes    master 1, worker 2, sender 3; restarts 0 and 4\n"
                     "listens on   127.0.0.1:8125\n"
                     "delivers to  carbon:2003, connected; last taken 12s ago\n"
                     "\n"
                     "               a second       ever\n"
                     "packets              12         99\n"
                     "bytes             2 KiB      4 KiB\n"
                     "lines in           1.2k      12.3k\n"
                     "  applied                      12k\n"
                     "  filtered                       5\n"
                     "  bad                           20   no_value 17, bad_type 3\n"
                     "  refused                        1\n"
                     "packets lost udp_drops 7, truncated 0, quarantined 0\n"
                     "lines out             5        100   failures 3, reconnects 2\n"
                     "  delivered                     90\n"
                     "  queued                        10   [##########----------] 1 KiB of 2 KiB\n"
                     "  spooled                        0\n"
                     "  dropped                        0\n"
                     "\n"
                     "metrics      10 counters, 20 gauges, 30 timers, 40 sets; at most 1M\n"
                     "memory       [#####---------------] 64 MiB of 256 MiB\n");
    free(text);
}
END_TEST

START_TEST(test_narrow)
{
    char *text = print(20, true, false), *at = text;

    ck_assert_int_eq(strncmp(text, "\033[1;33mpystatsd 1.0.0 is wa\n", 28), 0);
    at = strstr(text, "\033[0m");
    ck_assert_ptr_nonnull(at);
    for (at += 4; *at != '\0'; at += strcspn(at, "\n") + 1)
        ck_assert_uint_le(strcspn(at, "\n"), 20);
    free(text);
}
END_TEST

START_TEST(test_nothing_known)
{
    struct facts facts = {0};
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    statusview_print(out, &facts, 80, false);
    fclose(out);
    ck_assert_int_eq(strncmp(text, "pystatsd - is -, up -\n", 22), 0);
    ck_assert_ptr_nonnull(strstr(text, "last taken never\n"));
    ck_assert_ptr_nonnull(strstr(text, "memory\n"));
    free(text);
    ck_assert_int_eq(facts_add(&facts, "carbon off"), 0);
    out = open_memstream(&text, &len);
    statusview_print(out, &facts, 80, false);
    fclose(out);
    facts_release(&facts);
    ck_assert_ptr_nonnull(strstr(text, "delivers to  nobody: see TRANSPORT\n"));
    free(text);
}
END_TEST

START_TEST(test_json)
{
    char *text = print(0, false, true);

    ck_assert_int_eq(strncmp(text, "{\n  \"version\": \"1.0.0\",\n  \"uptime_s\": 7512,\n", 44), 0);
    ck_assert_ptr_nonnull(strstr(text, "\"lines_per_s\": 1234.5,\n"));
    ck_assert_ptr_nonnull(strstr(text, "\"bad.no_value\": 17,\n"));
    ck_assert_ptr_nonnull(strstr(text, "\"problems\": [\"the queue is half \\u001b[full\"]\n}\n"));
    free(text);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("statusview");
    TCase *tcase = tcase_create("statusview");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_screen);
    tcase_add_test(tcase, test_narrow);
    tcase_add_test(tcase, test_nothing_known);
    tcase_add_test(tcase, test_json);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
