/*
 * check_admin: the thread that answers, with clients of its own.
 */
#include "worker/admin.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "estrade.h"

/* Not less than poll(2) is called with. */
#define N_FEW 128

static struct estrade estrade;
static struct admin admin;
static struct sockaddr_un address;
static socklen_t address_len;

static int
connect_to_it(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, address_len), 0);
    return fd;
}

/* The kernel picks a name that is no file. */
static void
set_up(void)
{
    struct sockaddr_un any = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    estrade_open(&estrade);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&any, sizeof(sa_family_t)), 0);
    address_len = sizeof(address);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &address_len), 0);
    ck_assert_int_eq(listen(fd, 64), 0);
    estrade.opts.admin_fd = fd;
    estrade.opts.console_fd = -1;
    ck_assert_int_eq(admin_start(&admin, &estrade.desk), 0);
}

static void
tear_down(void)
{
    admin_stop(&admin);
    close(estrade.opts.admin_fd);
    estrade_close(&estrade);
}

static size_t
ask(int fd, const char *request, char *out, size_t size)
{
    size_t len = 0;
    ssize_t n;

    ck_assert_int_eq(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
    while ((n = recv(fd, out + len, size - 1 - len, 0)) > 0)
        len += (size_t)n;
    out[len] = '\0';
    close(fd);
    return len;
}

START_TEST(test_answers)
{
    char text[100];

    set_up();
    estrade_give(&estrade, 1, METRIC_SET, "s", 1);
    for (int i = 0; i < 50; i++) {
        ask(connect_to_it(), "list\n", text, sizeof(text));
        ck_assert_str_eq(text, "ok\nset s\n");
    }
    tear_down();
}
END_TEST

START_TEST(test_one_too_many)
{
    int fds[ADMIN_CLIENTS_MAX];
    char text[100];

    set_up();
    for (size_t i = 0; i < ADMIN_CLIENTS_MAX; i++)
        fds[i] = connect_to_it();
    int late = connect_to_it();
    ck_assert_int_eq(recv(late, text, 1, 0), 0);
    close(late);
    for (size_t i = 0; i < ADMIN_CLIENTS_MAX; i++) {
        ask(fds[i], "list\n", text, sizeof(text));
        ck_assert_str_eq(text, "ok\n");
    }
    tear_down();
}
END_TEST

static double
cpu_s(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Without descriptors it neither spins nor gives up. */
START_TEST(test_without_descriptors)
{
    struct rlimit before, few;
    int fd, taken[N_FEW], n = 0;
    char text[100];
    double cpu;

    set_up();
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){.rlim_cur = N_FEW, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (n < N_FEW && (taken[n] = dup(fd)) >= 0)
        n++;
    cpu = cpu_s();
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, address_len), 0);
    ck_assert_int_eq(poll(NULL, 0, 400), 0);
    cpu = cpu_s() - cpu;
    while (n > 0)
        close(taken[--n]);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ask(fd, "list\n", text, sizeof(text));
    ck_assert_str_eq(text, "ok\n");
    ck_assert_msg(cpu < 0.1, "%f s", cpu);
    tear_down();
}
END_TEST

/* Whoever is there when it ends is closed. */
START_TEST(test_end)
{
    char byte;
    int fd;

    set_up();
    fd = connect_to_it();
    ck_assert_int_eq(send(fd, "flush\n", 6, 0), 6);
    while (__atomic_load_n(&estrade.desk.n_wanted, __ATOMIC_ACQUIRE) == 0)
        continue;
    tear_down();
    ck_assert_int_le(recv(fd, &byte, 1, 0), 0);
    close(fd);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_answers, test_one_too_many, test_without_descriptors,
                                  test_end};

    return estrade_run("admin", tests, sizeof(tests) / sizeof(tests[0]));
}
