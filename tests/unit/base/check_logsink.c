/*
 * check_logsink: what syslog, the journal and whoever holds stderr are sent, byte by byte, and that
 * none of them is waited for. The sockets of the system are replaced by one of ours.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "base/logsink.h"

#define TIME_PLAIN  "[0-9]{4}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9],[0-9]{3} "
#define TIME_SYSLOG "[A-Z][a-z]{2} [ 1-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9] "

static const struct logsink_message warning = {
    .level = LOG_WARNING, .text = "worker: two words", .text_len = 17, .process = "worker"};
static const struct logsink_message failure = {
    .level = LOG_ERR, .text = "master: over", .text_len = 12, .process = "master"};

static struct logsink sink;
static int far_end; /* of stderr */
static int saved_stderr;
static char got[8192];

/* In the place of who listens at the path that is named. */
static struct {
    int ends[2];
    char path[128];
    int flags;
} listener;

ssize_t
sendto(int fd, const void *bytes, size_t len, int flags, const struct sockaddr *to,
       socklen_t to_len)
{
    const struct sockaddr_un *address = (const struct sockaddr_un *)(const void *)to;

    (void)fd;
    (void)to_len;
    snprintf(listener.path, sizeof(listener.path), "%s", address->sun_path);
    listener.flags = flags;
    return send(listener.ends[1], bytes, len, flags);
}

static void
replace_stderr(int fd)
{
    ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
    close(fd);
}

static void
set_up(void)
{
    int ends[2];

    sink = (struct logsink){.fd = -1};
    memset(&listener, 0, sizeof(listener));
    unsetenv("JOURNAL_STREAM");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, listener.ends), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    saved_stderr = dup(STDERR_FILENO);
    replace_stderr(ends[1]);
    far_end = ends[0];
}

static void
tear_down(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(far_end);
    close(listener.ends[0]);
    close(listener.ends[1]);
    if (sink.fd >= 0)
        close(sink.fd);
}

/* What has arrived, into got. False where nothing has. */
static bool
next_at(int fd)
{
    ssize_t n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

    got[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static void
assert_got(int fd, const char *pattern)
{
    regex_t regex;

    ck_assert_msg(next_at(fd), "nothing like %s", pattern);
    ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    ck_assert_msg(regexec(&regex, got, 0, NULL, 0) == 0, "%s", got);
    regfree(&regex);
}

START_TEST(test_stderr)
{
    ck_assert_int_eq(logsink_open(&sink, LOG_TO_STDERR), 0);
    ck_assert_int_eq(sink.fd, -1);
    ck_assert_int_eq(logsink_put(&sink, &warning), 0);
    assert_got(far_end, "^" TIME_PLAIN "\\[WARNING\\] worker: two words\n$");
    ck_assert_int_eq(logsink_put(&sink, &failure), 0);
    assert_got(far_end, "^" TIME_PLAIN "\\[ERROR\\] master: over\n$");
    ck_assert(!next_at(far_end));
}
END_TEST

static void
name_stream(int fd, unsigned off)
{
    struct stat status;
    char text[64];

    ck_assert_int_eq(fstat(fd, &status), 0);
    snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)status.st_dev,
             (uintmax_t)status.st_ino + off);
    setenv("JOURNAL_STREAM", text, 1);
}

START_TEST(test_stderr_of_the_journal)
{
    name_stream(STDERR_FILENO, 0);
    logsink_open(&sink, LOG_TO_STDERR);
    logsink_put(&sink, &warning);
    assert_got(far_end, "^<4>worker: two words\n$");
    logsink_put(&sink, &failure);
    assert_got(far_end, "^<3>master: over\n$");
}
END_TEST

/* Inherited from a service, where somebody has pointed stderr elsewhere. */
START_TEST(test_stderr_of_another)
{
    name_stream(STDERR_FILENO, 1);
    logsink_open(&sink, LOG_TO_STDERR);
    logsink_put(&sink, &warning);
    assert_got(far_end, "^" TIME_PLAIN "\\[WARNING\\] worker: two words\n$");
}
END_TEST

START_TEST(test_syslog)
{
    char pattern[128];

    logsink_open(&sink, LOG_TO_SYSLOG);
    ck_assert_int_eq(logsink_put(&sink, &warning), 0);
    ck_assert_str_eq(listener.path, "/dev/log");
    ck_assert_int_eq(listener.flags & (MSG_DONTWAIT | MSG_NOSIGNAL), MSG_DONTWAIT | MSG_NOSIGNAL);
    snprintf(pattern, sizeof(pattern),
             "^<28>" TIME_SYSLOG "pystatsd-server\\[%d\\]: worker: two words$", (int)getpid());
    assert_got(listener.ends[0], pattern);
    ck_assert(!next_at(far_end));
}
END_TEST

START_TEST(test_journal)
{
    logsink_open(&sink, LOG_TO_JOURNAL);
    ck_assert_int_eq(logsink_put(&sink, &warning), 0);
    ck_assert_str_eq(listener.path, "/run/systemd/journal/socket");
    ck_assert(next_at(listener.ends[0]));
    ck_assert_str_eq(got, "PRIORITY=4\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=pystatsd-server\n"
                          "PYSTATSD_PROCESS=worker\nMESSAGE=worker: two words\n");
    ck_assert(!next_at(far_end));
}
END_TEST

START_TEST(test_fields)
{
    struct log_event event = {.reason = "bad_value", .name = "a\nMESSAGE=b\xff", .peer = ""};
    struct logsink_message message = warning;

    message.event = &event;
    message.process = NULL;
    logsink_open(&sink, LOG_TO_JOURNAL);
    logsink_put(&sink, &message);
    ck_assert(next_at(listener.ends[0]));
    ck_assert_str_eq(got, "PRIORITY=4\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=pystatsd-server\n"
                          "PYSTATSD_REASON=bad_value\nPYSTATSD_NAME=a?MESSAGE=b?\n"
                          "MESSAGE=worker: two words\n");
}
END_TEST

/* Whatever the fields hold, the message is there, whole. */
START_TEST(test_long_fields)
{
    static char text[980], field[5000];
    struct log_event event = {.reason = field, .name = field, .peer = field};
    struct logsink_message message = warning;

    memset(text, 't', sizeof(text));
    memset(field, 'f', sizeof(field) - 1);
    message.text = text;
    message.text_len = sizeof(text);
    message.process = field;
    message.event = &event;
    logsink_open(&sink, LOG_TO_JOURNAL);
    logsink_put(&sink, &message);
    ck_assert(next_at(listener.ends[0]));
    ck_assert_uint_eq(strspn(strstr(got, "\nMESSAGE=") + strlen("\nMESSAGE="), "t"), sizeof(text));
    ck_assert_int_eq(got[strlen(got) - 1], '\n');
}
END_TEST

/* In the background stderr is the terminal of who started the daemon, until it serves. */
START_TEST(test_failures_are_told_twice)
{
    static const enum log_destination destinations[] = {LOG_TO_SYSLOG, LOG_TO_JOURNAL};

    for (size_t i = 0; i < 2; i++) {
        logsink_open(&sink, destinations[i]);
        logsink_put(&sink, &failure);
        assert_got(listener.ends[0], "master: over\n?$");
        assert_got(far_end, "^" TIME_PLAIN "\\[ERROR\\] master: over\n$");
        ck_assert(!next_at(far_end));
    }
    name_stream(STDERR_FILENO, 0);
    logsink_open(&sink, LOG_TO_JOURNAL);
    logsink_put(&sink, &failure);
    ck_assert(next_at(listener.ends[0]) && !next_at(far_end));
}
END_TEST

/* However often it is opened, there is one socket. */
START_TEST(test_reopened)
{
    int first;

    logsink_open(&sink, LOG_TO_SYSLOG);
    first = sink.fd;
    ck_assert_int_ge(first, 0);
    for (int i = 0; i < 3; i++) {
        logsink_open(&sink, i % 2 == 0 ? LOG_TO_JOURNAL : LOG_TO_SYSLOG);
        ck_assert_int_eq(sink.fd, first);
    }
    logsink_open(&sink, LOG_TO_STDERR);
    ck_assert_int_eq(sink.fd, -1);
    ck_assert_int_eq(fcntl(first, F_GETFD), -1);
}
END_TEST

/* An alarm ends the test where one of them is waited for. */
static void
put_until_full(void)
{
    int error = 0;

    for (int i = 0; i < 100000 && error == 0; i++)
        error = logsink_put(&sink, &warning);
    ck_assert_int_eq(error, -EAGAIN);
}

START_TEST(test_full_socket)
{
    logsink_open(&sink, LOG_TO_STDERR);
    put_until_full();
    while (next_at(far_end))
        ck_assert(strcmp(got + strlen(got) - 18, "worker: two words\n") == 0);
    ck_assert_int_eq(logsink_put(&sink, &warning), 0);
}
END_TEST

START_TEST(test_full_journal)
{
    logsink_open(&sink, LOG_TO_JOURNAL);
    put_until_full();
    ck_assert(next_at(listener.ends[0]));
    ck_assert_int_eq(logsink_put(&sink, &warning), 0);
}
END_TEST

/* What waits in fd, read to its end, is whole lines. */
static size_t
count_lines(int fd)
{
    size_t n_lines = 0;
    ssize_t n;
    char last = '\n';

    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while ((n = read(fd, got, sizeof(got))) > 0) {
        for (ssize_t i = 0; i < n; i++)
            n_lines += got[i] == '\n';
        last = got[n - 1];
    }
    ck_assert_int_eq(last, '\n');
    return n_lines;
}

START_TEST(test_full_pipe)
{
    int ends[2], shared;

    ck_assert_int_eq(pipe(ends), 0);
    shared = dup(ends[1]);
    replace_stderr(ends[1]);
    logsink_open(&sink, LOG_TO_STDERR);
    put_until_full();
    ck_assert_uint_gt(count_lines(ends[0]), 100);
    ck_assert_int_eq(logsink_put(&sink, &warning), 0);
    ck_assert_uint_eq(count_lines(ends[0]), 1);
    /* Whoever else holds it has not been changed. */
    ck_assert_int_eq(fcntl(shared, F_GETFL) & O_NONBLOCK, 0);
}
END_TEST

/* As for a daemon that may not open its stderr anew: here, for want of a descriptor. */
START_TEST(test_full_pipe_of_others)
{
    struct rlimit limit, none;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    replace_stderr(ends[1]);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = STDERR_FILENO + 1;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    logsink_open(&sink, LOG_TO_STDERR);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
    put_until_full();
    ck_assert_uint_gt(count_lines(ends[0]), 100);
}
END_TEST

START_TEST(test_terminal_that_is_not_read)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);

    ck_assert_int_ge(terminal, 0);
    ck_assert(grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    replace_stderr(open(ptsname(terminal), O_RDWR | O_NOCTTY));
    logsink_open(&sink, LOG_TO_STDERR);
    for (int i = 0; i < 10000; i++)
        (void)logsink_put(&sink, &warning);
    ck_assert_int_eq(logsink_put(&sink, &warning), -EAGAIN);
    close(terminal);
}
END_TEST

START_TEST(test_full_disk)
{
    replace_stderr(open("/dev/full", O_WRONLY));
    logsink_open(&sink, LOG_TO_STDERR);
    ck_assert_int_eq(logsink_put(&sink, &warning), -ENOSPC);
}
END_TEST

/* Where the limit of a file ends a line in its midst, what comes next is a line of its own. */
START_TEST(test_disk_that_fills)
{
    static const char *const lines[] = {"[WARNING] worker: two words",
                                        "[WARNING] worker: two words"};
    struct rlimit limit, little;
    char name[] = "/tmp/check_logsink.XXXXXX", *rest;
    int fd = mkstemp(name);
    ssize_t n;

    ck_assert_int_ge(fd, 0);
    unlink(name);
    ck_assert_int_ge(fcntl(fd, F_SETFL, O_APPEND), 0);
    replace_stderr(dup(fd));
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    little = limit;
    logsink_open(&sink, LOG_TO_STDERR);
    for (rlim_t size = 60; size <= 70; size += 10) { /* the first takes one line and a part */
        little.rlim_cur = size;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &little), 0);
        (void)logsink_put(&sink, &warning);
        (void)logsink_put(&sink, &warning);
    }
    ck_assert(sink.is_torn);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(logsink_put(&sink, &warning), 0);
    ck_assert_int_eq(logsink_put(&sink, &warning), 0);
    ck_assert(!sink.is_torn);
    n = pread(fd, got, sizeof(got) - 1, 0);
    ck_assert_int_gt(n, 0);
    got[n] = '\0';
    rest = got + 70; /* what came behind the torn ones */
    ck_assert_int_eq(*rest++, '\n');
    for (size_t i = 0; i < 2; i++) {
        char *line = strsep(&rest, "\n");

        ck_assert_uint_eq(strlen(line), strlen("2026-11-22 18:20:43,123 ") + strlen(lines[i]));
        ck_assert_str_eq(line + strlen(line) - strlen(lines[i]), lines[i]);
    }
    ck_assert_str_eq(rest, "");
    close(fd);
}
END_TEST

START_TEST(test_nobody_is_left)
{
    int ends[2];

    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pipe(ends), 0);
    replace_stderr(ends[1]);
    close(ends[0]);
    logsink_open(&sink, LOG_TO_STDERR);
    ck_assert_int_eq(logsink_put(&sink, &warning), -EPIPE);
    close(STDERR_FILENO);
    ck_assert_int_eq(logsink_put(&sink, &warning), -EBADF);
    close(listener.ends[0]);
    logsink_open(&sink, LOG_TO_SYSLOG);
    ck_assert_int_eq(logsink_put(&sink, &warning), -ECONNREFUSED);
}
END_TEST

START_TEST(test_says_where_nobody_listens)
{
    bool is_there = access("/dev/log", F_OK) == 0;

    if (!is_there)
        ck_assert_int_eq(logsink_open(&sink, LOG_TO_SYSLOG), -ENOENT);
    ck_assert_str_eq(logsink_name(LOG_TO_SYSLOG), "/dev/log");
    ck_assert_str_eq(logsink_name(LOG_TO_STDERR), "stderr");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("logsink");
    TCase *tcase = tcase_create("logsink");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, test_stderr);
    tcase_add_test(tcase, test_stderr_of_the_journal);
    tcase_add_test(tcase, test_stderr_of_another);
    tcase_add_test(tcase, test_syslog);
    tcase_add_test(tcase, test_journal);
    tcase_add_test(tcase, test_fields);
    tcase_add_test(tcase, test_long_fields);
    tcase_add_test(tcase, test_failures_are_told_twice);
    tcase_add_test(tcase, test_reopened);
    tcase_add_test(tcase, test_full_socket);
    tcase_add_test(tcase, test_full_journal);
    tcase_add_test(tcase, test_full_pipe);
    tcase_add_test(tcase, test_full_pipe_of_others);
    tcase_add_test(tcase, test_terminal_that_is_not_read);
    tcase_add_test(tcase, test_full_disk);
    tcase_add_test(tcase, test_disk_that_fills);
    tcase_add_test(tcase, test_nobody_is_left);
    tcase_add_test(tcase, test_says_where_nobody_listens);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
