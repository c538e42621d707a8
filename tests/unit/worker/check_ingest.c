/*
 * check_ingest: what comes out of real sockets: counts, lengths, senders, and what the kernel had
 * to drop.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/ingest.h"

#define UDP_PAYLOAD_MAX 65507

/* A server's socket, and a client's that sends to it. */
struct rig {
    struct ingest ingest;
    int server, client;
};

static int
open_udp(const char *host)
{
    struct net_address found[NET_ADDRESSES_MAX];

    ck_assert_int_eq(net_lookup(host, 0, SOCK_DGRAM, found), 1);
    return net_udp_open(&found[0], false);
}

static struct net_address
address_of(int fd)
{
    struct net_address address = {.len = sizeof(address.storage)};

    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address.storage, &address.len), 0);
    return address;
}

/* False where the machine has no such family. */
static bool
rig_init(struct rig *rig, const char *host)
{
    struct net_address address;

    rig->server = open_udp(host);
    if (rig->server < 0)
        return false;
    rig->client = open_udp(host);
    address = address_of(rig->server);
    ck_assert_int_eq(connect(rig->client, (struct sockaddr *)&address.storage, address.len), 0);
    ck_assert_int_eq(ingest_init(&rig->ingest), 0);
    return true;
}

static void
rig_release(struct rig *rig)
{
    ingest_release(&rig->ingest);
    close(rig->server);
    close(rig->client);
}

static void
give(const struct rig *rig, const void *bytes, size_t len)
{
    ck_assert_int_eq((int)send(rig->client, bytes, len, 0), (int)len);
}

static void
assert_datagram(const struct datagram *datagram, const void *bytes, size_t len)
{
    ck_assert_uint_eq(datagram->len, len);
    ck_assert_int_eq(memcmp(datagram->bytes, bytes, len), 0);
    ck_assert(!datagram->truncated);
}

START_TEST(test_nothing_there)
{
    struct rig rig;

    rig_init(&rig, "127.0.0.1");
    ck_assert_int_eq(ingest_read(&rig.ingest, rig.server), -EAGAIN);
    give(&rig, "a:1|c", 5);
    ck_assert_int_eq(ingest_read(&rig.ingest, rig.server), 1);
    assert_datagram(&rig.ingest.datagrams[0], "a:1|c", 5);
    ck_assert_int_eq(ingest_read(&rig.ingest, rig.server), -EAGAIN);
    ck_assert_int_eq(ingest_read(&rig.ingest, -1), -EBADF);
    rig_release(&rig);
    ingest_release(&rig.ingest); /* once more does no harm */
}
END_TEST

START_TEST(test_more_than_a_batch)
{
    enum { N_SENT = INGEST_BATCH + 36 };
    struct rig rig;
    int n_read = 0;

    rig_init(&rig, "127.0.0.1");
    for (int i = 0; i < N_SENT; i++)
        give(&rig, &i, sizeof(i));
    for (int want = INGEST_BATCH; n_read < N_SENT; want = N_SENT - INGEST_BATCH) {
        ck_assert_int_eq(ingest_read(&rig.ingest, rig.server), want);
        for (int i = 0; i < want; i++, n_read++)
            assert_datagram(&rig.ingest.datagrams[i], &n_read, sizeof(n_read));
    }
    ck_assert_int_eq(ingest_read(&rig.ingest, rig.server), -EAGAIN);
    rig_release(&rig);
}
END_TEST

/* A short datagram behind a long one in the same place shows nothing of it. */
START_TEST(test_lengths)
{
    static char bytes[UDP_PAYLOAD_MAX];
    struct rig rig;

    memset(bytes, 'x', sizeof(bytes));
    bytes[0] = 'a';
    bytes[sizeof(bytes) - 1] = 'z';
    rig_init(&rig, "127.0.0.1");
    give(&rig, bytes, sizeof(bytes));
    ck_assert_int_eq(ingest_read(&rig.ingest, rig.server), 1);
    assert_datagram(&rig.ingest.datagrams[0], bytes, sizeof(bytes));
    give(&rig, "", 0);
    give(&rig, "b\0\xff", 3);
    give(&rig, "", 0);
    ck_assert_int_eq(ingest_read(&rig.ingest, rig.server), 3);
    assert_datagram(&rig.ingest.datagrams[0], "", 0);
    assert_datagram(&rig.ingest.datagrams[1], "b\0\xff", 3);
    assert_datagram(&rig.ingest.datagrams[2], "", 0);
    rig_release(&rig);
}
END_TEST

/* UDP cannot send what does not fit, a Unix socket can. */
START_TEST(test_truncated)
{
    static char bytes[INGEST_DATAGRAM_MAX + 1];
    struct ingest ingest;
    int pair[2];

    memset(bytes, 'x', sizeof(bytes));
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    ck_assert_int_eq(ingest_init(&ingest), 0);
    ck_assert_int_eq((int)send(pair[0], bytes, sizeof(bytes), 0), (int)sizeof(bytes));
    ck_assert_int_eq((int)send(pair[0], bytes, sizeof(bytes) - 1, 0), (int)sizeof(bytes) - 1);
    ck_assert_int_eq(ingest_read(&ingest, pair[1]), 2);
    ck_assert(ingest.datagrams[0].truncated);
    ck_assert_uint_eq(ingest.datagrams[0].len, INGEST_DATAGRAM_MAX);
    assert_datagram(&ingest.datagrams[1], bytes, INGEST_DATAGRAM_MAX);
    ingest_release(&ingest);
    close(pair[0]);
    close(pair[1]);
}
END_TEST

START_TEST(test_senders)
{
    static const char *const hosts[] = {"127.0.0.1", "::1"};

    for (size_t i = 0; i < 2; i++) {
        struct net_address server, clients[2];
        char want[NET_TEXT_MAX], got[NET_TEXT_MAX];
        struct rig rig;
        int other;

        if (!rig_init(&rig, hosts[i]))
            continue;
        other = open_udp(hosts[i]);
        server = address_of(rig.server);
        clients[0] = address_of(rig.client);
        clients[1] = address_of(other);
        give(&rig, "a", 1);
        ck_assert_int_eq(
            (int)sendto(other, "b", 1, 0, (struct sockaddr *)&server.storage, server.len), 1);
        ck_assert_int_eq(ingest_read(&rig.ingest, rig.server), 2);
        for (size_t k = 0; k < 2; k++) {
            net_format(&clients[k], want);
            net_format(rig.ingest.datagrams[k].from, got);
            ck_assert_str_eq(got, want);
        }
        close(other);
        rig_release(&rig);
    }
}
END_TEST

START_TEST(test_drops_are_counted)
{
    enum { N_SENT = 400 };
    static char bytes[1000];
    struct rig rig;
    uint32_t n_read = 0;
    int n;

    rig_init(&rig, "127.0.0.1");
    ck_assert_int_gt(net_set_receive_buffer(rig.server, 1), 0);
    ck_assert_uint_eq(ingest_drops(rig.server), 0);
    for (int i = 0; i < N_SENT; i++)
        give(&rig, bytes, sizeof(bytes));
    while ((n = ingest_read(&rig.ingest, rig.server)) > 0)
        n_read += (uint32_t)n;
    ck_assert_uint_gt(n_read, 0);
    ck_assert_uint_gt(ingest_drops(rig.server), 0);
    ck_assert_uint_eq(n_read + ingest_drops(rig.server), N_SENT);
    rig_release(&rig);
}
END_TEST

START_TEST(test_drops_of_no_socket)
{
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_uint_eq(ingest_drops(ends[0]), 0);
    ck_assert_uint_eq(ingest_drops(-1), 0);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("ingest");
    TCase *tcase = tcase_create("ingest");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_nothing_there);
    tcase_add_test(tcase, test_more_than_a_batch);
    tcase_add_test(tcase, test_lengths);
    tcase_add_test(tcase, test_truncated);
    tcase_add_test(tcase, test_senders);
    tcase_add_test(tcase, test_drops_are_counted);
    tcase_add_test(tcase, test_drops_of_no_socket);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
