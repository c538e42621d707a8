/*
 * check_explain: what is told of a line, to the letter where a script may read it.
 */
#include "worker/explain.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct worker_opts opts;
static struct buf out;
static bool sent;

static void
set_up(void)
{
    memset(&opts, 0, sizeof(opts));
    dialect_init(&opts.dialect);
    opts.names = (struct name_limits){.name_max = 32, .node_max = 16};
    opts.max_metrics = 1;
    opts.timer_max_samples = 1000;
    opts.set_exact_max = 1000;
    opts.flush_ms = 10000;
    sent = false;
    buf_init(&out, EXPLAIN_TEXT_MAX);
}

static void
tear_down(void)
{
    buf_release(&out);
}

/* As a string. */
static const char *
tell(const char *line, size_t len)
{
    out.len = 0;
    sent = false;
    ck_assert_int_eq(explain(&opts, line, len, &out, &sent), 0);
    ck_assert_int_eq(buf_append(&out, "", 1), 0);
    return (const char *)out.data;
}

START_TEST(a_counter_in_full)
{
    ck_assert_str_eq(tell("a b/c:3|c|@0.5", 14),
                     "line a b/c:3|c|@0.5\n"
                     "type counter\n"
                     "value 3\n"
                     "rate 0.5\n"
                     "name a b/c\n"
                     "clean a_b-c\n"
                     "prefix stats\n"
                     "rule values by their rates, added up, by the 10 s of an interval\n"
                     "sent stats.a_b-c 0.6\n");
    ck_assert(sent);
}
END_TEST

/* Lines that the text has, each with its newline. */
static const struct {
    const char *line;
    const char *has;
    bool sent;
} told[] = {
    {"a:1|c", "sent stats.a 0.1\n", true},
    {"a:1|g", "sent stats.a 1\n", true},
    {"a:1|g\r", "line a:1|g\\x0d\n", true},
    {"a:2|ms", "sent stats.timers.a.lower 2\nsent stats.timers.a.count 1\n", true},
    {"a:2|ms", "sent stats.timers.a.upper_90 2\n", true},
    {"u:joe|s", "member joe\nrate 1\nname u\n", true},
    {"u:joe|s", "sent stats.sets.u.count 1\n", true},
    {"u:joe|s|#t:1", "ignored #t:1\n", true},
    {"a:1|c|@0.5|#t", "rate 1\nignored @0.5|#t\n", true},
    {"a", "refused no_value: ", false},
    {":1|c", "refused no_name: ", false},
    {"\xff\xfe:1|c", "name \\xff\\xfe\nrefused no_name: ", false},
    {"a:1", "refused no_type: ", false},
    {"a:1|x", "refused bad_type: ", false},
    {"a:x|c", "refused bad_value: ", false},
    {"a:1|c|@2", "refused bad_rate: ", false},
    {"a:1|c|x", "refused bad_field: ", false},
    {"a1234567890123456:1|c", "refused too_long: ", false},
    {"a:1e308|c|@0.001", "refused overflow: ", false},
    {"\n\x1b[2J:1|c", "line \\x0a\\x1b[2J:1|c\n", true},
    {"", "line \nempty ", false},
    {"\r", "line \\x0d\nempty ", false},
};

START_TEST(each_line)
{
    const char *text = tell(told[_i].line, strlen(told[_i].line));

    ck_assert_msg(strstr(text, told[_i].has) != NULL, "%s", text);
    ck_assert_int_eq(sent, told[_i].sent);
    ck_assert_int_eq(strstr(text, "\nsent ") != NULL, told[_i].sent);
    for (const char *at = text; *at != '\0'; at++)
        ck_assert(*at == '\n' || (*at >= ' ' && *at <= '~'));
}
END_TEST

START_TEST(a_nul_ends_nothing)
{
    ck_assert_ptr_nonnull(strstr(tell("a\0b:1|c", 7), "name a\\x00b\nclean ab\n"));
}
END_TEST

START_TEST(filters)
{
    opts.filter = (struct filter_opts){.drop = "x,*.debug", .allow = "a.*,b"};
    ck_assert_ptr_nonnull(strstr(tell("a.debug:1|c", 11), "filtered DROP *.debug\n"));
    ck_assert(!sent);
    ck_assert_ptr_nonnull(strstr(tell("c:1|c", 5), "filtered no pattern of ALLOW matches\n"));
    ck_assert(!sent);
    ck_assert_ptr_nonnull(strstr(tell("a.c:1|c", 7), "allowed a.*\n"));
    ck_assert(sent);
}
END_TEST

START_TEST(settings)
{
    opts.dialect.rates = false;
    ck_assert_int_eq(dialect_set_affix(opts.dialect.global_prefix, "key"), 0);
    ck_assert_int_eq(dialect_set_affix(opts.dialect.global_suffix, "host"), 0);
    ck_assert_ptr_nonnull(
        strstr(tell("a:1|c|@0.1", 10), "global_prefix key\nglobal_suffix host\n"));
    ck_assert_ptr_nonnull(strstr((const char *)out.data, "sent key.stats.a.host 10\n"));
    opts.rules.omit_idle_gauges = true;
    ck_assert_ptr_nonnull(strstr(tell("a:1|g", 5), "GAUGES_MAX_TTL"));
}
END_TEST

/* The longest line, every byte of it escaped to four, with the longest number. */
START_TEST(the_longest_text_fits)
{
    char *line = malloc(EXPLAIN_LINE_MAX);

    ck_assert_ptr_nonnull(line);
    memset(line, 0xff, EXPLAIN_LINE_MAX);
    memcpy(line, "a", 1);
    memcpy(line + EXPLAIN_LINE_MAX - 9, ":-1e308|g", 9);
    ck_assert_ptr_nonnull(strstr(tell(line, EXPLAIN_LINE_MAX), "sent stats.a -1000000"));
    ck_assert_int_eq(out.data[out.len - 2], '\n');
    free(line);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("explain");
    TCase *tests = tcase_create("explain");
    SRunner *runner = srunner_create(suite);
    int n_failed;

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_counter_in_full);
    tcase_add_loop_test(tests, each_line, 0, sizeof(told) / sizeof(told[0]));
    tcase_add_test(tests, a_nul_ends_nothing);
    tcase_add_test(tests, filters);
    tcase_add_test(tests, settings);
    tcase_add_test(tests, the_longest_text_fits);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
