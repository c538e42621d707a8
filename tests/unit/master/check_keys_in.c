/*
 * check_keys_in: each setting of listening and of what samples add up to, with a good and a bad
 * value, and where it ends up.
 */
#include <sched.h>

#include "load.h"

START_TEST(test_values)
{
    static const struct load_row rows[] = {
        {"LOCAL_PYSTATD_PORT", "0", NULL},
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
        {"THREADS", "0", "0"},
        {"THREADS", "64", "64"},
        {"THREADS", "65", NULL},
        {"THREADS", "-1", NULL},
        {"THREADS", "auto", NULL},
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
        {"GLOBAL_PREFIX", "dc1.", "dc1"},
        {"GLOBAL_PREFIX", "%h.%H", "%h.%H"},
        {"GLOBAL_PREFIX", "%x", NULL},
        {"GLOBAL_SUFFIX", ".x", "x"},
        {"GLOBAL_SUFFIX", "50%", NULL},
        {"SELF_PREFIX", "self", "self"},
        {"SELF_PREFIX", "a b", NULL},
        {"SELF_STATS", "no", "no"},
        {"SELF_STATS", "none", NULL},
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
    static const char text[] = "FLUSH_INTERVAL=2s\nFLUSH_ALIGN=no\nPCT={50,99.9}\n"
                               "AGGREGATE_COUNTERS=no\n";
    struct loaded loaded;

    load_text(&loaded, text, NULL);
    ck_assert_int_eq(loaded.result, 0);
    const struct worker_opts *worker = &loaded.config.worker;
    ck_assert_uint_eq(worker->flush_ms, 2000);
    ck_assert(!worker->flush_align);
    ck_assert_uint_eq(worker->dialect.n_percentiles, 2);
    ck_assert_str_eq(worker->dialect.percentile_suffix[1], "upper_99_9");
    ck_assert(!worker->dialect.rates);
    load_release(&loaded);
}
END_TEST

static unsigned
threads_of(const char *text)
{
    struct loaded loaded;

    load_text(&loaded, text, NULL);
    ck_assert_int_eq(loaded.result, 0);
    unsigned n = loaded.config.worker.n_threads;
    load_release(&loaded);
    return n;
}

/* The CPUs that this process may use, not those that there are. */
START_TEST(test_threads)
{
    cpu_set_t all, one;

    ck_assert_uint_eq(threads_of(""), 1);
    ck_assert_uint_eq(threads_of("THREADS=1\n"), 1);
    ck_assert_uint_eq(threads_of("THREADS=64\n"), 64);
    ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
    unsigned n = (unsigned)CPU_COUNT(&all);
    ck_assert_uint_eq(threads_of("THREADS=0\n"), n < 64 ? n : 64);

    CPU_ZERO(&one);
    for (size_t cpu = 0; CPU_COUNT(&one) == 0; cpu++) {
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    }
    ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
    ck_assert_uint_eq(threads_of("THREADS=0\n"), 1);
    ck_assert_int_eq(sched_setaffinity(0, sizeof(all), &all), 0);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_values, test_listening, test_aggregation, test_threads};

    return load_run("keys_in", tests, sizeof(tests) / sizeof(tests[0]));
}
