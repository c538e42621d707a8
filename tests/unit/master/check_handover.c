/*
 * check_handover: sockets of the loopback, handed over by the test, and what its service manager is
 * told of them.
 */
#include "master/handover.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/udp.h"

static int manager = -1;
static struct handover handover;

static void
set_up(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];

    snprintf(name, sizeof(name), "@pystatsd-check-handover-%d", (int)getpid());
    memcpy(address.sun_path, name, strlen(name));
    address.sun_path[0] = '\0';
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(manager, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                     0);
    ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
    handover = (struct handover){.n = 0};
}

static void
assert_told(const char *expected)
{
    char text[256] = "";
    ssize_t n = recv(manager, text, sizeof(text) - 1, 0);

    ck_assert_int_eq(n >= 0, expected != NULL);
    if (expected != NULL)
        ck_assert_str_eq(text, expected);
}

static struct net_address
address_of(int fd)
{
    struct net_address address;

    ck_assert_int_eq(udp_address(fd, &address), 0);
    return address;
}

static int
open_udp(void)
{
    struct net_address found[NET_ADDRESSES_MAX];
    int fd;

    ck_assert_int_eq(net_lookup("127.0.0.1", 0, SOCK_DGRAM, found), 1);
    fd = udp_open(&found[0]);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static int
add(int fd, int number)
{
    handover.sockets[handover.n++] =
        (struct handover_socket){.fd = fd, .number = number, .address = address_of(fd)};
    handover.n_own += number == SERVICE_OWN;
    return fd;
}

START_TEST(test_addresses)
{
    struct net_address found[NET_ADDRESSES_MAX], expected;
    int first = add(open_udp(), SERVICE_OWN), other;

    add(udp_twin(first), SERVICE_OWN);
    other = add(open_udp(), SERVICE_OWN);
    add(open_udp(), 0); /* says nothing */
    ck_assert_int_eq(handover_addresses(&handover, found), 2);
    expected = address_of(first);
    ck_assert(net_same(&found[0], &expected));
    expected = address_of(other);
    ck_assert(net_same(&found[1], &expected));
}
END_TEST

START_TEST(test_use)
{
    int first = add(open_udp(), 0), second = add(udp_twin(first), 1), other = open_udp();
    struct net_address address = address_of(first), another = address_of(other);

    ck_assert_ptr_null(handover_use(&handover, &another));
    ck_assert_int_eq(handover_use(&handover, &address)->fd, first);
    ck_assert_int_eq(handover_use(&handover, &address)->fd, second);
    ck_assert_ptr_null(handover_use(&handover, &address));
}
END_TEST

START_TEST(test_restrict)
{
    int first = add(open_udp(), 3), other, third;
    struct net_address address = address_of(first);

    other = add(open_udp(), 4);
    add(udp_twin(first), 5);
    third = add(udp_twin(first), 6);
    ck_assert_ptr_null(handover_restrict(&handover, &address, 1, 2));
    ck_assert_uint_eq(handover.n, 2);
    ck_assert_int_eq(handover.sockets[0].number, 3);
    ck_assert_int_eq(handover.sockets[1].number, 5);
    ck_assert(handover.dropped);
    ck_assert_int_eq(fcntl(other, F_GETFD), -1);
    ck_assert_int_eq(fcntl(third, F_GETFD), -1);
    assert_told("FDSTOREREMOVE=1\nFDNAME=pystatsd-4");
    assert_told("FDSTOREREMOVE=1\nFDNAME=pystatsd-6");
    assert_told(NULL);
}
END_TEST

START_TEST(test_restrict_nothing)
{
    struct net_address address = address_of(add(open_udp(), SERVICE_OWN));

    ck_assert_ptr_null(handover_restrict(&handover, &address, 1, 1));
    ck_assert(!handover.dropped);
    ck_assert_ptr_eq(handover_restrict(&handover, NULL, 0, 1), &handover.sockets[0]);
    assert_told(NULL);
}
END_TEST

/* Under numbers that none of those that it has goes by. */
START_TEST(test_keep)
{
    int sockets[4] = {add(open_udp(), SERVICE_OWN), add(open_udp(), 8), open_udp(), open_udp()};

    handover.next_number = 9;
    handover_keep(&handover, sockets, 4);
    assert_told("FDSTORE=1\nFDNAME=pystatsd-9\nFDPOLL=0");
    assert_told("FDSTORE=1\nFDNAME=pystatsd-10\nFDPOLL=0");
    assert_told(NULL);
}
END_TEST

/* In a process of its own, whose descriptors are: the kinds of those from 3 on, u for a UDP socket
 * and p for none. */
static int
take(const char *kinds, const char *names, char error[HANDOVER_ERROR_MAX])
{
    char number[16];
    int n = (int)strlen(kinds);

    for (int i = 0; i < n; i++) {
        int fd = kinds[i] == 'u' ? fcntl(open_udp(), F_DUPFD, 50) : open("/dev/null", O_RDONLY);

        dup2(fd, 3 + i);
    }
    snprintf(number, sizeof(number), "%d", (int)getpid());
    setenv("LISTEN_PID", number, 1);
    snprintf(number, sizeof(number), "%d", n);
    setenv("LISTEN_FDS", number, 1);
    setenv("LISTEN_FDNAMES", names, 1);
    return handover_take(&handover, error);
}

/* The service manager's own first, then as they were opened; what was kept and is of no use goes.
 */
static int
take_in_order(void)
{
    static const int numbers[] = {SERVICE_OWN, 1, 5};
    char error[HANDOVER_ERROR_MAX];

    if (take("uupu", "pystatsd-5:statsd:pystatsd-9:pystatsd-1", error) != 6 || handover.n != 3 ||
        handover.n_own != 1 || handover.next_number != 10 || !handover.dropped)
        return 1;
    for (size_t i = 0; i < 3; i++) {
        if (handover.sockets[i].number != numbers[i])
            return 2;
    }
    return 0;
}

static int
take_nonsense(void)
{
    char error[HANDOVER_ERROR_MAX] = "";

    return take("up", "statsd:other", error) != -1 ||
           strstr(error, "descriptor 4 that the service manager has opened is no bound UDP") ==
               NULL;
}

static int
take_nothing(void)
{
    char error[HANDOVER_ERROR_MAX];

    return handover_take(&handover, error) != STDERR_FILENO || handover.n != 0;
}

static int (*const takings[])(void) = {take_in_order, take_nonsense, take_nothing};

START_TEST(test_take)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(takings[_i]());
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    assert_told(_i == 0 ? "FDSTOREREMOVE=1\nFDNAME=pystatsd-9" : NULL);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("handover");
    TCase *tcase = tcase_create("handover");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, test_addresses);
    tcase_add_test(tcase, test_use);
    tcase_add_test(tcase, test_restrict);
    tcase_add_test(tcase, test_restrict_nothing);
    tcase_add_test(tcase, test_keep);
    tcase_add_loop_test(tcase, test_take, 0, sizeof(takings) / sizeof(takings[0]));
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
