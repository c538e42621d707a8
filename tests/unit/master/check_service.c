/*
 * check_service: what arrives at a service manager, which is a socket of the test's own.
 */
#include <check.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "master/service.h"

static int manager = -1;
static struct service service;

/* An abstract address, chosen by the kernel: there is no file to remove. */
static void
start_manager(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(address);
    char name[sizeof(address.sun_path) + 1];
    size_t name_len;

    memset(&service, 0, sizeof(service));
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
    char text[512];

    service_say(&service, SERVICE_READY);
    receive(text, sizeof(text));
    ck_assert_str_eq(text, "READY=1");
    service_say(&service, SERVICE_STOPPING);
    receive(text, sizeof(text));
    ck_assert_str_eq(text, "STOPPING=1");
    assert_nothing_more();
}
END_TEST

START_TEST(test_status)
{
    char text[512], longer[400];

    service_status("Serving udp port %u, sending to %s", 8125u, "localhost:2003");
    receive(text, sizeof(text));
    ck_assert_str_eq(text, "STATUS=Serving udp port 8125, sending to localhost:2003");

    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    service_status("%s", longer);
    receive(text, sizeof(text));
    ck_assert_uint_eq(strlen(text), strlen("STATUS=") + 255);
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
    service_say(&service, SERVICE_RELOADING);
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
    ck_assert(service_alive());
    receive(text, sizeof(text));
    ck_assert_str_eq(text, "WATCHDOG=1");
    assert_nothing_more();
}
END_TEST

START_TEST(test_without_a_manager)
{
    unsetenv("NOTIFY_SOCKET");
    service_say(&service, SERVICE_READY);
    service_status("nobody hears this");
    service_say(&service, SERVICE_RELOADING);
    service_say(&service, SERVICE_STOPPING);
    ck_assert(service_alive());
    assert_nothing_more();
    /* One that is gone is no reason to fail either. */
    setenv("NOTIFY_SOCKET", "@pystatsd-check-service-nobody", 1);
    service_say(&service, SERVICE_READY);
    ck_assert_uint_eq(service.deadline_ms, 0);
    /* Nor one whose name is none. */
    setenv("NOTIFY_SOCKET", "nobody", 1);
    service_say(&service, SERVICE_READY);
    ck_assert_uint_eq(service.deadline_ms, 0);
}
END_TEST

/* ---- one that does not read */

static void
fill(void)
{
    for (int i = 0; i < 10000; i++) {
        if (!service_alive())
            return;
    }
    ck_abort_msg("it takes anything");
}

static void
drain(void)
{
    char text[512];

    while (recv(manager, text, sizeof(text), MSG_DONTWAIT) > 0)
        ck_assert_int_eq(strncmp(text, "WATCHDOG=1", strlen("WATCHDOG=1")), 0);
}

static void
assert_told(const char *start)
{
    char text[512];

    receive(text, sizeof(text));
    ck_assert_msg(strncmp(text, start, strlen(start)) == 0, "%s", text);
}

/* Each is told once it has room, in order, however often it was tried; an alarm ends the test where
 * it is waited for. */
START_TEST(test_words_are_owed)
{
    uint64_t deadline_ms;

    fill();
    service_say(&service, SERVICE_READY);
    service_status("nobody hears this");
    service_say(&service, SERVICE_RELOADING);
    service_say(&service, SERVICE_READY);
    service_say(&service, SERVICE_RELOADING);
    service_say(&service, SERVICE_READY);
    service_say(&service, SERVICE_STOPPING);
    deadline_ms = service.deadline_ms;
    ck_assert_uint_gt(deadline_ms, clock_mono_ms());
    ck_assert_uint_le(deadline_ms, clock_mono_ms() + 1000);
    service_advance(&service, deadline_ms);
    ck_assert_uint_ne(service.deadline_ms, 0);
    drain();
    service_advance(&service, service.deadline_ms - 1);
    assert_nothing_more();
    service_advance(&service, service.deadline_ms);
    assert_told("RELOADING=1\nMONOTONIC_USEC=");
    assert_told("READY=1");
    assert_told("STOPPING=1");
    assert_nothing_more();
    ck_assert_uint_eq(service.deadline_ms, 0);
}
END_TEST

/* The number of descriptors that come with the next message. */
static size_t
receive_fds(char *text, size_t size)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct iovec bytes = {.iov_base = text, .iov_len = size - 1};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(manager, &message, 0);
    struct cmsghdr *head = n >= 0 ? CMSG_FIRSTHDR(&message) : NULL;
    int fd;

    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    if (head == NULL)
        return 0;
    ck_assert_int_eq(head->cmsg_type, SCM_RIGHTS);
    memcpy(&fd, CMSG_DATA(head), sizeof(fd));
    ck_assert_int_eq(close(fd), 0);
    return 1;
}

START_TEST(test_descriptors)
{
    char text[512];

    service_keep(&service, STDIN_FILENO, 7);
    ck_assert_uint_eq(receive_fds(text, sizeof(text)), 1);
    ck_assert_str_eq(text, "FDSTORE=1\nFDNAME=pystatsd-7\nFDPOLL=0");
    service_keep(&service, -1, 7);
    ck_assert_uint_eq(receive_fds(text, sizeof(text)), 0);
    ck_assert_str_eq(text, "FDSTOREREMOVE=1\nFDNAME=pystatsd-7");
    assert_nothing_more();
}
END_TEST

/* More than it has room for, as it is without a large queue: before it hears READY=1, all. */
START_TEST(test_descriptors_are_owed)
{
    enum { N = 600 };
    char text[512], expected[64];

    for (int i = 0; i < N; i++)
        service_keep(&service, STDIN_FILENO, i);
    ck_assert_uint_gt(service.n_kept, 0);
    service_say(&service, SERVICE_READY);
    for (int i = 0; i < N; i++) {
        service_advance(&service, service.deadline_ms);
        ck_assert_uint_eq(receive_fds(text, sizeof(text)), 1);
        snprintf(expected, sizeof(expected), "FDSTORE=1\nFDNAME=pystatsd-%d\nFDPOLL=0", i);
        ck_assert_str_eq(text, expected);
    }
    service_advance(&service, service.deadline_ms);
    assert_told("READY=1");
    assert_nothing_more();
}
END_TEST

/* They are about to be closed; what another run has left there is still to go. */
START_TEST(test_descriptors_are_forgotten)
{
    fill();
    service_keep(&service, STDIN_FILENO, 1);
    service_keep(&service, -1, 2);
    service_keep(&service, STDIN_FILENO, 3);
    service_forget(&service);
    drain();
    service_advance(&service, service.deadline_ms);
    assert_told("FDSTOREREMOVE=1\nFDNAME=pystatsd-2");
    assert_nothing_more();
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
    tcase_add_test(tcase, test_status);
    tcase_add_test(tcase, test_reloading_has_the_time);
    tcase_add_loop_test(tcase, test_watchdog, 0, sizeof(watchdogs) / sizeof(watchdogs[0]));
    tcase_add_test(tcase, test_without_a_manager);
    tcase_add_test(tcase, test_words_are_owed);
    tcase_add_test(tcase, test_descriptors);
    tcase_add_test(tcase, test_descriptors_are_owed);
    tcase_add_test(tcase, test_descriptors_are_forgotten);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
