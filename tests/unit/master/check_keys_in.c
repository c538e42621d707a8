/*
 * check_keys_in: each setting of listening and aggregation, with a good and a bad value, and where
 * it ends up.
 */
#include "load.h"

START_TEST(test_values)
{
    static const struct load_row rows[] = {
        {"LOCAL_PYSTATD_PORT", "0", "0"},
        {"LOCAL_PYSTATD_PORT", "65536", NULL},
        {"LOCAL_PYSTATD_PORT", "08125", NULL},
        {"LOCAL_PYSTATD_PORT", "", NULL},
        {"LISTEN_ADDRESS", "", ""},
        {"LISTEN_ADDRESS", "127.0.0.1", "127.0.0.1"},
        {"LISTEN_ADDRESS", "::1", "::1"},
        {"LISTEN_ADDRESS", "a b", NULL},
        {"RECEIVE_BUFFER", "4K", "4K"},
        {"RECEIVE_BUFFER", "4095", NULL},
        {"RECEIVE_BUFFER", "2G", NULL},
        {"DIALECT", "pystatsd", "pystatsd"},
        {"DIALECT", "statsd", NULL},
        {"DIALECT", "statsd-legacy", NULL},
        {"DIALECT", "etsy", NULL},
        {"FLUSH_INTERVAL", "1000", "1000"},
        {"FLUSH_INTERVAL", "1m", "60000"},
        {"FLUSH_INTERVAL", "999", NULL},
        {"FLUSH_INTERVAL", "25h", NULL},
        {"FLUSH_ALIGN", "off", "no"},
        {"FLUSH_ALIGN", "2", NULL},
        {"PCT", "90", "90"},
        {"PCT", "99.9,-10", "99.9,-10"},
        {"PCT", "100.1", NULL},
        {"PCT", "", NULL},
        {"AGGREGATE_COUNTERS", "0", "no"},
        {"AGGREGATE_COUNTERS", "sums", NULL},
        {"EXPIRE", "2m", "120"},
        {"EXPIRE", "-1", NULL},
        {"COUNTERS_PREFIX", "", ""},
        {"COUNTERS_PREFIX", "a.b.", "a.b"},
        {"COUNTERS_PREFIX", "a b", NULL},
        {"TIMERS_PREFIX", "t", "t"},
        {"TIMERS_PREFIX", "a;b", NULL},
        {"GAUGES_PREFIX", "g", "g"},
        {"GAUGES_PREFIX", "a b", NULL},
        {"SETS_PREFIX", "s", "s"},
        {"SETS_PREFIX", "a b", NULL},
        {"GLOBAL_PREFIX", "dc1.", "dc1"},
        {"GLOBAL_PREFIX", "%h.%H", "%h.%H"},
        {"GLOBAL_PREFIX", "%x", NULL},
        {"GLOBAL_SUFFIX", ".x", "x"},
        {"GLOBAL_SUFFIX", "50%", NULL},
        {"SELF_PREFIX", "self", "self"},
        {"SELF_PREFIX", "a b", NULL},
        {"SELF_STATS", "no", "no"},
        {"SELF_STATS", "none", NULL},
        {"MEMORY_LIMIT", "1M", "1M"},
        {"MEMORY_LIMIT", "64G", "64G"},
        {"MEMORY_LIMIT", "1023K", NULL},
        {"MEMORY_LIMIT", "65G", NULL},
        {"MAX_METRICS", "100000000", "100000000"},
        {"MAX_METRICS", "0", NULL},
        {"MAX_METRICS", "100000001", NULL},
        {"MAX_NAME", "1024", "1024"},
        {"MAX_NAME", "1025", NULL},
        {"MAX_NODE", "1", "1"},
        {"MAX_NODE", "0", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        load_check_row(&rows[i]);
}
END_TEST

START_TEST(test_listening)
{
    struct loaded loaded;

    load_text(&loaded, "LOCAL_PYSTATD_PORT=9125\nLISTEN_ADDRESS=127.0.0.1\nRECEIVE_BUFFER=1M\n",
              NULL);
    ck_assert_int_eq(loaded.result, 0);
    ck_assert_uint_eq(loaded.config.master.listen_port, 9125);
    ck_assert_str_eq(loaded.config.master.listen_address, "127.0.0.1");
    ck_assert_uint_eq(loaded.config.master.receive_buffer, 1 << 20);
    load_release(&loaded);
}
END_TEST

START_TEST(test_aggregation)
{
    static const char text[] = "FLUSH_INTERVAL=2s\nFLUSH_ALIGN=no\nEXPIRE=1500ms\nSELF_STATS=no\n"
                               "MEMORY_LIMIT=3M\nMAX_METRICS=7\nMAX_NAME=100\nMAX_NODE=50\n";
    struct loaded loaded;

    load_text(&loaded, text, NULL);
    ck_assert_int_eq(loaded.result, 0);
    const struct worker_opts *worker = &loaded.config.worker;
    ck_assert_uint_eq(worker->flush_ms, 2000);
    ck_assert(!worker->flush_align);
    ck_assert_uint_eq(worker->expire_ms, 1500);
    ck_assert(!worker->self_stats && !loaded.config.sender.self_stats);
    ck_assert_uint_eq(worker->memory_limit, 3 << 20);
    ck_assert_uint_eq(worker->max_metrics, 7);
    ck_assert_uint_eq(worker->names.name_max, 100);
    ck_assert_uint_eq(worker->names.node_max, 50);
    load_release(&loaded);
}
END_TEST

START_TEST(test_dialect_of_both_processes)
{
    static const char text[] = "PCT={50,99.9}\nAGGREGATE_COUNTERS=no\nCOUNTERS_PREFIX=c\n"
                               "TIMERS_PREFIX=t\nSETS_PREFIX=s\nSELF_PREFIX=own\n"
                               "GLOBAL_PREFIX=before.\nGLOBAL_SUFFIX=.behind\n";
    struct loaded loaded;

    load_text(&loaded, text, NULL);
    ck_assert_int_eq(loaded.result, 0);
    const struct dialect *dialect = &loaded.config.sender.dialect;
    ck_assert_mem_eq(dialect, &loaded.config.worker.dialect, sizeof(*dialect));
    ck_assert_uint_eq(dialect->n_percentiles, 2);
    ck_assert_str_eq(dialect->percentile_suffix[1], "upper_99_9");
    ck_assert(!dialect->rates);
    ck_assert_str_eq(dialect->prefix[METRIC_COUNTER], "c");
    ck_assert_str_eq(dialect->prefix[METRIC_TIMER], "t");
    ck_assert_str_eq(dialect->prefix[METRIC_SET], "s");
    ck_assert_str_eq(dialect->prefix[RECORD_SELF], "own");
    ck_assert_str_eq(dialect->global_prefix, "before");
    ck_assert_str_eq(dialect->global_suffix, "behind");
    /* py-statsd's gauges stood beside its counters. */
    ck_assert_str_eq(dialect->prefix[METRIC_GAUGE], "c");
    ck_assert_str_eq(load_entry(&loaded, "GAUGES_PREFIX")->value, "c");
    ck_assert_int_eq(load_entry(&loaded, "GAUGES_PREFIX")->origin, ORIGIN_DIALECT);
    load_release(&loaded);
}
END_TEST

START_TEST(test_host_names)
{
    char host[256] = "", expected[600];
    struct loaded loaded;

    ck_assert_int_eq(gethostname(host, sizeof(host) - 1), 0);
    load_text(&loaded, "GLOBAL_PREFIX=a.%h\nGLOBAL_SUFFIX=%H\n", NULL);
    ck_assert_int_eq(loaded.result, 0);
    snprintf(expected, sizeof(expected), "a.%.*s", (int)strcspn(host, "."), host);
    ck_assert_str_eq(loaded.config.worker.dialect.global_prefix, expected);
    for (char *at = host; *at != '\0'; at++) {
        if (*at == '.')
            *at = '_';
    }
    ck_assert_str_eq(loaded.config.worker.dialect.global_suffix, host);
    load_release(&loaded);
}
END_TEST

/* A prefix of the longest size fits, one byte more does not, with a host name in it neither. */
START_TEST(test_affix_lengths)
{
    static const char *const more[] = {"", "x", "%h"};

    for (size_t i = 0; i < 3; i++) {
        char flag[512];
        struct loaded loaded;

        snprintf(flag, sizeof(flag), "GLOBAL_PREFIX=%0255d%s", 0, more[i]);
        load_text(&loaded, "", (const char *const[]){"--set", flag, NULL});
        ck_assert_int_eq(loaded.result, i == 0 ? 0 : -1);
        load_release(&loaded);
    }
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_values,     test_listening,     test_aggregation, test_dialect_of_both_processes,
        test_host_names, test_affix_lengths,
    };

    return load_run("keys_in", tests, sizeof(tests) / sizeof(tests[0]));
}
