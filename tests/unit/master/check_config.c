/*
 * check_config: precedence, origins, messages, and that what is printed means the same again.
 */
#include "master/config.h"

#include <syslog.h>

#include "load.h"

static const char ALL_KINDS[] = "PCT={99.9,50}\nFLUSH_INTERVAL=1m\nEXPIRE=1500ms\nMEMORY_LIMIT=3M\n"
                                "LISTEN_ADDRESS=\nGLOBAL_PREFIX='a$b`c\"'\nGLOBAL_SUFFIX=\"it's\"\n"
                                "SELF_STATS=0\nGRAPHITE_HOST=\"[::1]:77\"\nTRANSPORT=none\n"
                                "PIDFILE=\"/run/a b.pid\"\nCOUNTERS_PREFIX=c.\nEXPIRE_SETS=3\n"
                                "DROP=\"*.debug,a?\"\nALLOW={a,b}\nIDLE_GAUGES=omit\nTHREADS=2\n";

static void
assert_entry(const struct loaded *loaded, const char *key, const char *value,
             enum config_origin origin)
{
    const struct config_entry *entry = load_entry(loaded, key);

    ck_assert_str_eq(entry->value, value);
    ck_assert_int_eq(entry->origin, origin);
}

static void
assert_error(const char *text, const char *const *flags, const char *error)
{
    struct loaded loaded;

    load_text(&loaded, text, flags);
    ck_assert_msg(loaded.result == -1, "%s", error);
    ck_assert_str_eq(load_error(&loaded), error);
    load_release(&loaded);
}

START_TEST(test_precedence)
{
    const char *const flags[] = {"--port", "1", "-p2", "--set", "MAX_NAME=20", NULL};
    struct loaded loaded;

    load_text(&loaded, "LOCAL_PYSTATD_PORT=3\nMAX_NAME=30\nMAX_NODE=40\nMAX_NODE=41\n", flags);
    ck_assert_int_eq(loaded.result, 0);
    assert_entry(&loaded, "LOCAL_PYSTATD_PORT", "2", ORIGIN_FLAG);
    ck_assert_str_eq(load_entry(&loaded, "LOCAL_PYSTATD_PORT")->where, "--port");
    assert_entry(&loaded, "MAX_NAME", "20", ORIGIN_FLAG);
    ck_assert_str_eq(load_entry(&loaded, "MAX_NAME")->where, "--set");
    assert_entry(&loaded, "MAX_NODE", "41", ORIGIN_FILE);
    assert_entry(&loaded, "SETS_PREFIX", "stats.sets", ORIGIN_DIALECT);
    assert_entry(&loaded, "PCT", "90", ORIGIN_DEFAULT);
    ck_assert_str_eq(load_entry(&loaded, "PCT")->where, "");
    ck_assert_str_eq(load_warnings(&loaded), "");
    load_release(&loaded);
}
END_TEST

START_TEST(test_alias)
{
    struct loaded loaded;

    load_text(&loaded, "LOCAL_PYSTATSD_PORT=3\n", NULL);
    ck_assert_int_eq(loaded.result, 0);
    assert_entry(&loaded, "LOCAL_PYSTATD_PORT", "3", ORIGIN_FILE);
    load_release(&loaded);
    load_text(&loaded, "", (const char *const[]){"-p1", "--set", "local_pystatsd_port=4", NULL});
    ck_assert_int_eq(loaded.result, 0);
    assert_entry(&loaded, "LOCAL_PYSTATD_PORT", "4", ORIGIN_FLAG);
    load_release(&loaded);
}
END_TEST

START_TEST(test_lists_are_one_list_however_written)
{
    static const char *const texts[] = {"PCT={90,99.9}\n", "PCT=\"90,99.9\"\n", "PCT='90, 99.9'\n",
                                        "export PCT={90,99.90} \r\n", "PCT=1\nPCT={90,99.9}\n"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct loaded loaded;

        load_text(&loaded, texts[i], NULL);
        ck_assert_msg(loaded.result == 0, "%s: %s", texts[i], load_error(&loaded));
        assert_entry(&loaded, "PCT", "90,99.9", ORIGIN_FILE);
        load_release(&loaded);
    }
}
END_TEST

START_TEST(test_lists_of_a_flag)
{
    static const char *const settings[] = {"PCT={90,99.9}", "PCT=90,99.9", "PCT={90, 99.9}"};
    static const char *const wrong[] = {"PCT={}", "PCT={", "PCT=}", "PCT={{90}}", "PCT={90"};

    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        struct loaded loaded;

        load_text(&loaded, "", (const char *const[]){"--set", settings[i], NULL});
        ck_assert_msg(loaded.result == 0, "%s: %s", settings[i], load_error(&loaded));
        assert_entry(&loaded, "PCT", "90,99.9", ORIGIN_FLAG);
        load_release(&loaded);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct loaded loaded;

        load_text(&loaded, "", (const char *const[]){"--set", wrong[i], NULL});
        ck_assert_msg(loaded.result == -1, "%s is not refused", wrong[i]);
        load_release(&loaded);
    }
}
END_TEST

START_TEST(test_where_a_daemon_logs)
{
    static const struct {
        const char *text;
        const char *flags[3];
        const char *log;
        enum config_origin origin;
        enum log_destination destination;
    } rows[] = {
        {"", {NULL}, "stderr", ORIGIN_DEFAULT, LOG_TO_STDERR},
        {"", {"-D"}, "syslog", ORIGIN_DEFAULT, LOG_TO_SYSLOG},
        {"", {"--restart"}, "syslog", ORIGIN_DEFAULT, LOG_TO_SYSLOG},
        {"LOG=stderr\n", {"-D"}, "stderr", ORIGIN_FILE, LOG_TO_STDERR},
        {"", {"--set=LOG=stderr", "-D"}, "stderr", ORIGIN_FLAG, LOG_TO_STDERR},
        {"LOG=syslog\n", {NULL}, "syslog", ORIGIN_FILE, LOG_TO_SYSLOG},
        {"LOG=journal\n", {"-D"}, "journal", ORIGIN_FILE, LOG_TO_JOURNAL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct loaded loaded;

        load_text(&loaded, rows[i].text, rows[i].flags);
        ck_assert_int_eq(loaded.result, 0);
        assert_entry(&loaded, "LOG", rows[i].log, rows[i].origin);
        ck_assert_int_eq(loaded.config.log_to, rows[i].destination);
        load_release(&loaded);
    }
}
END_TEST

/* The braces of what is no list are text. */
START_TEST(test_braces_of_a_text)
{
    struct loaded loaded;

    load_text(&loaded, "", (const char *const[]){"--pidfile", "{a}", NULL});
    ck_assert_int_eq(loaded.result, 0);
    assert_entry(&loaded, "PIDFILE", "{a}", ORIGIN_FLAG);
    load_release(&loaded);
}
END_TEST

START_TEST(test_errors_name_the_line)
{
    static const char head[] = "# 1\n# 2\n# 3\n# 4\n# 5\n# 6\n# 7\n# 8\n# 9\n# 10\n\n\n"
                               "USER=nobody\nGROUP=\nPIDFILE=\nPIDFILE=/run/x\n\n";
    char text[512];

    snprintf(text, sizeof(text), "%s%s", head, "FLUSH_INTERVAL=abc\n");
    assert_error(text, NULL,
                 ":18: FLUSH_INTERVAL: expected a duration from 1000 to 86400000 (milliseconds, or "
                 "with ms, s, m, h, d), got 'abc'");
    snprintf(text, sizeof(text), "%s%s", head, "PCT=90;\n");
    assert_error(text, NULL,
                 ":18: expected a value of letters, digits and _ - . : / @ %, or one in quotes");
    assert_error("PCT=\nUSER=nobody\n", NULL,
                 ":1: PCT: expected 1 to 16 different numbers from -100 to 100, got ''");
    assert_error("PCT={}\n", NULL,
                 ":1: PCT: expected 1 to 16 different numbers from -100 to 100, got ''");
    assert_error("\nCOUNTERS_PREFIX=\"a b\"\n", NULL,
                 ":2: COUNTERS_PREFIX: expected at most 255 printable characters without blanks "
                 "and semicolons, got 'a b'");
    assert_error("DIALECT=statsd\n", NULL,
                 ":1: DIALECT: 'statsd' is not built yet in this version");
}
END_TEST

START_TEST(test_errors_name_the_flag)
{
    assert_error("", (const char *const[]){"-p", "abc", NULL},
                 "--port: expected a port from 1 to 65535, got 'abc'");
    assert_error("", (const char *const[]){"--graphite-p", "", NULL},
                 "--graphite-port: expected a port from 1 to 65535, got ''");
    assert_error("", (const char *const[]){"--set", "SELF_STATS=x", NULL},
                 "--set SELF_STATS: expected yes or no, got 'x'");
    assert_error("", (const char *const[]){"--set", "SELF_STAT=x", NULL},
                 "--set: SELF_STAT is no known key; the nearest is SELF_STATS");
    assert_error("", (const char *const[]){"--ganglia-port", "8649", NULL},
                 "--ganglia-port: GANGLIA_PORT is not built yet in this version; remove it");
    assert_error("", (const char *const[]){"-rganglia", NULL},
                 "--transport: 'ganglia' is not built yet in this version");
}
END_TEST

/* It would be found on the day on which the flag is gone. */
START_TEST(test_a_wrong_value_that_a_flag_overrides)
{
    assert_error("LOCAL_PYSTATD_PORT=abc\n", (const char *const[]){"-p1", NULL},
                 ":1: LOCAL_PYSTATD_PORT: expected a port from 1 to 65535, got 'abc'");
}
END_TEST

START_TEST(test_a_flag_needs_no_quotes)
{
    const char *const flags[] = {"--global-prefix", "",  "--counters-prefix", "a$b`c", "--set",
                                 "USER=a b",        NULL};
    struct loaded loaded;

    load_text(&loaded, "GLOBAL_PREFIX=x\n", flags);
    ck_assert_int_eq(loaded.result, 0);
    assert_entry(&loaded, "GLOBAL_PREFIX", "", ORIGIN_FLAG);
    assert_entry(&loaded, "COUNTERS_PREFIX", "a$b`c", ORIGIN_FLAG);
    assert_entry(&loaded, "USER", "a b", ORIGIN_FLAG);
    load_release(&loaded);
}
END_TEST

/* libconfuse would put the environment's HOME there. */
START_TEST(test_nothing_is_evaluated)
{
    struct loaded loaded;

    load_text(&loaded, "COUNTERS_PREFIX='${HOME}'\n", NULL);
    ck_assert_int_eq(loaded.result, 0);
    assert_entry(&loaded, "COUNTERS_PREFIX", "${HOME}", ORIGIN_FILE);
    load_release(&loaded);
}
END_TEST

START_TEST(test_unknown_keys_stop_nothing)
{
    char expected[512];
    struct loaded loaded;

    load_text(&loaded, "PATH=/bin\nMAX_NAME=9\nMY={a,b}\nMAX_NODES=5\nLANG=\n", NULL);
    ck_assert_int_eq(loaded.result, 0);
    assert_entry(&loaded, "MAX_NAME", "9", ORIGIN_FILE);
    assert_entry(&loaded, "MAX_NODE", "240", ORIGIN_DEFAULT);
    snprintf(expected, sizeof(expected),
             "%s:4: MAX_NODES is no known key; the nearest is MAX_NODE, and it is ignored\n",
             loaded.path);
    ck_assert_msg(strstr(load_warnings(&loaded), expected) != NULL, "%s", load_warnings(&loaded));
    load_release(&loaded);
}
END_TEST

START_TEST(test_values_of_any_length)
{
    char *text = malloc(100001);
    struct loaded loaded;

    ck_assert_ptr_nonnull(text);
    strcpy(text, "PIDFILE=/");
    memset(text + 9, 'x', 100000 - 9);
    text[100000] = '\0';
    load_text(&loaded, text, NULL);
    ck_assert_int_eq(loaded.result, -1);
    ck_assert_str_eq(load_error(&loaded), ":1: PIDFILE: expected at most 511 bytes");
    load_release(&loaded);
    text[8 + 511] = '\0';
    load_text(&loaded, text, NULL);
    ck_assert_int_eq(loaded.result, 0);
    ck_assert_str_eq(loaded.config.master.pidfile, text + 8);
    load_release(&loaded);
    free(text);
}
END_TEST

START_TEST(test_debug)
{
    struct loaded loaded;

    load_text(&loaded, "LOG_LEVEL=error\n", (const char *const[]){"-d", NULL});
    ck_assert_int_eq(loaded.result, 0);
    ck_assert_int_eq(loaded.config.log_level, LOG_DEBUG);
    ck_assert(loaded.config.sender.print_flushes);
    load_release(&loaded);
    load_text(&loaded, "LOG_LEVEL=debug\n", NULL);
    ck_assert(!loaded.config.sender.print_flushes);
    load_release(&loaded);
}
END_TEST

/* The end of a long path is what tells two files apart. */
START_TEST(test_where_is_cut_on_the_left)
{
    char base[256], path[512];
    struct loaded loaded;

    load_make_file(base, "MAX_NAME=9\n", 11);
    snprintf(path, sizeof(path), "%.*s%s%s", (int)(strrchr(base, '/') - base), base,
             "////////////////////////////////////////////////////////", strrchr(base, '/'));
    snprintf(loaded.path, sizeof(loaded.path), "%.255s", path);
    load_path(&loaded, NULL);
    unlink(base);
    ck_assert_int_eq(loaded.result, 0);
    const char *where = load_entry(&loaded, "MAX_NAME")->where;
    ck_assert_uint_eq(strlen(where), sizeof(loaded.config.entries[0].where) - 1);
    snprintf(path, sizeof(path), "%s:1", strrchr(base, '/'));
    ck_assert_str_eq(where + strlen(where) - strlen(path), path);
    load_release(&loaded);
}
END_TEST

static char *
print(const struct config *config)
{
    char *text = NULL;
    size_t len;
    FILE *stream = open_memstream(&text, &len);

    ck_assert_ptr_nonnull(stream);
    config_print(config, stream);
    fclose(stream);
    return text;
}

/* The worker's lists are the configuration's own copies. */
static void
assert_own_lists(const struct config *config)
{
    ck_assert_ptr_eq(config->worker.filter.drop, config->lists[0]);
    ck_assert_ptr_eq(config->worker.filter.allow, config->lists[1]);
    ck_assert_uint_eq(config->n_lists, CONFIG_LISTS_MAX);
}

START_TEST(test_what_is_printed_means_the_same)
{
    static const char *const texts[] = {"", ALL_KINDS};

    for (size_t i = 0; i < 2; i++) {
        struct loaded first, second;

        load_text(&first, texts[i], (const char *const[]){"--set", "GROUP=a'b", NULL});
        ck_assert_msg(first.result == 0, "%s", load_error(&first));
        char *text = print(&first.config);
        load_text(&second, text, NULL);
        ck_assert_msg(second.result == 0, "%s%s", text, load_error(&second));
        ck_assert_str_eq(load_warnings(&second), "");
        ck_assert_uint_eq(first.config.n_entries, second.config.n_entries);
        for (size_t k = 0; k < first.config.n_entries; k++) {
            ck_assert_str_eq(first.config.entries[k].key, second.config.entries[k].key);
            ck_assert_str_eq(config_entry_text(&first.config.entries[k]),
                             config_entry_text(&second.config.entries[k]));
        }
        ck_assert_mem_eq(&first.config.master, &second.config.master, sizeof(first.config.master));
        assert_own_lists(&first.config);
        assert_own_lists(&second.config);
        memset(&first.config.worker.filter, 0, sizeof(first.config.worker.filter));
        memset(&second.config.worker.filter, 0, sizeof(second.config.worker.filter));
        ck_assert_mem_eq(&first.config.worker, &second.config.worker, sizeof(first.config.worker));
        ck_assert_str_eq(first.config.destination, second.config.destination);
        free(text);
        load_release(&first);
        load_release(&second);
    }
}
END_TEST

START_TEST(test_print_tells_the_origin)
{
    struct loaded loaded;
    char expected[512];

    load_text(&loaded, "\nMAX_NAME=9\n", (const char *const[]){"--pct", "5", NULL});
    ck_assert_int_eq(loaded.result, 0);
    char *text = print(&loaded.config);
    ck_assert_msg(strncmp(text, "# default\nLOCAL_PYSTATD_PORT=\"8125\"\n", 36) == 0, "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "\n# command line: --pct\nPCT=\"5\"\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n# dialect\nGAUGES_PREFIX=\"stats\"\n"));
    snprintf(expected, sizeof(expected), "%s:2\nMAX_NAME=\"9\"\n", strrchr(loaded.path, '/'));
    ck_assert_msg(strstr(text, expected) != NULL, "%s in %s", expected, text);
    free(text);
    load_release(&loaded);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_precedence,
        test_alias,
        test_lists_are_one_list_however_written,
        test_lists_of_a_flag,
        test_braces_of_a_text,
        test_where_a_daemon_logs,
        test_errors_name_the_line,
        test_errors_name_the_flag,
        test_a_wrong_value_that_a_flag_overrides,
        test_a_flag_needs_no_quotes,
        test_nothing_is_evaluated,
        test_unknown_keys_stop_nothing,
        test_values_of_any_length,
        test_debug,
        test_where_is_cut_on_the_left,
        test_what_is_printed_means_the_same,
        test_print_tells_the_origin,
    };

    return load_run("config", tests, sizeof(tests) / sizeof(tests[0]));
}
