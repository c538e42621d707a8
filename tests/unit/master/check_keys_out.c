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
        {"QUEUE_MEMORY", "1M", "1M"},
        {"QUEUE_MEMORY", "1M1", NULL},
        {"QUEUE_MEMORY", "0", NULL},
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
        {"LOG", "syslog", "syslog"},
        {"LOG", "journal", NULL},
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

START_TEST(test_process)
{
    struct loaded loaded;

    load_text(&loaded, "USER=daemon\nGROUP=adm\nPIDFILE=/run/x.pid\nLOG=syslog\n", NULL);
    ck_assert_int_eq(loaded.result, 0);
    ck_assert_str_eq(loaded.config.master.user, "daemon");
    ck_assert_str_eq(loaded.config.master.group, "adm");
    ck_assert_str_eq(loaded.config.master.pidfile, "/run/x.pid");
    ck_assert(loaded.config.log_to_syslog);
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
        test_values,   test_destination, test_several_hosts_are_not_built,
        test_delivery, test_process,     test_log_levels,
    };

    return load_run("keys_out", tests, sizeof(tests) / sizeof(tests[0]));
}
