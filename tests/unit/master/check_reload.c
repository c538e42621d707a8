/*
 * check_reload: what a changed file changes while the daemon runs, and what it says of the rest.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "master/reload.h"

static char path[] = "/tmp/check_reload.XXXXXX";
static struct args args;
static struct config *config, *fresh;
static char said[4096];

static void
write_file(const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static const char *
value_of(const char *key)
{
    for (size_t i = 0; i < config->n_entries; i++) {
        if (strcmp(config->entries[i].key, key) == 0)
            return config->entries[i].value;
    }
    ck_abort_msg("no %s", key);
}

static void
load_first(void)
{
    struct buf error, warnings;
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    close(fd);
    log_init(LOG_TO_STDERR, LOG_INFO);
    args = (struct args){.action = ARGS_RUN, .config_file = path};
    config = calloc(1, sizeof(*config));
    fresh = calloc(1, sizeof(*fresh));
    buf_init(&error, 4096);
    buf_init(&warnings, 4096);
    write_file("GRAPHITE_HOST=one.example\nLOG_LEVEL=info\nFLUSH_INTERVAL=1000\n");
    ck_assert_int_eq(config_load(&args, config, &error, &warnings), 0);
    buf_release(&error);
    buf_release(&warnings);
}

static void
release_both(void)
{
    free(config);
    free(fresh);
    unlink(path);
}

/* Reloads with stderr into said. */
static bool
reload_said(void)
{
    int saved = dup(STDERR_FILENO), ends[2];
    bool changed;
    ssize_t n;

    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    changed = reload(&args, config, fresh);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    n = read(ends[0], said, sizeof(said) - 1);
    close(ends[0]);
    said[n > 0 ? n : 0] = '\0';
    return changed;
}

START_TEST(test_nothing_changed)
{
    ck_assert(!reload_said());
    ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(test_destination)
{
    write_file("GRAPHITE_HOST=two.example\nGRAPHITE_PORT=2103\nLOG_LEVEL=info\n"
               "FLUSH_INTERVAL=1000\n");
    ck_assert(reload_said());
    ck_assert_str_eq(config->master.graphite_host, "two.example");
    ck_assert_uint_eq(config->master.graphite_port, 2103);
    ck_assert_str_eq(config->destination, "two.example:2103");
    /* What a sender that starts later is told. */
    ck_assert_str_eq(config->sender.destination, "two.example:2103");
    ck_assert_ptr_nonnull(strstr(said, "GRAPHITE_HOST changed: now two.example"));
    ck_assert_ptr_null(strstr(said, "restart"));
    /* Said once. */
    ck_assert(!reload_said());
    ck_assert_str_eq(said, "");
}
END_TEST

/* The children could not follow: a level of the master's alone would be half of the truth. */
START_TEST(test_log_level)
{
    write_file("GRAPHITE_HOST=one.example\nLOG_LEVEL=debug\nFLUSH_INTERVAL=1000\n");
    ck_assert(!reload_said());
    ck_assert_ptr_nonnull(strstr(said, "LOG_LEVEL changed: takes effect after a restart"));
    ck_assert_int_eq(config->log_level, LOG_INFO);
}
END_TEST

START_TEST(test_the_rest_takes_a_restart)
{
    write_file("GRAPHITE_HOST=one.example\nLOG_LEVEL=info\nFLUSH_INTERVAL=2000\n");
    /* As long as it is so, each time. */
    for (int i = 0; i < 2; i++) {
        ck_assert(!reload_said());
        ck_assert_ptr_nonnull(strstr(said, "FLUSH_INTERVAL changed: takes effect after a restart"));
        ck_assert_uint_eq(config->worker.flush_ms, 1000);
        ck_assert_str_eq(value_of("FLUSH_INTERVAL"), "1000");
    }
}
END_TEST

START_TEST(test_a_list_of_names_takes_a_restart)
{
    write_file("GRAPHITE_HOST=one.example\nLOG_LEVEL=info\nFLUSH_INTERVAL=1000\nDROP=\"a*\"\n");
    for (int i = 0; i < 2; i++) {
        ck_assert(!reload_said());
        ck_assert_ptr_nonnull(strstr(said, "DROP changed: takes effect after a restart"));
        ck_assert_str_eq(config->worker.filter.drop, "");
    }
}
END_TEST

static const char *const bad[] = {
    "GRAPHITE_HOST=two.example\nFLUSH_INTERVAL=soon\n",
    "GRAPHITE_HOST=two.example\nGRAPHITE_PORT=99999\n",
    "GRAPHITE_HOST=$(two.example)\n",
};

START_TEST(test_bad_file_changes_nothing)
{
    write_file(bad[_i]);
    ck_assert(!reload_said());
    ck_assert_ptr_nonnull(strstr(said, "the configuration stays as it was: "));
    ck_assert_str_eq(config->master.graphite_host, "one.example");
    ck_assert_str_eq(config->destination, "one.example:2003");
    ck_assert_str_eq(value_of("GRAPHITE_HOST"), "one.example");
}
END_TEST

START_TEST(test_no_file_changes_nothing)
{
    args.config_file = "/nonexistent/pystatsd";
    ck_assert(!reload_said());
    ck_assert_ptr_nonnull(strstr(said, "/nonexistent/pystatsd"));
    ck_assert_str_eq(config->master.graphite_host, "one.example");
}
END_TEST

START_TEST(test_warnings_line_by_line)
{
    write_file("GRAPHITE_HOST=one.example\nLOG_LEVEL=info\nFLUSH_INTERVAL=1000\nNO_SUCH=1\n"
               "NOR_THIS=2\n");
    ck_assert(!reload_said());
    ck_assert_ptr_nonnull(strstr(said, "NO_SUCH"));
    ck_assert_ptr_nonnull(strstr(said, "NOR_THIS"));
    ck_assert_ptr_null(strstr(said, "\\x0a"));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("reload");
    TCase *tcase = tcase_create("reload");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, load_first, release_both);
    tcase_add_test(tcase, test_nothing_changed);
    tcase_add_test(tcase, test_destination);
    tcase_add_test(tcase, test_log_level);
    tcase_add_test(tcase, test_the_rest_takes_a_restart);
    tcase_add_test(tcase, test_a_list_of_names_takes_a_restart);
    tcase_add_loop_test(tcase, test_bad_file_changes_nothing, 0, sizeof(bad) / sizeof(bad[0]));
    tcase_add_test(tcase, test_no_file_changes_nothing);
    tcase_add_test(tcase, test_warnings_line_by_line);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
