/*
 * check_args: the flags, their abbreviations, the help, and what is refused.
 */
#include "master/args.h"

#include "load.h"

#define ARGV_MAX 16

struct parsed {
    int result;
    struct args args;
    char out[8192], err[8192];
    char *argv[ARGV_MAX]; /* the arguments borrow from here */
};

/* Sends a standard stream to a file; returns what it was. */
static int
divert(FILE *stream, FILE *file)
{
    int saved = dup(fileno(stream));

    fflush(stream);
    ck_assert_int_ge(dup2(fileno(file), fileno(stream)), 0);
    return saved;
}

static void
restore(FILE *stream, int saved, FILE *file, char *text, size_t size)
{
    fflush(stream);
    ck_assert_int_ge(dup2(saved, fileno(stream)), 0);
    close(saved);
    rewind(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

/* Parses flags, which end with NULL, and keeps what is printed. */
static void
parse(struct parsed *parsed, const char *const *flags)
{
    FILE *out = tmpfile(), *err = tmpfile();
    int argc = 1;

    memset(parsed, 0, sizeof(*parsed));
    parsed->argv[0] = strdup("pystatsd-server");
    for (; flags[argc - 1] != NULL; argc++) {
        ck_assert_int_lt(argc, ARGV_MAX - 1);
        parsed->argv[argc] = strdup(flags[argc - 1]);
    }
    ck_assert(out != NULL && err != NULL);
    int saved_out = divert(stdout, out), saved_err = divert(stderr, err);
    parsed->result = args_parse(argc, parsed->argv, &parsed->args);
    restore(stdout, saved_out, out, parsed->out, sizeof(parsed->out));
    restore(stderr, saved_err, err, parsed->err, sizeof(parsed->err));
}

static void
release(struct parsed *parsed)
{
    args_release(&parsed->args);
    for (size_t i = 0; i < ARGV_MAX; i++)
        free(parsed->argv[i]);
}

START_TEST(test_flags_and_their_keys)
{
    static const struct {
        const char *flags[3];
        const char *flag, *key, *value;
    } rows[] = {
        {{"-d"}, "--debug", "LOG_LEVEL", "debug"},
        {{"--deb"}, "--debug", "LOG_LEVEL", "debug"},
        {{"-n", "h"}, "--name", "LISTEN_ADDRESS", "h"},
        {{"--name", ""}, "--name", "LISTEN_ADDRESS", ""},
        {{"-p", "1"}, "--port", "LOCAL_PYSTATD_PORT", "1"},
        {{"-p1"}, "--port", "LOCAL_PYSTATD_PORT", "1"},
        {{"--port=1"}, "--port", "LOCAL_PYSTATD_PORT", "1"},
        {{"--po", "1"}, "--port", "LOCAL_PYSTATD_PORT", "1"},
        {{"-r", "none"}, "--transport", "TRANSPORT", "none"},
        {{"--transport", "none"}, "--transport", "TRANSPORT", "none"},
        {{"--graphite-host", "h"}, "--graphite-host", "GRAPHITE_HOST", "h"},
        {{"--graphite-port", "1"}, "--graphite-port", "GRAPHITE_PORT", "1"},
        {{"--ganglia-host", "h"}, "--ganglia-host", "GANGLIA_HOST", "h"},
        {{"--ganglia-port", "1"}, "--ganglia-port", "GANGLIA_PORT", "1"},
        {{"--ganglia-spoof-host", "h:h"}, "--ganglia-spoof-host", "GANGLIA_SPOOF_HOST", "h:h"},
        {{"--ganglia-gmetric-exec", "x"}, "--ganglia-gmetric-exec", "GMETRIC_EXEC", "x"},
        {{"--ganglia-gmetric-options", "-d 60"},
         "--ganglia-gmetric-options",
         "GMETRIC_OPTIONS",
         "-d 60"},
        {{"--ganglia-max-length", "9"}, "--ganglia-max-length", "GANGLIA_MAX_LENGTH", "9"},
        {{"--flush-interval", "9"}, "--flush-interval", "FLUSH_INTERVAL", "9"},
        {{"--flush", "9"}, "--flush-interval", "FLUSH_INTERVAL", "9"},
        {{"--no-aggregate-counters"}, "--no-aggregate-counters", "AGGREGATE_COUNTERS", "no"},
        {{"--global-prefix", ""}, "--global-prefix", "GLOBAL_PREFIX", ""},
        {{"--counters-prefix", "x"}, "--counters-prefix", "COUNTERS_PREFIX", "x"},
        {{"--timers-prefix", "x"}, "--timers-prefix", "TIMERS_PREFIX", "x"},
        {{"-t", "-10"}, "--pct", "PCT", "-10"},
        {{"--pct", "90"}, "--pct", "PCT", "90"},
        {{"--pidfile", "/x"}, "--pidfile", "PIDFILE", "/x"},
        {{"--expire", "9"}, "--expire", "EXPIRE", "9"},
        {{"--set", "MAX_NAME=9"}, "--set", "MAX_NAME", "9"},
        {{"--set", "max_name="}, "--set", "MAX_NAME", ""},
        {{"--set=GLOBAL_PREFIX=a=b c"}, "--set", "GLOBAL_PREFIX", "a=b c"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed parsed;

        parse(&parsed, rows[i].flags);
        ck_assert_msg(parsed.result == 0, "%s: %s", rows[i].flags[0], parsed.err);
        ck_assert_int_eq(parsed.args.action, ARGS_RUN);
        ck_assert_uint_eq(parsed.args.n_settings, 1);
        ck_assert_str_eq(parsed.args.settings[0].flag, rows[i].flag);
        ck_assert_str_eq(parsed.args.settings[0].key, rows[i].key);
        ck_assert_str_eq(parsed.args.settings[0].value, rows[i].value);
        ck_assert_int_eq(parsed.args.debug, strcmp(rows[i].flag, "--debug") == 0);
        ck_assert_str_eq(parsed.err, "");
        release(&parsed);
    }
}
END_TEST

START_TEST(test_actions)
{
    static const struct {
        const char *flags[4];
        enum args_action action;
        bool daemon;
        const char *config_file;
        const char *line;
    } rows[] = {
        {{NULL}, ARGS_RUN, false, NULL, NULL},
        {{"-D"}, ARGS_RUN, true, NULL, NULL},
        {{"--daemon"}, ARGS_RUN, true, NULL, NULL},
        {{"-dD"}, ARGS_RUN, true, NULL, NULL},
        {{"--stop"}, ARGS_STOP, false, NULL, NULL},
        {{"--restart"}, ARGS_RESTART, true, NULL, NULL},
        {{"--check-config", "--config", "f"}, ARGS_CHECK, false, "f", NULL},
        {{"--explain=a:1|c", "--config", "f"}, ARGS_EXPLAIN, false, "f", "a:1|c"},
        {{"--config=a", "--config=/dev/null"}, ARGS_RUN, false, "/dev/null", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed parsed;

        parse(&parsed, rows[i].flags);
        ck_assert_int_eq(parsed.result, 0);
        ck_assert_int_eq(parsed.args.action, rows[i].action);
        ck_assert_int_eq(parsed.args.daemon, rows[i].daemon);
        ck_assert_pstr_eq(parsed.args.config_file, rows[i].config_file);
        ck_assert_pstr_eq(parsed.args.line, rows[i].line);
        ck_assert_str_eq(parsed.out, "");
        release(&parsed);
    }
}
END_TEST

START_TEST(test_settings_keep_their_order)
{
    struct parsed parsed;

    parse(&parsed, (const char *const[]){"-p1", "--set", "a=2", "-p3", "--set", "bb=4", NULL});
    ck_assert_int_eq(parsed.result, 0);
    ck_assert_uint_eq(parsed.args.n_settings, 4);
    ck_assert_str_eq(parsed.args.settings[0].value, "1");
    ck_assert_str_eq(parsed.args.settings[1].key, "A");
    ck_assert_str_eq(parsed.args.settings[2].value, "3");
    ck_assert_str_eq(parsed.args.settings[3].key, "BB");
    ck_assert_str_eq(parsed.args.settings[3].value, "4");
    release(&parsed);
}
END_TEST

START_TEST(test_must_refuse)
{
    static const struct {
        const char *flags[4];
        const char *error;
    } rows[] = {
        {{"x"}, "unexpected argument 'x'"},
        {{"-d", "x", "-D"}, "unexpected argument 'x'"},
        {{"--", "-d"}, "unexpected argument '-d'"},
        {{"--bogus"}, "--bogus"},
        {{"-x"}, "'x'"},
        {{"--p", "1"}, "ambiguous"},
        {{"--port"}, "requires an argument"},
        {{"-p"}, "requires an argument"},
        {{"--debug=1"}, "doesn't allow an argument"},
        {{"--set", "MAX_NAME"}, "--set: expected KEY=VALUE, got 'MAX_NAME'"},
        {{"--set", "=9"}, "--set: expected KEY=VALUE, got '=9'"},
        {{"--set", ""}, "--set: expected KEY=VALUE, got ''"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed parsed;

        parse(&parsed, rows[i].flags);
        ck_assert_msg(parsed.result == -1, "%s", rows[i].flags[0]);
        ck_assert_msg(strstr(parsed.err, rows[i].error) != NULL, "%s", parsed.err);
        ck_assert_msg(strchr(parsed.err, '\n') == parsed.err + strlen(parsed.err) - 1, "%s",
                      parsed.err);
        ck_assert_str_eq(parsed.out, "");
        ck_assert_ptr_null(parsed.args.storage);
        release(&parsed);
    }
}
END_TEST

START_TEST(test_too_many_settings)
{
    static char program[] = "pystatsd-server", flag[] = "-p1";
    char *argv[ARGS_SETTINGS_MAX + 3] = {program};
    struct args args;

    for (size_t i = 1; i <= ARGS_SETTINGS_MAX + 1; i++)
        argv[i] = flag;
    ck_assert_int_eq(args_parse(ARGS_SETTINGS_MAX + 1, argv, &args), 0);
    ck_assert_uint_eq(args.n_settings, ARGS_SETTINGS_MAX);
    args_release(&args);
    FILE *err = tmpfile();
    char text[256];
    ck_assert_ptr_nonnull(err);
    int saved = divert(stderr, err);
    int result = args_parse(ARGS_SETTINGS_MAX + 2, argv, &args);
    restore(stderr, saved, err, text, sizeof(text));
    ck_assert_int_eq(result, -1);
    ck_assert_str_eq(text, "pystatsd-server: more than 128 settings\n");
}
END_TEST

START_TEST(test_version)
{
    struct parsed parsed;

    parse(&parsed, (const char *const[]){"--version", "--bogus", NULL});
    ck_assert_int_eq(parsed.result, 0);
    ck_assert_int_eq(parsed.args.action, ARGS_DONE);
    ck_assert_str_eq(parsed.out, "pystatsd-server " PYSTATSD_VERSION "\n");
    release(&parsed);
}
END_TEST

START_TEST(test_help_is_one_screen_with_every_flag)
{
    static const char *const names[] = {
        "-d, --debug ",
        "-n, --name HOST ",
        "-p, --port PORT ",
        "-r, --transport ",
        "--graphite-host ",
        "--graphite-port ",
        "--ganglia-host ",
        "--ganglia-port ",
        "--ganglia-spoof-host ",
        "--ganglia-gmetric-exec ",
        "--ganglia-gmetric-options ",
        "--ganglia-max-length ",
        "--flush-interval MS ",
        "--no-aggregate-counters ",
        "--global-prefix ",
        "--counters-prefix ",
        "--timers-prefix ",
        "-t, --pct ",
        "-D, --daemon ",
        "--pidfile FILE ",
        "--restart ",
        "--stop ",
        "--expire SECONDS ",
        "--config FILE ",
        "--set KEY=VALUE ",
        "--check-config ",
        "--version ",
        "-h, --help ",
    };
    struct parsed parsed;
    size_t n_lines = 0;

    parse(&parsed, (const char *const[]){"-h", NULL});
    ck_assert_int_eq(parsed.result, 0);
    ck_assert_int_eq(parsed.args.action, ARGS_DONE);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        ck_assert_msg(strstr(parsed.out, names[i]) != NULL, "%s", names[i]);
    for (const char *at = parsed.out; *at != '\0'; n_lines++) {
        size_t len = strcspn(at, "\n");
        ck_assert_msg(len < 80, "%.*s", (int)len, at);
        at += len + 1;
    }
    ck_assert_uint_le(n_lines, 40);
    release(&parsed);
}
END_TEST

START_TEST(test_release_of_zeroed)
{
    struct args args = {0};

    args_release(&args);
    ck_assert_int_eq(args_parse(0, (char *[]){NULL}, &args), 0);
    ck_assert_int_eq(args.action, ARGS_RUN);
    args_release(&args);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_flags_and_their_keys,
        test_actions,
        test_settings_keep_their_order,
        test_must_refuse,
        test_too_many_settings,
        test_version,
        test_help_is_one_screen_with_every_flag,
        test_release_of_zeroed,
    };

    return load_run("args", tests, sizeof(tests) / sizeof(tests[0]));
}
