/*
 * check_keys_name: each setting of names, with a good and a bad value, and where it ends up.
 */
#include "load.h"

START_TEST(test_values)
{
    static const struct load_row rows[] = {
        {"COUNTERS_PREFIX", "", ""},
        {"COUNTERS_PREFIX", "a.b.", "a.b"},
        {"COUNTERS_PREFIX", "a b", NULL},
        {"TIMERS_PREFIX", "t", "t"},
        {"TIMERS_PREFIX", "a;b", NULL},
        {"GAUGES_PREFIX", "g", "g"},
        {"GAUGES_PREFIX", "a b", NULL},
        {"SETS_PREFIX", "s", "s"},
        {"SETS_PREFIX", "a b", NULL},
        {"DROP", "", ""},
        {"DROP", "*.debug,a?", "*.debug,a?"},
        {"DROP", "a,,b", NULL},
        {"DROP", "a b", NULL},
        {"ALLOW", "", ""},
        {"ALLOW", "web.*", "web.*"},
        {"ALLOW", ",", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        load_check_row(&rows[i]);
}
END_TEST

START_TEST(test_dialect_of_both_processes)
{
    static const char text[] = "AGGREGATE_COUNTERS=no\nCOUNTERS_PREFIX=c\nSELF_STATS=no\n"
                               "TIMERS_PREFIX=t\nSETS_PREFIX=s\nSELF_PREFIX=own\n"
                               "GLOBAL_PREFIX=before.\nGLOBAL_SUFFIX=.behind\n";
    struct loaded loaded;

    load_text(&loaded, text, NULL);
    ck_assert_int_eq(loaded.result, 0);
    const struct dialect *dialect = &loaded.config.sender.dialect;
    ck_assert_mem_eq(dialect, &loaded.config.worker.dialect, sizeof(*dialect));
    ck_assert(!dialect->rates);
    ck_assert(!loaded.config.worker.self_stats && !loaded.config.sender.self_stats);
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

/* The lists as the worker is given them, however they are written. */
START_TEST(test_filter)
{
    static const char *const texts[] = {
        "DROP=\"*.debug,a?\"\nALLOW={web,db}\n",
        "DROP='*.debug,a?'\nALLOW=\"web,db\"\n",
        "DROP=x\nexport DROP=\"*.debug,a?\"\nALLOW='web,db'\n",
    };

    for (size_t i = 0; i < 3; i++) {
        struct loaded loaded;

        load_text(&loaded, texts[i], NULL);
        ck_assert_msg(loaded.result == 0, "%s", load_error(&loaded));
        ck_assert_str_eq(loaded.config.worker.filter.drop, "*.debug,a?");
        ck_assert_str_eq(loaded.config.worker.filter.allow, "web,db");
        load_release(&loaded);
    }
}
END_TEST

START_TEST(test_no_filter)
{
    static const char *const texts[] = {"", "DROP=\nALLOW=\n", "DROP=\"\"\nALLOW={}\n"};

    for (size_t i = 0; i < 3; i++) {
        struct loaded loaded;

        load_text(&loaded, texts[i], NULL);
        ck_assert_msg(loaded.result == 0, "%s", load_error(&loaded));
        ck_assert_str_eq(loaded.config.worker.filter.drop, "");
        ck_assert_str_eq(loaded.config.worker.filter.allow, "");
        load_release(&loaded);
    }
}
END_TEST

/* n patterns of len bytes, in quotes. */
static char *
long_setting(const char *key, size_t n, size_t len)
{
    char *text = malloc(16 + n * (len + 1));
    char *at;

    ck_assert_ptr_nonnull(text);
    at = text + sprintf(text, "%s=\"", key);
    for (size_t i = 0; i < n; i++) {
        memset(at, '*', len);
        at[len] = ',';
        at += len + 1;
    }
    strcpy(at - 1, "\"\n");
    return text;
}

/* What a filter takes at most can be set, by the file and by a flag, and is all there. */
START_TEST(test_longest_lists)
{
    char *drop = long_setting("DROP", FILTER_PATTERNS_MAX, FILTER_PATTERN_MAX);
    char *flag = long_setting("ALLOW", FILTER_PATTERNS_MAX, FILTER_PATTERN_MAX);
    static uint8_t storage[FILTER_STORAGE_MAX];
    struct filter filter;
    struct loaded loaded;

    flag[strlen(flag) - 2] = '\0';
    memmove(flag + 6, flag + 7, strlen(flag + 7) + 1);
    load_text(&loaded, drop, (const char *const[]){"--set", flag, NULL});
    ck_assert_msg(loaded.result == 0, "%s", load_error(&loaded));
    const struct filter_opts *opts = &loaded.config.worker.filter;
    ck_assert_uint_eq(strlen(opts->drop) + 1, FILTER_LIST_MAX);
    ck_assert_str_eq(opts->allow, opts->drop);
    ck_assert_str_eq(config_entry_text(load_entry(&loaded, "DROP")), opts->drop);
    ck_assert_int_eq(filter_init(&filter, opts, storage, sizeof(storage)), 0);
    load_release(&loaded);
    free(drop);
    free(flag);
}
END_TEST

START_TEST(test_lists_beyond_the_limits)
{
    static const struct {
        size_t n, len;
        const char *error;
    } rows[] = {
        {FILTER_PATTERNS_MAX + 1, 1, ":1: DROP: expected at most 256 words, each of 1 to 256 "},
        {1, FILTER_PATTERN_MAX + 1, ":1: DROP: expected at most 256 words, each of 1 to 256 "},
        {FILTER_PATTERNS_MAX + 1, FILTER_PATTERN_MAX, ":1: DROP: expected at most 65791 bytes"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = long_setting("DROP", rows[i].n, rows[i].len);
        struct loaded loaded;

        load_text(&loaded, text, NULL);
        ck_assert_int_eq(loaded.result, -1);
        ck_assert_msg(strncmp(load_error(&loaded), rows[i].error, strlen(rows[i].error)) == 0, "%s",
                      load_error(&loaded));
        load_release(&loaded);
        free(text);
    }
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_values,        test_dialect_of_both_processes,
        test_host_names,    test_affix_lengths,
        test_filter,        test_no_filter,
        test_longest_lists, test_lists_beyond_the_limits,
    };

    return load_run("keys_name", tests, sizeof(tests) / sizeof(tests[0]));
}
