/*
 * check_keys_out: each setting of delivery and of the processes, with a good and a bad value, and
 * where it ends up.
 */
#include <syslog.h>

#include "load.h"

START_TEST(test_values)
{
    static const struct load_row rows[] = {
        {"TRANSPORT", "none", "none"},
        {"TRANSPORT", "ganglia", NULL},
        {"TRANSPORT", "ganglia-gmetric", NULL},
        {"TRANSPORT", "udp", NULL},
        {"GRAPHITE_HOST", "carbon", "carbon"},
        {"GRAPHITE_HOST", "carbon:2103", "carbon:2103"},
        {"GRAPHITE_HOST", "[::1]:2103", "[::1]:2103"},
        {"GRAPHITE_HOST", "::1", "::1"},
        {"GRAPHITE_HOST", "", NULL},
        {"GRAPHITE_HOST", "a,b", NULL},
        {"GRAPHITE_HOST", "a b", NULL},
        {"GRAPHITE_HOST", ":2003", NULL},
        {"GRAPHITE_HOST", "a:", NULL},
        {"GRAPHITE_HOST", "a:0", NULL},
        {"GRAPHITE_HOST", "a:02003", NULL},
        {"GRAPHITE_HOST", "a:65536", NULL},
        {"GRAPHITE_HOST", "[::1", NULL},
        {"GRAPHITE_HOST", "[::1]x", NULL},
        {"GRAPHITE_HOST", "[]:1", NULL},
        {"GRAPHITE_HOST", "a]:1", NULL},
        {"GRAPHITE_HOST", "[a[b]:1", NULL},
        {"GRAPHITE_PORT", "1", "1"},
        {"GRAPHITE_PORT", "0", NULL},
        {"GRAPHITE_PORT", "carbon", NULL},
        {"GRAPHITE_ACK", "none", "none"},
        {"GRAPHITE_ACK", "yes", NULL},
        {"DOWNSTREAM", "aggregator", "aggregator"},
        {"DOWNSTREAM", "relay", NULL},
        {"REPLAY_WINDOW", "0", "0"},
        {"REPLAY_WINDOW", "24h", "86400"},
        {"REPLAY_WINDOW", "86401", NULL},
        {"QUEUE_MEMORY", "1M", "1M"},
        {"QUEUE_MEMORY", "1M1", NULL},
        {"QUEUE_MEMORY", "0", NULL},
        {"SPOOL_DIR", "/var/spool/x/", "/var/spool/x"},
        {"SPOOL_DIR", "", ""},
        {"SPOOL_DIR", "spool", NULL},
        {"SPOOL_MAX_BYTES", "1M", "1M"},
        {"SPOOL_MAX_BYTES", "1024G", "1024G"},
        {"SPOOL_MAX_BYTES", "1025G", NULL},
        {"SPOOL_MAX_BYTES", "1023K", NULL},
        {"SPOOL_MAX_AGE", "1s", "1"},
        {"SPOOL_MAX_AGE", "365d", "31536000"},
        {"SPOOL_MAX_AGE", "366d", NULL},
        {"SPOOL_MAX_AGE", "999ms", NULL},
        {"DNS_REFRESH", "1", "1"},
        {"DNS_REFRESH", "1d", "86400"},
        {"DNS_REFRESH", "0", NULL},
        {"DNS_REFRESH", "25h", NULL},
        {"CONNECT_TIMEOUT", "250ms", "250ms"},
        {"CONNECT_TIMEOUT", "0", NULL},
        {"CONNECT_TIMEOUT", "2h", NULL},
        {"SEND_TIMEOUT", "1m", "60"},
        {"SEND_TIMEOUT", "soon", NULL},
        {"USER", "daemon", "daemon"},
        {"USER", "", NULL},
        {"GROUP", "", ""},
        {"GROUP", "adm", "adm"},
        {"GROUP", "a234567890123456789012345678901234567890123456789012345678901234", NULL},
        {"PIDFILE", "/run/x.pid", "/run/x.pid"},
        {"PIDFILE", "", NULL},
        {"STATE_DIR", "/run/x", "/run/x"},
        {"STATE_DIR", "", ""},
        {"STATE_DIR", "run", NULL},
        {"GAUGES_FILE", "/var/lib/x/gauges", "/var/lib/x/gauges"},
        {"GAUGES_FILE", "", ""},
        {"GAUGES_FILE", "gauges", NULL},
        {"GAUGES_FILE", "/", NULL},
        {"LOG", "syslog", "syslog"},
        {"LOG", "journal", "journal"},
        {"LOG", "file", NULL},
        {"LOG", "file", NULL},
        {"LOG_LEVEL", "warning", "warning"},
        {"LOG_LEVEL", "loud", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        load_check_row(&rows[i]);
}
END_TEST

START_TEST(test_destination)
{
    static const struct {
        const char *text, *host, *destination;
        unsigned port;
    } rows[] = {
        {"", "localhost", "localhost:2003", 2003},
        {"GRAPHITE_HOST=c\nGRAPHITE_PORT=99\n", "c", "c:99", 99},
        {"GRAPHITE_PORT=99\nGRAPHITE_HOST=c:77\n", "c", "c:77", 77},
        {"GRAPHITE_HOST={c:77}\n", "c", "c:77", 77},
        {"GRAPHITE_HOST=\"[::1]\"\nGRAPHITE_PORT=99\n", "::1", "[::1]:99", 99},
        {"GRAPHITE_HOST=\"[::1]:77\"\nGRAPHITE_PORT=99\n", "::1", "[::1]:77", 77},
        {"GRAPHITE_HOST=::1\n", "::1", "[::1]:2003", 2003},
        {"GRAPHITE_HOST=10.0.0.1:65535\n", "10.0.0.1", "10.0.0.1:65535", 65535},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct loaded loaded;

        load_text(&loaded, rows[i].text, NULL);
        ck_assert_msg(loaded.result == 0, "%s: %s", rows[i].text, load_error(&loaded));
        ck_assert_str_eq(loaded.config.master.graphite_host, rows[i].host);
        ck_assert_uint_eq(loaded.config.master.graphite_port, rows[i].port);
        ck_assert_str_eq(loaded.config.sender.destination, rows[i].destination);
        load_release(&loaded);
    }
}
END_TEST

START_TEST(test_several_hosts_are_not_built)
{
    struct loaded loaded;

    load_text(&loaded, "GRAPHITE_HOST={a,b}\n", NULL);
    ck_assert_int_eq(loaded.result, -1);
    ck_assert_str_eq(load_error(&loaded), ":1: GRAPHITE_HOST: several hosts are not built yet in "
                                          "this version; name one");
    load_release(&loaded);
}
END_TEST

START_TEST(test_delivery)
{
    struct loaded loaded;

    load_text(&loaded, "QUEUE_MEMORY=2M\nCONNECT_TIMEOUT=3\nSEND_TIMEOUT=40ms\n", NULL);
    ck_assert_int_eq(loaded.result, 0);
    ck_assert(loaded.config.sender.deliver);
    ck_assert_uint_eq(loaded.config.sender.queue_memory, 2 << 20);
    ck_assert_uint_eq(loaded.config.sender.connect_timeout_ms, 3000);
    ck_assert_uint_eq(loaded.config.sender.send_timeout_ms, 40);
    load_release(&loaded);
    load_text(&loaded, "TRANSPORT=none\n", NULL);
    ck_assert_int_eq(loaded.result, 0);
    ck_assert(!loaded.config.sender.deliver);
    load_release(&loaded);
}
END_TEST

START_TEST(test_promises)
{
    struct loaded loaded;

    load_text(&loaded,
              "GRAPHITE_ACK=none\nREPLAY_WINDOW=2m\nSPOOL_DIR=/s\nSPOOL_MAX_BYTES=3M\n"
              "SPOOL_MAX_AGE=1h\nDNS_REFRESH=5\n",
              NULL);
    ck_assert_int_eq(loaded.result, 0);
    ck_assert(!loaded.config.sender.await_fin);
    ck_assert_uint_eq(loaded.config.sender.replay_window_ms, 120000);
    ck_assert_str_eq(loaded.config.master.spool_dir, "/s");
    ck_assert_uint_eq(loaded.config.sender.spool_max_bytes, 3 << 20);
    ck_assert_uint_eq(loaded.config.sender.spool_max_age_ms, 3600000);
    ck_assert_uint_eq(loaded.config.sender.dns_refresh_ms, 5000);
    load_release(&loaded);
    load_text(&loaded, "", NULL);
    ck_assert(loaded.config.sender.await_fin);
    load_release(&loaded);
}
END_TEST

/* What an aggregator has got of an interval must not come again, as a part of the whole. */
START_TEST(test_open_interval)
{
    static const struct {
        const char *text;
        bool outlives, never_twice, keep_open;
    } rows[] = {
        {"", false, false, false},
        {"DOWNSTREAM=aggregator\n", false, true, false},
        {"STATE_DIR=/run/x\n", true, false, true},
        {"STATE_DIR=/run/x\nDOWNSTREAM=aggregator\n", true, true, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct loaded loaded;

        load_text(&loaded, rows[i].text, NULL);
        ck_assert_int_eq(loaded.result, 0);
        ck_assert_int_eq(loaded.config.sender.arena_outlives, rows[i].outlives);
        ck_assert_int_eq(loaded.config.sender.never_twice, rows[i].never_twice);
        ck_assert_int_eq(loaded.config.worker.keep_open, rows[i].keep_open);
        load_release(&loaded);
    }
}
END_TEST

START_TEST(test_gauges_file)
{
    static const struct {
        const char *text, *path, *name;
    } rows[] = {
        {"", "", ""},
        {"GAUGES_FILE=/var/lib/x/gauges\n", "/var/lib/x/gauges", "gauges"},
        {"GAUGES_FILE=/gauges/\n", "/gauges", "gauges"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct loaded loaded;

        load_text(&loaded, rows[i].text, NULL);
        ck_assert_int_eq(loaded.result, 0);
        ck_assert_str_eq(loaded.config.master.gauges_file, rows[i].path);
        ck_assert_str_eq(loaded.config.sender.gauges_name, rows[i].name);
        load_release(&loaded);
    }
}
END_TEST

START_TEST(test_process)
{
    struct loaded loaded;

    load_text(&loaded, "USER=daemon\nGROUP=adm\nPIDFILE=/run/x.pid\nSTATE_DIR=/y\nLOG=syslog\n",
              NULL);
    ck_assert_int_eq(loaded.result, 0);
    ck_assert_str_eq(loaded.config.master.user, "daemon");
    ck_assert_str_eq(loaded.config.master.group, "adm");
    ck_assert_str_eq(loaded.config.master.pidfile, "/run/x.pid");
    ck_assert_str_eq(loaded.config.master.state_dir, "/y");
    ck_assert_int_eq(loaded.config.log_to, LOG_TO_SYSLOG);
    load_release(&loaded);
}
END_TEST

START_TEST(test_log_levels)
{
    static const struct {
        const char *text;
        int level;
    } rows[] = {
        {"LOG_LEVEL=error\n", LOG_ERR}, {"LOG_LEVEL=warning\n", LOG_WARNING},
        {"LOG_LEVEL=info\n", LOG_INFO}, {"LOG_LEVEL=debug\n", LOG_DEBUG},
        {"LOG_LEVEL=''\n", LOG_EMERG}, /* refused */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct loaded loaded;

        load_text(&loaded, rows[i].text, NULL);
        ck_assert_int_eq(loaded.result, rows[i].level == LOG_EMERG ? -1 : 0);
        if (loaded.result == 0)
            ck_assert_int_eq(loaded.config.log_level, rows[i].level);
        load_release(&loaded);
    }
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_values,      test_destination, test_several_hosts_are_not_built,
        test_delivery,    test_promises,    test_open_interval,
        test_gauges_file, test_process,     test_log_levels,
    };

    return load_run("keys_out", tests, sizeof(tests) / sizeof(tests[0]));
}
