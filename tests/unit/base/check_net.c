/*
 * check_net: look-ups and sockets on the loopback. Resolver answers that no machine can be relied
 * upon to give are put in its place.
 */
#include <arpa/inet.h>
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/net.h"

/* The resolver's next answer; NULL: the true one. */
static struct addrinfo *planted;

int
getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
            struct addrinfo **out)
{
    int (*resolver)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

    if (planted != NULL) {
        *out = planted;
        return 0;
    }
    *(void **)&resolver = dlsym(RTLD_NEXT, "getaddrinfo");
    return resolver(host, service, hints, out);
}

void
freeaddrinfo(struct addrinfo *list)
{
    void (*freer)(struct addrinfo *);

    if (list == planted)
        return;
    *(void **)&freer = dlsym(RTLD_NEXT, "freeaddrinfo");
    freer(list);
}

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
    struct net_address address = {.len = sizeof(address.storage)};

    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address.storage, &address.len), 0);
    return address;
}

static bool
has_ipv6(void)
{
    struct net_address address = address_of("::1", 0);
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&address.storage, address.len) == 0;

    close(fd);
    return bound;
}

static void
assert_clean_descriptor(int fd)
{
    ck_assert_int_ge(fd, 0);
    ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

START_TEST(test_literals_there_and_back)
{
    static const struct {
        const char *host;
        uint16_t port;
        const char *text;
    } rows[] = {
        {"127.0.0.1", 8125, "127.0.0.1:8125"},
        {"255.255.255.255", 65535, "255.255.255.255:65535"},
        {"0.0.0.0", 0, "0.0.0.0:0"},
        {"::1", 2003, "[::1]:2003"},
        {"::", 8125, "[::]:8125"},
        {"2001:DB8:0:0:0:0:0:1", 2003, "[2001:db8::1]:2003"},
        {"::ffff:192.0.2.1", 1, "[::ffff:192.0.2.1]:1"},
        {"1111:2222:3333:4444:5555:6666:7777:8888", 65535,
         "[1111:2222:3333:4444:5555:6666:7777:8888]:65535"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct net_address address = address_of(rows[i].host, rows[i].port);
        char text[NET_TEXT_MAX];

        net_format(&address, text);
        ck_assert_str_eq(text, rows[i].text);
    }
}
END_TEST

START_TEST(test_same)
{
    static const struct {
        const char *a, *b;
        uint16_t a_port, b_port;
        bool same;
    } rows[] = {
        {"127.0.0.1", "127.0.0.1", 8125, 8125, true},
        {"127.0.0.1", "127.0.0.1", 8125, 8126, false},
        {"127.0.0.1", "127.0.0.2", 8125, 8125, false},
        {"0.0.0.0", "::", 8125, 8125, false},
        {"::1", "0:0:0:0:0:0:0:1", 8125, 8125, true},
        {"::1", "::2", 8125, 8125, false},
        {"::1", "::1", 8125, 8126, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct net_address a = address_of(rows[i].a, rows[i].a_port);
        struct net_address b = address_of(rows[i].b, rows[i].b_port);

        /* What no address has a use for. */
        if (a.storage.ss_family == AF_INET)
            memset((char *)&a.storage + sizeof(struct sockaddr_in) - 8, 1, 8);
        ck_assert_int_eq(net_same(&a, &b), rows[i].same);
        ck_assert_int_eq(net_same(&b, &a), rows[i].same);
        ck_assert_uint_eq(net_port(&a), rows[i].a_port);
    }
}
END_TEST

START_TEST(test_format_of_no_address)
{
    struct net_address address = {0};
    char text[NET_TEXT_MAX];

    net_format(&address, text);
    ck_assert_str_eq(text, "unknown");
}
END_TEST

START_TEST(test_no_host_is_every_address)
{
    static const char *const hosts[] = {NULL, ""};

    for (size_t i = 0; i < 2; i++) {
        struct net_address found[NET_ADDRESSES_MAX];
        int n = net_lookup(hosts[i], 8125, SOCK_DGRAM, found);
        bool v4 = false, v6 = false;

        ck_assert_int_eq(n, 2);
        for (int k = 0; k < n; k++) {
            char text[NET_TEXT_MAX];

            net_format(&found[k], text);
            v4 = v4 || strcmp(text, "0.0.0.0:8125") == 0;
            v6 = v6 || strcmp(text, "[::]:8125") == 0;
        }
        ck_assert(v4 && v6);
    }
}
END_TEST

START_TEST(test_lookup_failures)
{
    struct net_address found[NET_ADDRESSES_MAX];
    char label[100]; /* longer than a name may have, so that no server is asked */

    memset(label, 'a', sizeof(label) - 1);
    label[sizeof(label) - 1] = '\0';
    ck_assert_int_lt(net_lookup(label, 1, SOCK_STREAM, found), 0);
    ck_assert_int_eq(net_lookup("127.0.0.1", 1, -1, found), EAI_SOCKTYPE);
}
END_TEST

/* A list of n answers of which each stands there twice. */
static void
plant(struct addrinfo *list, struct sockaddr_in *ins, size_t n)
{
    for (size_t i = 0; i < 2 * n; i++) {
        ins[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(2003)};
        ins[i].sin_addr.s_addr = htonl((uint32_t)(0x7f000001 + i % n));
        list[i] = (struct addrinfo){
            .ai_family = AF_INET,
            .ai_addrlen = sizeof(ins[i]),
            .ai_addr = (struct sockaddr *)&ins[i],
            .ai_next = i + 1 < 2 * n ? &list[i + 1] : NULL,
        };
    }
    planted = list;
}

START_TEST(test_addresses_come_once_and_not_too_many)
{
    static const struct {
        size_t n_answers;
        int n_found;
    } rows[] = {{1, 1}, {2, 2}, {15, 15}, {16, 16}, {17, 16}, {40, 16}};
    struct addrinfo list[80];
    struct sockaddr_in ins[80];
    struct net_address found[NET_ADDRESSES_MAX + 1];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[NET_TEXT_MAX];
        int n;

        memset(found, 0x55, sizeof(found));
        plant(list, ins, rows[i].n_answers);
        n = net_lookup("name", 2003, SOCK_STREAM, found);
        planted = NULL;
        ck_assert_int_eq(n, rows[i].n_found);
        net_format(&found[0], text);
        ck_assert_str_eq(text, "127.0.0.1:2003"); /* in the resolver's order */
        ck_assert_uint_eq(found[n].len, 0x55555555);
    }
}
END_TEST

START_TEST(test_receive_buffer)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    long small = net_set_receive_buffer(fd, 8192);
    long large = net_set_receive_buffer(fd, 65536);
    int granted = 0;
    socklen_t len = sizeof(granted);

    ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &len), 0);
    ck_assert_int_ge(small, 8192);
    ck_assert_int_ge(large, 65536);
    ck_assert_int_eq(large, granted);
    ck_assert_int_ge(net_set_receive_buffer(fd, SIZE_MAX), large); /* what there is, no error */
    close(fd);
    ck_assert_int_eq(net_set_receive_buffer(-1, 8192), -EBADF);
}
END_TEST

/* The error with which a connection to address ends up, or 0. */
static int
connect_result(const struct net_address *address)
{
    int fd = net_tcp_connect(address);
    struct pollfd pollfd = {.fd = fd, .events = POLLOUT};
    int error;

    if (fd < 0)
        return -fd;
    assert_clean_descriptor(fd);
    ck_assert_int_eq(poll(&pollfd, 1, 2000), 1);
    error = net_socket_error(fd);
    ck_assert_int_eq(net_socket_error(fd), 0); /* it is told once */
    close(fd);
    return error;
}

static void
try_tcp(const char *host)
{
    struct net_address address = address_of(host, 0);
    int listener = socket(address.storage.ss_family, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address.storage, address.len), 0);
    address = address_of_socket(listener);
    /* Bound, not listening: nobody else can be there. */
    ck_assert_int_eq(connect_result(&address), ECONNREFUSED);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(connect_result(&address), 0);
    close(listener);
}

START_TEST(test_tcp)
{
    struct net_address none = {0};

    try_tcp("127.0.0.1");
    if (has_ipv6())
        try_tcp("::1");
    ck_assert_int_lt(net_tcp_connect(&none), 0);
    ck_assert_int_eq(net_socket_error(-1), EBADF);
}
END_TEST

START_TEST(test_format_host)
{
    char out[32];

    net_format_host("carbon.example", 2003, out, sizeof(out));
    ck_assert_str_eq(out, "carbon.example:2003");
    net_format_host("2001:db8::1", 2003, out, sizeof(out));
    ck_assert_str_eq(out, "[2001:db8::1]:2003");
    net_format_host("carbon.example", 2003, out, 8);
    ck_assert_str_eq(out, "carbon.");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("net");
    TCase *tcase = tcase_create("net");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_literals_there_and_back);
    tcase_add_test(tcase, test_format_host);
    tcase_add_test(tcase, test_same);
    tcase_add_test(tcase, test_format_of_no_address);
    tcase_add_test(tcase, test_no_host_is_every_address);
    tcase_add_test(tcase, test_lookup_failures);
    tcase_add_test(tcase, test_addresses_come_once_and_not_too_many);
    tcase_add_test(tcase, test_receive_buffer);
    tcase_add_test(tcase, test_tcp);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
