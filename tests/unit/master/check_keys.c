/*
 * check_keys: the table as a whole: every documented key, once, in the order of the documentation.
 */
#include "master/keys.h"

#include "load.h"

/* In the order in which settings are documented; those without a default are not built. */
static const struct {
    const char *name, *text;
} documented[] = {
    {"LOCAL_PYSTATD_PORT", "8125"},
    {"LISTEN_ADDRESS", ""},
    {"LISTEN", NULL},
    {"UNIX_SOCKET_MODE", NULL},
    {"RECEIVE_BUFFER", "16M"},
    {"THREADS", "1"},
    {"ALLOW_FROM", NULL},
    {"TCP_MAX_CONNECTIONS", NULL},
    {"TCP_IDLE_TIMEOUT", NULL},
    {"DIALECT", "pystatsd"},
    {"FLUSH_INTERVAL", "10000"},
    {"FLUSH_ALIGN", "yes"},
    {"FLUSH_SPREAD", NULL},
    {"PCT", "90"},
    {"AGGREGATE_COUNTERS", "yes"},
    {"FLUSH_COUNTS", NULL},
    {"GAUGE_SIGN", NULL},
    {"TIMER_STATS", NULL},
    {"TIMER_WEIGHTS", NULL},
    {"HISTOGRAM", NULL},
    {"IDLE_COUNTERS", "omit"},
    {"IDLE_TIMERS", "omit"},
    {"IDLE_SETS", "omit"},
    {"IDLE_GAUGES", "last"},
    {"GAUGES_MAX_TTL", "1"},
    {"EXPIRE", "0"},
    {"EXPIRE_GAUGES", "0"},
    {"EXPIRE_COUNTERS", "0"},
    {"EXPIRE_TIMERS", "0"},
    {"EXPIRE_SETS", "0"},
    {"COUNTERS_PREFIX", "stats"},
    {"TIMERS_PREFIX", "stats.timers"},
    {"GAUGES_PREFIX", "stats"},
    {"SETS_PREFIX", "stats.sets"},
    {"COUNTS_PREFIX", NULL},
    {"GLOBAL_PREFIX", ""},
    {"GLOBAL_SUFFIX", ""},
    {"SELF_PREFIX", "statsd"},
    {"SELF_STATS", "yes"},
    {"TAGS", NULL},
    {"SANITIZE", NULL},
    {"DROP", ""},
    {"ALLOW", ""},
    {"MEMORY_LIMIT", "512M"},
    {"MAX_METRICS", "1000000"},
    {"MAX_NAME", "512"},
    {"MAX_NODE", "240"},
    {"TIMER_MAX_SAMPLES", "100000"},
    {"SET_EXACT_MAX", "1024"},
    {"TRANSPORT", "graphite"},
    {"GRAPHITE_HOST", "localhost"},
    {"GRAPHITE_PORT", "2003"},
    {"GRAPHITE_PROTOCOL", NULL},
    {"GRAPHITE_MODE", NULL},
    {"GRAPHITE_HASH", NULL},
    {"GRAPHITE_REPLICATION", NULL},
    {"GRAPHITE_ACK", "fin"},
    {"DOWNSTREAM", "storage"},
    {"REPLAY_WINDOW", "60"},
    {"QUEUE_MEMORY", "64M"},
    {"SPOOL_DIR", ""},
    {"SPOOL_MAX_BYTES", "1G"},
    {"SPOOL_MAX_AGE", "86400"},
    {"DNS_REFRESH", "60"},
    {"CONNECT_TIMEOUT", "5"},
    {"SEND_TIMEOUT", "10"},
    {"GANGLIA_HOST", NULL},
    {"GANGLIA_PORT", NULL},
    {"GANGLIA_SPOOF_HOST", NULL},
    {"GANGLIA_MAX_LENGTH", NULL},
    {"GMETRIC_EXEC", NULL},
    {"GMETRIC_OPTIONS", NULL},
    {"RELAY", NULL},
    {"USER", "nobody"},
    {"GROUP", ""},
    {"PIDFILE", "/var/run/pystatsd.pid"},
    {"STATE_DIR", ""},
    {"GAUGES_FILE", ""},
    {"SANDBOX", NULL},
    {"LOG", "stderr"},
    {"LOG_LEVEL", "info"},
    {"ADMIN_SOCKET", ""},
    {"ADMIN_SOCKET_MODE", "0600"},
    {"CONSOLE", ""},
    {"CONSOLE_WRITE", "no"},
};

enum { N_DOCUMENTED = sizeof(documented) / sizeof(documented[0]) };

START_TEST(test_every_documented_key_once)
{
    ck_assert_uint_eq(keys_count(), N_DOCUMENTED);
    ck_assert_uint_le(keys_count(), CONFIG_KEYS_MAX);
    for (size_t i = 0; i < N_DOCUMENTED; i++) {
        ck_assert_str_eq(keys_at(i)->name, documented[i].name);
        ck_assert_int_eq(keys_find(documented[i].name, strlen(documented[i].name)), (int)i);
        ck_assert_int_eq(keys_at(i)->set != NULL, documented[i].text != NULL);
    }
}
END_TEST

START_TEST(test_documented_defaults)
{
    struct loaded loaded;

    load_text(&loaded, "", NULL);
    ck_assert_int_eq(loaded.result, 0);
    for (size_t i = 0; i < N_DOCUMENTED; i++) {
        if (documented[i].text != NULL)
            ck_assert_str_eq(config_entry_text(load_entry(&loaded, documented[i].name)),
                             documented[i].text);
    }
    load_release(&loaded);
}
END_TEST

START_TEST(test_keys_not_built_are_refused_whatever_they_say)
{
    static const char *const values[] = {"", "1", "yes", "{}", "\"a b\""};

    for (size_t i = 0; i < N_DOCUMENTED; i++) {
        char text[128], expected[128];
        struct loaded loaded;

        if (documented[i].text != NULL)
            continue;
        snprintf(text, sizeof(text), "# c\n%s=%s\n", documented[i].name, values[i % 5]);
        load_text(&loaded, text, NULL);
        snprintf(expected, sizeof(expected), ":2: %s is not built yet in this version; remove it",
                 documented[i].name);
        ck_assert_int_eq(loaded.result, -1);
        ck_assert_str_eq(load_error(&loaded), expected);
        load_release(&loaded);

        snprintf(text, sizeof(text), "%s=%s", documented[i].name, values[i % 5]);
        load_text(&loaded, "", (const char *const[]){"--set", text, NULL});
        ck_assert_int_eq(loaded.result, -1);
        snprintf(expected, sizeof(expected),
                 "--set: %s is not built yet in this version; remove it", documented[i].name);
        ck_assert_str_eq(load_error(&loaded), expected);
        load_release(&loaded);
    }
}
END_TEST

START_TEST(test_find)
{
    ck_assert_int_eq(keys_find("LOCAL_PYSTATSD_PORT", strlen("LOCAL_PYSTATSD_PORT")), 0);
    ck_assert_int_eq(keys_find("LOCAL_PYSTATD_PORTS", strlen("LOCAL_PYSTATD_PORT")), 0);
    ck_assert_int_eq(keys_find("local_pystatd_port", strlen("local_pystatd_port")), -1);
    ck_assert_int_eq(keys_find("PC", 2), -1);
    ck_assert_int_eq(keys_find("", 0), -1);
}
END_TEST

START_TEST(test_nearest)
{
    static const struct {
        const char *name, *nearest;
    } rows[] = {
        {"FLUSH_INTERVALL", "FLUSH_INTERVAL"},
        {"FLUSHINTERVAL", "FLUSH_INTERVAL"},
        {"flush_interval", "FLUSH_INTERVAL"},
        {"GRAPHITE_HOSTS", "GRAPHITE_HOST"},
        {"THREAD", "THREADS"},
        {"PTC", "PCT"},
        {"MAX_NODES", "MAX_NODE"},
        {"LOG_LEVL", "LOG_LEVEL"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char expected[128];
        struct buf out;

        buf_init(&out, 1024);
        keys_say_unknown(rows[i].name, strlen(rows[i].name), &out);
        ck_assert_int_eq(buf_append(&out, "", 1), 0);
        snprintf(expected, sizeof(expected), "%s is no known key; the nearest is %s", rows[i].name,
                 rows[i].nearest);
        ck_assert_str_eq((const char *)out.data, expected);
        buf_release(&out);
    }
}
END_TEST

START_TEST(test_a_long_unknown_name_is_cut)
{
    char name[5000];
    struct buf out;

    memset(name, 'A', sizeof(name));
    buf_init(&out, 8192);
    keys_say_unknown(name, sizeof(name), &out);
    ck_assert_uint_lt(out.len, 150);
    buf_release(&out);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_every_documented_key_once,
        test_documented_defaults,
        test_keys_not_built_are_refused_whatever_they_say,
        test_find,
        test_nearest,
        test_a_long_unknown_name_is_cut,
    };

    return load_run("keys", tests, sizeof(tests) / sizeof(tests[0]));
}
