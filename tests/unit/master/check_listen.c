/*
 * check_listen: sockets on free ports of the loopback, and what is said where there is none.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "base/udp.h"
#include "master/listen.h"

#define BUFFER_BYTES 65536

static void
quiet(void)
{
    log_init(LOG_TO_STDERR, LOG_ERR);
}

/* A socket on a port of 127.0.0.1 that the kernel chooses. */
static int
take_port(uint16_t *out_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *out_port = ntohs(address.sin_port);
    return fd;
}

static uint16_t
free_port(void)
{
    uint16_t port;

    close(take_port(&port));
    return port;
}

static int
family_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);

    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    return address.ss_family;
}

static bool
has_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* What the service manager hands over. */
static struct handover handed;

static int
open_for(struct listen *listeners, const char *host, uint16_t port, unsigned n_threads,
         char error[LISTEN_ERROR_MAX])
{
    const struct listen_opts opts = {
        .host = host, .port = port, .receive_buffer = BUFFER_BYTES, .n_threads = n_threads};

    return listen_open(listeners, &opts, &handed, error);
}

static int
open_at(struct listen *listeners, const char *host, uint16_t port, char error[LISTEN_ERROR_MAX])
{
    return open_for(listeners, host, port, 1, error);
}

/* What is sent to 127.0.0.1:port arrives at fd. */
static void
assert_receives(int fd, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int from = socket(AF_INET, SOCK_DGRAM, 0);
    char bytes[8];

    ck_assert_int_eq(sendto(from, "x:1|c", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
    ck_assert_int_eq(read(fd, bytes, sizeof(bytes)), 5);
    close(from);
}

START_TEST(test_one_address)
{
    char error[LISTEN_ERROR_MAX] = "";
    struct listen listeners = {.n = 0};
    uint16_t port = free_port();

    ck_assert_int_eq(open_at(&listeners, "127.0.0.1", port, error), 0);
    ck_assert_uint_eq(listeners.n, 1);
    ck_assert(fcntl(listeners.sockets[0], F_GETFL) & O_NONBLOCK);
    ck_assert(fcntl(listeners.sockets[0], F_GETFD) & FD_CLOEXEC);
    assert_receives(listeners.sockets[0], port);
    listen_close(&listeners);
    ck_assert_uint_eq(listeners.n, 0);
    listen_close(&listeners);
}
END_TEST

START_TEST(test_every_address)
{
    char error[LISTEN_ERROR_MAX] = "";
    struct listen listeners = {.n = 0};
    uint16_t port = free_port();
    int n_v4 = 0;

    ck_assert_int_eq(open_at(&listeners, "", port, error), 0);
    ck_assert_uint_eq(listeners.n, has_ipv6() ? 2 : 1);
    for (size_t i = 0; i < listeners.n; i++) {
        int v6_only = 0;
        socklen_t len = sizeof(v6_only);

        if (family_of(listeners.sockets[i]) == AF_INET) {
            n_v4++;
            assert_receives(listeners.sockets[i], port);
            continue;
        }
        ck_assert_int_eq(
            getsockopt(listeners.sockets[i], IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &len), 0);
        ck_assert_int_eq(v6_only, 1);
    }
    ck_assert_int_eq(n_v4, 1);
    listen_close(&listeners);
}
END_TEST

START_TEST(test_buffer_is_asked_for)
{
    char error[LISTEN_ERROR_MAX] = "";
    struct listen listeners = {.n = 0};
    int granted = 0;
    socklen_t len = sizeof(granted);

    ck_assert_int_eq(open_at(&listeners, "127.0.0.1", free_port(), error), 0);
    ck_assert_int_eq(getsockopt(listeners.sockets[0], SOL_SOCKET, SO_RCVBUF, &granted, &len), 0);
    ck_assert_int_ge(granted, BUFFER_BYTES);
    listen_close(&listeners);
}
END_TEST

/* Runs listen_log with stderr into out. */
static void
log_into(const struct listen *listeners, uint64_t wanted, char *out, size_t size)
{
    int saved = dup(STDERR_FILENO), ends[2];
    ssize_t n;

    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    log_init(LOG_TO_STDERR, LOG_INFO);
    listen_log(listeners, wanted);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    n = read(ends[0], out, size - 1);
    close(ends[0]);
    out[n > 0 ? n : 0] = '\0';
}

START_TEST(test_log)
{
    char error[LISTEN_ERROR_MAX] = "", said[2048], granted[64];
    struct listen listeners = {.n = 0};

    ck_assert_int_eq(open_at(&listeners, "127.0.0.1", free_port(), error), 0);
    log_into(&listeners, BUFFER_BYTES, said, sizeof(said));
    ck_assert_ptr_nonnull(strstr(said, "udp 127.0.0.1:"));
    snprintf(granted, sizeof(granted), "buffer of %ld bytes", listeners.granted[0] / 2);
    ck_assert_ptr_nonnull(strstr(said, granted));
    ck_assert_ptr_null(strstr(said, "WARNING"));
    /* The kernel's doubling is no more than was asked for. */
    log_into(&listeners, (uint64_t)listeners.granted[0], said, sizeof(said));
    ck_assert_ptr_nonnull(strstr(said, "raise net.core.rmem_max"));
    ck_assert_ptr_nonnull(strstr(said, granted));
    snprintf(granted, sizeof(granted), "only %ld were granted", listeners.granted[0] / 2);
    ck_assert_ptr_nonnull(strstr(said, granted));
    listeners.granted[0] = -EPERM;
    log_into(&listeners, BUFFER_BYTES, said, sizeof(said));
    ck_assert_ptr_nonnull(strstr(said, "cannot set the receive buffer"));
    listen_close(&listeners);
}
END_TEST

static void
assert_fails(const char *host, uint16_t port, const char *what, const char *advice)
{
    char error[LISTEN_ERROR_MAX] = "";
    struct listen listeners = {.n = 0};

    ck_assert_int_eq(open_at(&listeners, host, port, error), -1);
    ck_assert_uint_eq(listeners.n, 0);
    ck_assert_msg(strstr(error, what) != NULL, "\"%s\" lacks \"%s\"", error, what);
    ck_assert_msg(strstr(error, advice) != NULL, "\"%s\" lacks \"%s\"", error, advice);
    ck_assert_ptr_null(strchr(error, '\n'));
}

START_TEST(test_port_in_use)
{
    uint16_t port;
    int taken = take_port(&port);
    char what[64];

    snprintf(what, sizeof(what), "cannot listen on udp 127.0.0.1:%u: Address already in use;",
             port);
    assert_fails("127.0.0.1", port, what, "set LOCAL_PYSTATD_PORT");
    /* Of all addresses one is taken: half a server is none. */
    assert_fails("", port, "Address already in use", "another StatsD server");
    close(taken);
}
END_TEST

/* A socket as the run before has left it. */
static int
hand_over(int fd, int number)
{
    struct handover_socket *socket = &handed.sockets[handed.n++];

    *socket = (struct handover_socket){.fd = fd, .number = number};
    ck_assert_int_eq(udp_adopt(fd, &socket->address), 0);
    handed.n_own += number == SERVICE_OWN;
    return fd;
}

static void
assert_closed(int fd)
{
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}

/* What fits is used, thread by thread; the rest is opened beside it. */
START_TEST(test_kept)
{
    char error[LISTEN_ERROR_MAX] = "", said[4096];
    struct listen listeners = {.n = 0};
    uint16_t port, other_port;
    int first = hand_over(take_port(&port), 0), second = hand_over(udp_twin(first), 1);
    int other = hand_over(take_port(&other_port), 2);
    int granted = 0;
    socklen_t len = sizeof(granted);

    ck_assert_int_eq(open_for(&listeners, "127.0.0.1", port, 3, error), 0);
    ck_assert_uint_eq(listeners.n, 3);
    ck_assert_uint_eq(listeners.n_kept, 2);
    ck_assert_uint_eq(listeners.port, port);
    ck_assert_int_eq(listeners.sockets[0], first);
    ck_assert_int_eq(listeners.sockets[1], second);
    ck_assert(handed.dropped);
    ck_assert(listeners.sockets[2] == other || fcntl(other, F_GETFD) == -1);
    ck_assert_int_eq(getsockopt(first, SOL_SOCKET, SO_RCVBUF, &granted, &len), 0);
    ck_assert_int_eq(granted, listeners.granted[0]);
    log_into(&listeners, BUFFER_BYTES, said, sizeof(said));
    ck_assert_ptr_nonnull(strstr(said, "going on with 2 sockets of the run before"));
    listen_close(&listeners);
}
END_TEST

START_TEST(test_kept_by_too_many_threads)
{
    char error[LISTEN_ERROR_MAX] = "";
    struct listen listeners = {.n = 0};
    uint16_t port;
    int first = hand_over(take_port(&port), 0), second = hand_over(udp_twin(first), 1);

    ck_assert_int_eq(open_at(&listeners, "127.0.0.1", port, error), 0);
    ck_assert_uint_eq(listeners.n, 1);
    ck_assert_int_eq(listeners.sockets[0], first);
    assert_closed(second);
    /* All that is sent comes to the one that is left. */
    for (int i = 0; i < 100; i++)
        assert_receives(first, port);
    listen_close(&listeners);
}
END_TEST

/* What it had dropped was told by the run before; of the service manager's own nobody has. */
START_TEST(test_told_drops)
{
    char error[LISTEN_ERROR_MAX] = "";
    struct listen listeners = {.n = 0};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    uint16_t port;
    int fd = take_port(&port), client = socket(AF_INET, SOCK_DGRAM, 0);

    to.sin_port = htons(port);
    net_set_receive_buffer(fd, 1);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(sendto(client, "x:1|c", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
    hand_over(fd, _i == 0 ? 0 : SERVICE_OWN);
    ck_assert_int_eq(open_at(&listeners, "127.0.0.1", port, error), 0);
    ck_assert_int_eq(listeners.sockets[0], fd);
    ck_assert_uint_eq(listeners.told_drops[0] > 0, _i == 0);
    listen_close(&listeners);
    close(client);
}
END_TEST

/* They say where to listen; what was kept of another address is not asked for any more. */
START_TEST(test_own_sockets)
{
    char error[LISTEN_ERROR_MAX] = "", said[4096];
    struct listen listeners = {.n = 0};
    uint16_t port, another_port, kept_port;
    int own = hand_over(take_port(&port), SERVICE_OWN);
    int another = hand_over(take_port(&another_port), SERVICE_OWN);
    int kept = hand_over(take_port(&kept_port), 0);

    ck_assert_int_eq(open_at(&listeners, "192.0.2.1", 0, error), 0);
    ck_assert_uint_eq(listeners.n, 2);
    ck_assert_uint_eq(listeners.n_own, 2);
    ck_assert_uint_eq(listeners.port, port);
    ck_assert_int_eq(listeners.sockets[0], own);
    ck_assert_int_eq(listeners.sockets[1], another);
    assert_closed(kept);
    log_into(&listeners, BUFFER_BYTES, said, sizeof(said));
    ck_assert_ptr_nonnull(strstr(said, "LISTEN_ADDRESS and LOCAL_PYSTATD_PORT are not looked at"));
    listen_close(&listeners);
}
END_TEST

START_TEST(test_more_of_its_own_than_are_read)
{
    uint16_t port;
    int own = hand_over(take_port(&port), SERVICE_OWN);

    hand_over(udp_twin(own), SERVICE_OWN);
    assert_fails("", 0, "more sockets for udp 127.0.0.1:", "set THREADS");
}
END_TEST

START_TEST(test_too_many_addresses)
{
    uint16_t port;

    for (int i = 0; i <= NET_ADDRESSES_MAX; i++)
        hand_over(take_port(&port), SERVICE_OWN);
    assert_fails("", 0, "the service manager has opened", "more than 16 addresses");
}
END_TEST

START_TEST(test_no_such_address)
{
    /* From the range for documentation: no machine has it. */
    assert_fails("192.0.2.1", free_port(), "cannot listen on udp 192.0.2.1:", "LISTEN_ADDRESS");
}
END_TEST

START_TEST(test_no_such_name)
{
    /* A label this long is refused before anybody is asked. */
    assert_fails("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.x",
                 8125, "cannot listen on aaa", "LISTEN_ADDRESS");
}
END_TEST

START_TEST(test_no_right_to_the_port)
{
    char error[LISTEN_ERROR_MAX] = "";
    struct listen listeners = {.n = 0};

    /* In a process of its own, as Check runs each test. Where every port is free to all, there is
     * nothing to see. */
    ck_assert_int_eq(geteuid() == 0 ? setuid(65534) : 0, 0);
    if (open_at(&listeners, "127.0.0.1", 81, error) == 0) {
        listen_close(&listeners);
        return;
    }
    ck_assert_ptr_nonnull(strstr(error, "cannot listen on udp 127.0.0.1:81: Permission denied;"));
    ck_assert_ptr_nonnull(strstr(error, "port above 1023"));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("listen");
    TCase *tcase = tcase_create("listen");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, quiet, NULL);
    tcase_add_test(tcase, test_one_address);
    tcase_add_test(tcase, test_every_address);
    tcase_add_test(tcase, test_buffer_is_asked_for);
    tcase_add_test(tcase, test_log);
    tcase_add_test(tcase, test_port_in_use);
    tcase_add_test(tcase, test_kept);
    tcase_add_test(tcase, test_kept_by_too_many_threads);
    tcase_add_loop_test(tcase, test_told_drops, 0, 2);
    tcase_add_test(tcase, test_own_sockets);
    tcase_add_test(tcase, test_more_of_its_own_than_are_read);
    tcase_add_test(tcase, test_too_many_addresses);
    tcase_add_test(tcase, test_no_such_address);
    tcase_add_test(tcase, test_no_such_name);
    tcase_add_test(tcase, test_no_right_to_the_port);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
