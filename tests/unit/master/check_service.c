/*
 * check_service: what arrives at a service manager, which is a socket of the test's own.
 */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "master/service.h"

static int manager = -1;

/* An abstract address, chosen by the kernel: there is no file to remove. */
static void
start_manager(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(address);
    char name[sizeof(address.sun_path) + 1];
    size_t name_len;

    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(manager, 0);
    ck_assert_int_eq(bind(manager, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    ck_assert_int_eq(getsockname(manager, (struct sockaddr *)&address, &len), 0);
    name_len = len - sizeof(sa_family_t);
    memcpy(name, address.sun_path, name_len);
    name[0] = '@';
    name[name_len] = '\0';
    ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
}

static void
stop_manager(void)
{
    unsetenv("NOTIFY_SOCKET");
    close(manager);
}

static void
receive(char *out, size_t size)
{
    ssize_t n = recv(manager, out, size - 1, 0);

    ck_assert_int_ge(n, 0);
    out[n] = '\0';
}

static void
assert_nothing_more(void)
{
    char byte;

    ck_assert_int_lt(recv(manager, &byte, 1, 0), 0);
}

START_TEST(test_words)
{
    char text[512], longer[400];

    service_ready("Serving udp port %u, sending to %s", 8125u, "localhost:2003");
    receive(text, sizeof(text));
    ck_assert_str_eq(text, "READY=1\nSTATUS=Serving udp port 8125, sending to localhost:2003");
    service_stopping("Stopping");
    receive(text, sizeof(text));
    ck_assert_str_eq(text, "STOPPING=1\nSTATUS=Stopping");

    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    service_ready("%s", longer);
    receive(text, sizeof(text));
    ck_assert_uint_eq(strlen(text), strlen("READY=1\nSTATUS=") + 255);
    assert_nothing_more();
}
END_TEST

/* Not earlier than now by a clock of microseconds, or systemd takes it for the reload before. */
START_TEST(test_reloading_has_the_time)
{
    struct timespec now;
    char text[512];
    uint64_t before_us, told_us, after_us;

    clock_gettime(CLOCK_MONOTONIC, &now);
    before_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    service_reloading();
    clock_gettime(CLOCK_MONOTONIC, &now);
    after_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    receive(text, sizeof(text));
    ck_assert_int_eq(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%" SCNu64, &told_us), 1);
    ck_assert_uint_ge(told_us, before_us);
    ck_assert_uint_le(told_us, after_us);
    assert_nothing_more();
}
END_TEST

static const struct {
    const char *period_us;
    bool is_for_us;
    uint64_t every_ms;
} watchdogs[] = {
    {"20000000", true, 10000}, {"1500", true, 0}, {"20000000", false, 0},
    {NULL, true, 0},           {"soon", true, 0},
};

START_TEST(test_watchdog)
{
    char pid[16], text[512];

    snprintf(pid, sizeof(pid), "%d", watchdogs[_i].is_for_us ? (int)getpid() : 1);
    setenv("WATCHDOG_PID", pid, 1);
    if (watchdogs[_i].period_us != NULL)
        setenv("WATCHDOG_USEC", watchdogs[_i].period_us, 1);
    ck_assert_uint_eq(service_watchdog_ms(), watchdogs[_i].every_ms);
    service_alive();
    receive(text, sizeof(text));
    ck_assert_str_eq(text, "WATCHDOG=1");
    assert_nothing_more();
}
END_TEST

/* The descriptor that came with what was told last, or -1. */
static int
receive_with_fd(char *out, size_t size)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec text = {.iov_base = out, .iov_len = size - 1};
    struct msghdr message = {.msg_iov = &text,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(manager, &message, 0);
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int fd = -1;

    ck_assert_int_ge(n, 0);
    out[n] = '\0';
    if (header != NULL && header->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    return fd;
}

START_TEST(test_keep)
{
    char text[512], byte;
    int ends[2], kept;

    ck_assert_int_eq(pipe(ends), 0);
    service_keep(ends[0], 7);
    kept = receive_with_fd(text, sizeof(text));
    ck_assert_str_eq(text, "FDSTORE=1\nFDNAME=pystatsd-7\nFDPOLL=0");
    ck_assert_int_ge(kept, 0);
    close(ends[0]);
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    ck_assert_int_eq((int)read(kept, &byte, 1), 1);
    service_drop(7);
    receive(text, sizeof(text));
    ck_assert_str_eq(text, "FDSTOREREMOVE=1\nFDNAME=pystatsd-7");
    assert_nothing_more();
    close(ends[1]);
    close(kept);
}
END_TEST

static const struct {
    const char *names; /* NULL: not said */
    const char *n;     /* NULL: not said */
    int expected;
    int numbers[3];
} handed[] = {
    {NULL, NULL, 0, {0}},
    {"statsd:pystatsd-0:pystatsd-12", "3", 3, {SERVICE_OWN, 0, 12}},
    {"pystatsd-:pystatsd-1x:pystatsd--1", "3", 3, {SERVICE_OWN, SERVICE_OWN, SERVICE_OWN}},
    {NULL, "2", 2, {SERVICE_OWN, SERVICE_OWN}},
    {NULL, "many", -EINVAL, {0}},
};

/* In a process whose descriptors are the test's to choose. */
static int
take_as_told(int i)
{
    struct service_fd taken[SERVICE_FDS_MAX];
    char pid[16];
    int n;

    for (int fd = 3; fd < 6; fd++)
        dup2(STDIN_FILENO, fd);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    if (handed[i].n != NULL)
        setenv("LISTEN_FDS", handed[i].n, 1);
    if (handed[i].names != NULL)
        setenv("LISTEN_FDNAMES", handed[i].names, 1);
    n = service_take(taken);
    if (n != handed[i].expected || getenv("LISTEN_FDS") != NULL || getenv("LISTEN_PID") != NULL)
        return 1;
    for (int j = 0; j < n; j++) {
        if (taken[j].fd != 3 + j || taken[j].number != handed[i].numbers[j])
            return 2 + j;
    }
    return 0;
}

START_TEST(test_take)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(take_as_told(_i));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* It is meant for another process. */
START_TEST(test_take_of_another)
{
    struct service_fd taken[SERVICE_FDS_MAX];

    setenv("LISTEN_PID", "1", 1);
    setenv("LISTEN_FDS", "3", 1);
    ck_assert_int_eq(service_take(taken), 0);
}
END_TEST

START_TEST(test_without_a_manager)
{
    unsetenv("NOTIFY_SOCKET");
    service_ready("nobody hears this");
    service_keep(STDIN_FILENO, 0);
    service_drop(0);
    service_reloading();
    service_stopping("nor this");
    assert_nothing_more();
    /* One that is gone is no reason to fail either. */
    setenv("NOTIFY_SOCKET", "@pystatsd-check-service-nobody", 1);
    service_ready("nobody hears this");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("service");
    TCase *tcase = tcase_create("service");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, start_manager, stop_manager);
    tcase_add_test(tcase, test_words);
    tcase_add_test(tcase, test_reloading_has_the_time);
    tcase_add_loop_test(tcase, test_watchdog, 0, sizeof(watchdogs) / sizeof(watchdogs[0]));
    tcase_add_test(tcase, test_keep);
    tcase_add_loop_test(tcase, test_take, 0, sizeof(handed) / sizeof(handed[0]));
    tcase_add_test(tcase, test_take_of_another);
    tcase_add_test(tcase, test_without_a_manager);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
