/*
 * check_ingest: what comes out of real sockets: counts, lengths, senders, what the kernel had to
 * drop, and what is left of it for a successor.
 */
#include "worker/ingest.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/udp.h"
#include "base/undo.h"

#define UDP_PAYLOAD_MAX 65507

#define N_NUMBERS (1 << 18)

/* What outlives a process, a test's among it: which of the datagrams that are numbers came. */
struct left {
    struct undo undo;
    struct hand hand;
    char slots[HAND_SLOTS];
    uint32_t n_seen;
    uint8_t seen[N_NUMBERS];
};

/* A server's socket, and a client's that sends to it. */
struct rig {
    struct left *left;
    struct ingest ingest;
    int server, client;
};

static int
open_udp(const char *host)
{
    struct net_address found[NET_ADDRESSES_MAX];

    ck_assert_int_eq(net_lookup(host, 0, SOCK_DGRAM, found), 1);
    return udp_open(&found[0]);
}

static struct net_address
address_of(int fd)
{
    struct net_address address = {.len = sizeof(address.storage)};

    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address.storage, &address.len), 0);
    return address;
}

static void
init_ingest(struct rig *rig)
{
    rig->left =
        mmap(NULL, sizeof(*rig->left), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(rig->left, MAP_FAILED);
    ingest_init(&rig->ingest, &rig->left->hand, rig->left->slots);
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
    init_ingest(rig);
    return true;
}

static void
rig_release(struct rig *rig)
{
    ck_assert_int_eq(munmap(rig->left, sizeof(*rig->left)), 0);
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
}
END_TEST

START_TEST(test_more_than_a_batch)
{
    enum { N_SENT = HAND_DATAGRAMS + 36 };
    struct rig rig;
    int n_read = 0;

    rig_init(&rig, "127.0.0.1");
    for (int i = 0; i < N_SENT; i++)
        give(&rig, &i, sizeof(i));
    for (int want = HAND_DATAGRAMS; n_read < N_SENT; want = N_SENT - HAND_DATAGRAMS) {
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
    static char bytes[HAND_DATAGRAM_MAX + 1];
    struct rig rig;
    int pair[2];

    memset(bytes, 'x', sizeof(bytes));
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    rig.client = pair[0];
    rig.server = pair[1];
    init_ingest(&rig);
    give(&rig, bytes, sizeof(bytes));
    give(&rig, bytes, sizeof(bytes) - 1);
    ck_assert_int_eq(ingest_read(&rig.ingest, rig.server), 2);
    ck_assert(rig.ingest.datagrams[0].truncated);
    ck_assert_uint_eq(rig.ingest.datagrams[0].len, HAND_DATAGRAM_MAX);
    assert_datagram(&rig.ingest.datagrams[1], bytes, HAND_DATAGRAM_MAX);
    rig_release(&rig);
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

/* A successor, over what its predecessor has left. Returns how many datagrams it finds. */
static int
succeed(struct rig *rig)
{
    memset(&rig->ingest, 0xee, sizeof(rig->ingest));
    ingest_init(&rig->ingest, &rig->left->hand, rig->left->slots);
    return ingest_resume(&rig->ingest);
}

/* What was read is there until it is done with, and then no more. */
START_TEST(test_resume)
{
    struct net_address client;
    char want[NET_TEXT_MAX], got[NET_TEXT_MAX];
    struct rig rig;

    rig_init(&rig, "127.0.0.1");
    ck_assert_int_eq(succeed(&rig), 0);
    for (int i = 0; i < 3; i++)
        give(&rig, "before", 6);
    ck_assert_int_eq(ingest_read(&rig.ingest, rig.server), 3);
    ingest_done(&rig.ingest);
    ck_assert_int_eq(succeed(&rig), 0);
    give(&rig, "abc", 3);
    give(&rig, "", 0);
    ck_assert_int_eq(ingest_read(&rig.ingest, rig.server), 2);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(succeed(&rig), 2);
        assert_datagram(&rig.ingest.datagrams[0], "abc", 3);
        assert_datagram(&rig.ingest.datagrams[1], "", 0);
        client = address_of(rig.client);
        net_format(&client, want);
        net_format(rig.ingest.datagrams[1].from, got);
        ck_assert_str_eq(got, want);
    }
    ingest_done(&rig.ingest);
    ck_assert_int_eq(ingest_read(&rig.ingest, rig.server), -EAGAIN);
    ck_assert_int_eq(succeed(&rig), 0);
    rig_release(&rig);
}
END_TEST

/* A hand that is opened begins at its begin, with nothing skipped, under a serial of its own. */
START_TEST(test_read_opens_the_hand)
{
    struct rig rig;
    struct hand *hand;
    uint64_t serial;

    rig_init(&rig, "127.0.0.1");
    hand = &rig.left->hand;
    give(&rig, "a", 1);
    ck_assert_int_eq(ingest_read(&rig.ingest, rig.server), 1);
    serial = hand->serial;
    hand->at = 1;
    hand->offset = 7;
    hand->busy = 5;
    hand->skipped = 3;
    ingest_done(&rig.ingest);
    give(&rig, "b", 1);
    ck_assert_int_eq(ingest_read(&rig.ingest, rig.server), 1);
    ck_assert_uint_ne(hand->serial, serial);
    ck_assert_uint_eq(hand->at + hand->offset + hand->busy + hand->skipped, 0);
    ck_assert_uint_eq(hand->filled, 1);
    rig_release(&rig);
}
END_TEST

/* What is in shared memory is believed no farther than it reaches. */
START_TEST(test_resume_of_rubbish)
{
    struct rig rig;
    struct hand *hand;

    rig_init(&rig, "127.0.0.1");
    hand = &rig.left->hand;
    memset(hand, 0xa5, sizeof(*hand));
    hand->filled = 1;
    ck_assert_int_eq(succeed(&rig), HAND_DATAGRAMS);
    for (size_t i = 0; i < HAND_DATAGRAMS; i++) {
        const struct datagram *datagram = &rig.ingest.datagrams[i];

        ck_assert_ptr_eq(datagram->bytes, rig.left->slots + i * HAND_DATAGRAM_MAX);
        ck_assert_uint_le(datagram->len, HAND_DATAGRAM_MAX);
        ck_assert_uint_le(datagram->from->len, sizeof(datagram->from->storage));
    }
    ingest_done(&rig.ingest);
    give(&rig, "abc", 3);
    ck_assert_int_eq(ingest_read(&rig.ingest, rig.server), 1);
    assert_datagram(&rig.ingest.datagrams[0], "abc", 3);
    rig_release(&rig);
}
END_TEST

/* Notes down the numbers in hand, as lines would: what is done and how far it is change at once.
 * Asserts nothing, since who dies within an assertion confuses Check. */
static void
note_numbers(struct rig *rig, int n)
{
    struct left *left = rig->left;

    while (left->hand.at < (uint32_t)n) {
        const struct datagram *datagram = &rig->ingest.datagrams[left->hand.at];
        uint32_t number;

        memcpy(&number, datagram->bytes, sizeof(number));
        if (datagram->len != sizeof(number) || number >= N_NUMBERS)
            abort();
        undo_note(&left->undo, &left->hand.at, sizeof(left->hand.at));
        undo_note(&left->undo, &left->seen[number], 1);
        undo_note(&left->undo, &left->n_seen, sizeof(left->n_seen));
        left->hand.at++;
        left->seen[number]++;
        left->n_seen++;
        undo_commit(&left->undo);
    }
    ingest_done(&rig->ingest);
}

/* Goes on where the one before was killed, until it is killed itself. */
static pid_t
start_reader(struct rig *rig)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid > 0)
        return pid;
    if (undo_roll_back(&rig->left->undo, rig->left, sizeof(*rig->left)) != 0)
        _exit(1);
    note_numbers(rig, succeed(rig));
    for (;;) {
        int n = ingest_read(&rig->ingest, rig->server);

        if (n > 0)
            note_numbers(rig, n);
        else if (n != -EAGAIN)
            _exit(2);
    }
}

static uint32_t
n_seen(const struct rig *rig)
{
    return __atomic_load_n(&rig->left->n_seen, __ATOMIC_ACQUIRE);
}

/* Never more than the kernel has room for. */
static uint32_t
give_numbers(struct rig *rig, uint32_t from, uint32_t n)
{
    for (; n > 0 && from - n_seen(rig) < 150; n--, from++)
        give(rig, &from, sizeof(from));
    return from;
}

START_TEST(test_killed_while_it_reads)
{
    enum { N_KILLS = 400 };
    uint32_t n_given = 0, random = 99;
    struct rig rig;

    rig_init(&rig, "127.0.0.1");
    ck_assert_int_gt(net_set_receive_buffer(rig.server, 1 << 20), 0);
    for (int i = 0; i < N_KILLS; i++) {
        uint32_t until = n_seen(&rig) + random % 300;
        pid_t pid = start_reader(&rig);
        int status;

        random = random * 1664525 + 1013904223;
        while (n_seen(&rig) < until || n_given < until)
            n_given = give_numbers(&rig, n_given, 1 + random % 40);
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFSIGNALED(status));
    }
    ck_assert_int_eq(undo_roll_back(&rig.left->undo, rig.left, sizeof(*rig.left)), 0);
    for (int n = succeed(&rig); n >= 0; n = ingest_read(&rig.ingest, rig.server))
        note_numbers(&rig, n);
    ck_assert_uint_eq(ingest_drops(rig.server), 0);
    ck_assert_uint_eq(n_seen(&rig), n_given);
    for (uint32_t i = 0; i < N_NUMBERS; i++)
        ck_assert_msg(rig.left->seen[i] == (i < n_given), "%u came %d times", i, rig.left->seen[i]);
    ck_assert_uint_gt(n_given, 100 * N_KILLS);
    rig_release(&rig);
}
END_TEST

/* Of one socket it stays what it is, in any process. */
START_TEST(test_cookies)
{
    struct rig rig;
    uint64_t cookie;

    rig_init(&rig, "127.0.0.1");
    cookie = ingest_cookie(rig.server);
    ck_assert_uint_ne(cookie, 0);
    ck_assert_uint_eq(ingest_cookie(rig.server), cookie);
    ck_assert_uint_ne(ingest_cookie(rig.client), cookie);
    ck_assert_uint_ne(ingest_cookie(-1), 0);
    rig_release(&rig);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("ingest");
    TCase *tcase = tcase_create("ingest");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_nothing_there);
    tcase_add_test(tcase, test_more_than_a_batch);
    tcase_add_test(tcase, test_lengths);
    tcase_add_test(tcase, test_truncated);
    tcase_add_test(tcase, test_senders);
    tcase_add_test(tcase, test_drops_are_counted);
    tcase_add_test(tcase, test_drops_of_no_socket);
    tcase_add_test(tcase, test_resume);
    tcase_add_test(tcase, test_read_opens_the_hand);
    tcase_add_test(tcase, test_resume_of_rubbish);
    tcase_add_test(tcase, test_killed_while_it_reads);
    tcase_add_test(tcase, test_cookies);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
