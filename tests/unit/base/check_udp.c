/*
 * check_udp: sockets on the loopback, ours and others'.
 */
#include "base/udp.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static struct net_address
address_of(const char *host, uint16_t port)
{
    struct net_address found[NET_ADDRESSES_MAX];

    ck_assert_int_eq(net_lookup(host, port, SOCK_DGRAM, found), 1);
    return found[0];
}

static struct net_address
address_of_socket(int fd)
{
    struct net_address address;

    ck_assert_int_eq(udp_address(fd, &address), 0);
    return address;
}

static bool
has_ipv6(void)
{
    struct net_address address = address_of("::1", 0);
    int fd = udp_open(&address);

    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static void
assert_clean_descriptor(int fd)
{
    ck_assert_int_ge(fd, 0);
    ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

START_TEST(test_udp)
{
    struct net_address any = address_of("127.0.0.1", 0), bound, other;
    int fd = udp_open(&any);
    int sender = udp_open(&any);
    char bytes[16];

    assert_clean_descriptor(fd);
    bound = address_of_socket(fd);
    ck_assert_int_eq((int)recv(fd, bytes, sizeof(bytes), 0), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(
        (int)sendto(sender, "a:1|c", 5, 0, (struct sockaddr *)&bound.storage, bound.len), 5);
    ck_assert_int_eq((int)recv(fd, bytes, sizeof(bytes), 0), 5);
    ck_assert_int_eq(udp_open(&bound), -EADDRINUSE); /* a second server must notice */
    other = address_of("192.0.2.1", 0);
    ck_assert_int_eq(udp_open(&other), -EADDRNOTAVAIL);
    close(fd);
    close(sender);
}
END_TEST

START_TEST(test_udp_of_both_families)
{
    struct net_address any6 = address_of("::", 0), any4;
    int fd6, fd4, tries = 0;

    if (!has_ipv6())
        return;
    do { /* the port may be in use with IPv4 */
        fd6 = udp_open(&any6);
        assert_clean_descriptor(fd6);
        any4 = address_of_socket(fd6);
        any4 = address_of("0.0.0.0", net_port(&any4));
        fd4 = udp_open(&any4);
        close(fd6);
    } while (fd4 < 0 && ++tries < 10);
    assert_clean_descriptor(fd4);
    close(fd4);
}
END_TEST

/* Of whoever opens it, and of what it takes: all that a twin has to share. */
START_TEST(test_twin)
{
    static const char *const hosts[] = {"127.0.0.1", "::", "::"};
    struct net_address address = address_of(hosts[_i], 0), twins;
    int v6_only = _i == 1, twins_v6_only = -1, fd, twin;
    socklen_t len = sizeof(v6_only);

    if (_i > 0 && !has_ipv6())
        return;
    fd = socket(address.storage.ss_family, SOCK_DGRAM, 0);
    if (_i > 0)
        ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, len), 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address.storage, address.len), 0);
    address = address_of_socket(fd);
    ck_assert_int_eq(udp_open(&address), -EADDRINUSE);
    twin = udp_twin(fd);
    assert_clean_descriptor(twin);
    twins = address_of_socket(twin);
    ck_assert(net_same(&twins, &address));
    ck_assert_int_eq(udp_open(&address), -EADDRINUSE);
    if (_i > 0) {
        ck_assert_int_eq(getsockopt(twin, IPPROTO_IPV6, IPV6_V6ONLY, &twins_v6_only, &len), 0);
        ck_assert_int_eq(twins_v6_only, v6_only);
    }
    close(fd);
    close(twin);
}
END_TEST

START_TEST(test_no_twin)
{
    int ends[2];

    ck_assert_int_eq(udp_twin(-1), -EBADF);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(udp_twin(ends[0]), -ENOTSOCK);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(test_adopt)
{
    struct net_address address = address_of("127.0.0.1", 0), found;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address.storage, address.len), 0);
    address = address_of_socket(fd);
    ck_assert_int_eq(udp_adopt(fd, &found), 0);
    assert_clean_descriptor(fd);
    ck_assert(net_same(&found, &address));
    close(fd);
}
END_TEST

START_TEST(test_adopt_another)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct net_address address = address_of("127.0.0.1", 0), found;
    int stream = socket(AF_INET, SOCK_STREAM, 0), unbound = socket(AF_INET, SOCK_DGRAM, 0);
    int local = socket(AF_UNIX, SOCK_DGRAM, 0), ends[2];

    ck_assert_int_eq(bind(stream, (struct sockaddr *)&address.storage, address.len), 0);
    ck_assert_int_eq(bind(local, (struct sockaddr *)&name, sizeof(sa_family_t)), 0);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(udp_adopt(stream, &found), -EPROTOTYPE);
    ck_assert_int_eq(udp_adopt(unbound, &found), -EPROTOTYPE);
    ck_assert_int_eq(udp_adopt(local, &found), -EPROTOTYPE);
    ck_assert_int_eq(udp_adopt(ends[0], &found), -EPROTOTYPE);
    ck_assert_int_eq(udp_adopt(-1, &found), -EPROTOTYPE);
    close(stream);
    close(unbound);
    close(local);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("udp");
    TCase *tcase = tcase_create("udp");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_udp);
    tcase_add_test(tcase, test_udp_of_both_families);
    tcase_add_loop_test(tcase, test_twin, 0, 3);
    tcase_add_test(tcase, test_no_twin);
    tcase_add_test(tcase, test_adopt);
    tcase_add_test(tcase, test_adopt_another);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
