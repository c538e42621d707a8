/*
 * check_resolve: look-ups that need no network, and the process that makes them.
 */
#include <bsd/unistd.h>
#include <check.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "base/net.h"
#include "master/resolve.h"

#define PATIENCE_MS 10000

/* A label this long is refused before anybody is asked. */
#define NO_NAME "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.x"

static struct spawn_fds fds;
static struct resolve resolver;

static void
open_resolver(void)
{
    log_init(LOG_TO_STDERR, LOG_ERR);
    fds.n = 0;
    ck_assert_int_eq(resolve_open(&resolver, &fds), 0);
    ck_assert_uint_eq(fds.n, 4);
}

static void
close_resolver(void)
{
    resolve_release(&resolver);
    spawn_close(&fds, &resolver.ask_read);
    spawn_close(&fds, &resolver.ask_write);
    spawn_close(&fds, &resolver.addresses_read);
    spawn_close(&fds, &resolver.addresses_write);
    ck_assert_uint_eq(fds.n, 0);
}

static const struct {
    const char *host;
    const char *text;
} literals[] = {
    {"127.0.0.1", "127.0.0.1:2003"},
    {"192.0.2.7", "192.0.2.7:2003"},
    {"2001:db8::1", "[2001:db8::1]:2003"}, /* the destination's name is written the same */
};

START_TEST(test_literal)
{
    struct resolved resolved;
    char text[NET_TEXT_MAX];

    resolve_lookup(literals[_i].host, 2003, &resolved);
    ck_assert_int_eq(resolved.n, 1);
    net_format(&resolved.addresses[0], text);
    ck_assert_str_eq(text, literals[_i].text);
    ck_assert_str_eq(resolved.destination, literals[_i].text);
}
END_TEST

START_TEST(test_no_such_name)
{
    struct resolved resolved;

    resolve_lookup(NO_NAME, 2003, &resolved);
    ck_assert_int_lt(resolved.n, 0);
    ck_assert_str_ne(gai_strerror(resolved.n), "Unknown error");
    ck_assert_str_eq(resolved.destination, NO_NAME ":2003");
}
END_TEST

static void
receive(struct resolved *out)
{
    struct pollfd arrival = {.fd = resolver.addresses_read, .events = POLLIN};

    ck_assert_int_eq(poll(&arrival, 1, PATIENCE_MS), 1);
    ck_assert_int_eq(read(resolver.addresses_read, out, sizeof(*out)), sizeof(*out));
}

static void
reap(int expected_status)
{
    int status;
    pid_t pid = resolver.pid;

    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, expected_status);
    ck_assert(resolve_reaped(&resolver, pid, status));
    ck_assert_int_eq(resolver.pid, 0);
}

START_TEST(test_question_and_answer)
{
    struct resolved resolved;
    char text[NET_TEXT_MAX];

    ck_assert_int_eq(resolve_poll_fd(&resolver), resolver.ask_read);
    ck_assert_int_eq(write(resolver.ask_write, "??", 2), 2);
    resolve_take(&resolver);
    ck_assert_int_eq(read(resolver.ask_read, text, 1), -1);

    resolve_start(&resolver, &fds, "127.0.0.1", 2003);
    ck_assert_int_eq(resolve_poll_fd(&resolver), -1);
    receive(&resolved);
    ck_assert_int_eq(resolved.n, 1);
    net_format(&resolved.addresses[0], text);
    ck_assert_str_eq(text, "127.0.0.1:2003");
    reap(0);
    ck_assert_int_eq(resolve_poll_fd(&resolver), resolver.ask_read);
}
END_TEST

START_TEST(test_bad_news_is_an_answer)
{
    struct resolved resolved;

    resolve_start(&resolver, &fds, NO_NAME, 2003);
    receive(&resolved);
    ck_assert_int_lt(resolved.n, 0);
    reap(0);
}
END_TEST

START_TEST(test_one_at_a_time)
{
    struct resolved resolved;
    pid_t first;

    resolve_start(&resolver, &fds, "127.0.0.1", 2003);
    first = resolver.pid;
    ck_assert(!resolver.again);
    resolve_start(&resolver, &fds, "127.0.0.2", 2003);
    ck_assert_int_eq(resolver.pid, first);
    ck_assert(resolver.again);
    receive(&resolved);
    reap(0);
    ck_assert(resolver.again);
    resolve_start(&resolver, &fds, "127.0.0.2", 2003);
    ck_assert(!resolver.again);
    receive(&resolved);
    reap(0);
}
END_TEST

START_TEST(test_others_are_not_the_resolver)
{
    ck_assert(!resolve_reaped(&resolver, 0, 0));
    ck_assert(!resolve_reaped(&resolver, 1, 0));
    resolve_start(&resolver, &fds, "127.0.0.1", 2003);
    ck_assert(!resolve_reaped(&resolver, 1, 0));
    ck_assert_int_gt(resolver.pid, 0);
}
END_TEST

/* With nobody reading, the pipe is full at some time; the resolver then ends without an answer. */
START_TEST(test_nobody_reads)
{
    char packet[1] = {0};

    while (write(resolver.addresses_write, packet, sizeof(packet)) == 1)
        continue;
    resolve_start(&resolver, &fds, "127.0.0.1", 2003);
    reap(EXIT_FAILURE << 8);
}
END_TEST

/* What is said of a resolver that ended so. */
static void
say_end(int status, char *out, size_t size)
{
    int saved = dup(STDERR_FILENO), ends[2];
    ssize_t n;

    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    dup2(ends[1], STDERR_FILENO);
    resolver.pid = 4711;
    strcpy(resolver.host, "carbon.example");
    ck_assert(resolve_reaped(&resolver, 4711, status));
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    n = read(ends[0], out, size - 1);
    close(ends[0]);
    out[n > 0 ? n : 0] = '\0';
}

START_TEST(test_one_warning_for_many_failures)
{
    char said[512];

    log_init(LOG_TO_STDERR, LOG_INFO);
    for (int i = 0; i < 2; i++) {
        say_end(SIGALRM, said, sizeof(said));
        ck_assert_ptr_nonnull(
            strstr(said, "[WARNING] resolver (pid 4711) had no answer for carbon.example "
                         "within 30 s; the addresses of before stay in use"));
        say_end(SIGALRM, said, sizeof(said));
        ck_assert_str_eq(said, "");
        say_end(1 << 8, said, sizeof(said));
        ck_assert_str_eq(said, "");
        /* One that fails every other time is no more news. */
        say_end(0, said, sizeof(said));
        ck_assert_str_eq(said, "");
        say_end(1 << 8, said, sizeof(said));
        ck_assert_str_eq(said, "");
        resolver.said_no_answer.again_ms = 0; /* a minute later */
    }
    log_init(LOG_TO_STDERR, LOG_DEBUG);
    say_end(1 << 8, said, sizeof(said));
    ck_assert_ptr_nonnull(strstr(said, "[WARNING] resolver (pid 4711) of carbon.example died: exit "
                                       "status 1; the addresses of before "));
    say_end(SIGALRM, said, sizeof(said));
    ck_assert_ptr_nonnull(
        strstr(said, "[DEBUG] resolver (pid 4711) had no answer for carbon.example"));
}
END_TEST

START_TEST(test_release_ends_it)
{
    pid_t pid;

    resolve_start(&resolver, &fds, "127.0.0.1", 2003);
    pid = resolver.pid;
    resolve_release(&resolver);
    ck_assert_int_eq(resolver.pid, 0);
    ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), -1);
}
END_TEST

int
main(int argc, char **argv, char **envp)
{
    Suite *suite = suite_create("resolve");
    TCase *tcase = tcase_create("resolve");
    SRunner *runner;
    int n_failed;

    setproctitle_init(argc, argv, envp);
    tcase_add_checked_fixture(tcase, open_resolver, close_resolver);
    tcase_add_loop_test(tcase, test_literal, 0, sizeof(literals) / sizeof(literals[0]));
    tcase_add_test(tcase, test_no_such_name);
    tcase_add_test(tcase, test_question_and_answer);
    tcase_add_test(tcase, test_bad_news_is_an_answer);
    tcase_add_test(tcase, test_one_at_a_time);
    tcase_add_test(tcase, test_others_are_not_the_resolver);
    tcase_add_test(tcase, test_nobody_reads);
    tcase_add_test(tcase, test_one_warning_for_many_failures);
    tcase_add_test(tcase, test_release_ends_it);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
