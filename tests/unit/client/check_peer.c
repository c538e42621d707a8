/*
 * check_peer: datagrams to servers that are there, away, back, elsewhere, or full.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "client/peer.h"
#include "stand.h"

#define NEVER_MS 1000000

static struct peer peer;

static void
setup(void)
{
    stand_setup();
    peer = (struct peer){.fd = -1};
}

static void
teardown(void)
{
    peer_release(&peer);
    stand_teardown();
}

static int
say(const char *text)
{
    return peer_send(&peer, text, strlen(text));
}

static void
assert_heard(int fd, const char *text)
{
    ck_assert_int_eq(say(text), 0);
    ck_assert_str_eq(stand_receive(fd), text);
    ck_assert(stand_is_empty(fd));
}

/* Sends until a lookup in the background has been taken over. */
static void
say_until_heard(int fd)
{
    for (int i = 0; i < STAND_PATIENCE_MS && stand_is_empty(fd); i++) {
        say("again");
        poll(NULL, 0, 1);
    }
    ck_assert_str_eq(stand_receive(fd), "again");
}

START_TEST(test_udp)
{
    const char *addresses[] = {"127.0.0.1", "::1"};
    unsigned port = 0;

    if (_i == 1 && !stand_has_ipv6())
        return;
    int fd = stand_receiver(addresses[_i], &port);
    ck_assert_int_eq(peer_init(&peer, addresses[_i], port, NEVER_MS), 0);
    assert_heard(fd, "a");
    assert_heard(fd, "b");
    ck_assert_int_ne(fcntl(peer.fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_ne(fcntl(peer.fd, F_GETFL) & O_NONBLOCK, 0);
    close(fd);
}
END_TEST

/* Whatever was refused in the meantime, the first sample when it is back arrives. */
START_TEST(test_away_and_back)
{
    unsigned port = 0;
    int fd = stand_receiver("127.0.0.1", &port);

    ck_assert_int_eq(peer_init(&peer, "127.0.0.1", port, NEVER_MS), 0);
    for (int round = 0; round < 3; round++) {
        assert_heard(fd, "there");
        int before = peer.fd;
        close(fd);
        for (int i = 0; i < round; i++)
            ck_assert_int_eq(say("away"), i == 0 ? 0 : -ECONNREFUSED);
        fd = stand_receiver("127.0.0.1", &port);
        assert_heard(fd, "back");
        ck_assert_int_eq(peer.fd, before);
    }
    close(fd);
}
END_TEST

/* The server of a name with two addresses listens on one of them, whichever it is. */
START_TEST(test_one_of_two_addresses)
{
    const char *addresses[] = {"127.0.0.1", "::1"};
    unsigned port = 0;

    if (!stand_has_ipv6())
        return;
    int fd = stand_receiver(addresses[_i], &port);
    stand.addresses[0] = "::1";
    stand.addresses[1] = "127.0.0.1";
    ck_assert_int_eq(peer_init(&peer, STAND_HOST, port, NEVER_MS), 0);
    assert_heard(fd, "a");
    assert_heard(fd, "b");
    close(fd);
    ck_assert_int_eq(say("taken"), 0); /* nobody has said anything yet */
    ck_assert_int_eq(say("away"), -ECONNREFUSED);
    ck_assert_int_eq(say("away"), -ECONNREFUSED);
    fd = stand_receiver(addresses[!_i], &port);
    assert_heard(fd, "moved");
    close(fd);
}
END_TEST

START_TEST(test_closed_by_the_program)
{
    unsigned port = 0;
    int fd = stand_receiver("127.0.0.1", &port), ends[2];
    char byte = 0;

    ck_assert_int_eq(peer_init(&peer, "127.0.0.1", port, NEVER_MS), 0);
    assert_heard(fd, "a");
    close(peer.fd);
    assert_heard(fd, "b");
    close(peer.fd); /* and its number given to a pipe */
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    ck_assert(peer.fd == ends[0] || peer.fd == ends[1]);
    assert_heard(fd, "c");
    ck_assert(peer.fd != ends[0] && peer.fd != ends[1]);
    ck_assert_int_eq(read(ends[0], &byte, 1), -1);
    ck_assert_int_eq(errno, EAGAIN); /* nothing of ours has come */
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    ck_assert_int_eq(byte, 'x');
    peer_release(&peer);
    ck_assert_int_eq(write(ends[1], "y", 1), 1);
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    close(ends[1]);
    close(fd);
}
END_TEST

/* Nor is it another socket's business, connected or listening, which could be sent to or connected
 * where only the descriptor is looked at. */
START_TEST(test_closed_and_a_socket_s)
{
    unsigned port = 0;
    int fd = stand_receiver("127.0.0.1", &port), ends[2], listener;
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int is_listening = 0;
    socklen_t len = sizeof is_listening;
    char byte;

    ck_assert_int_eq(peer_init(&peer, "127.0.0.1", port, NEVER_MS), 0);
    assert_heard(fd, "a");
    close(peer.fd);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    ck_assert_int_eq(ends[0], peer.fd);
    assert_heard(fd, "b");
    ck_assert_int_ne(peer.fd, ends[0]);
    ck_assert_int_eq(recv(ends[1], &byte, 1, 0), -1);
    ck_assert_int_eq(errno, EAGAIN);

    close(peer.fd);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(listener, peer.fd);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&any, sizeof any), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    assert_heard(fd, "c");
    ck_assert_int_eq(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len), 0);
    ck_assert_int_eq(is_listening, 1);

    close(peer.fd);
    close(fd);
    ck_assert_int_eq(say("d"), -ECONNREFUSED); /* as with any new socket */

    close(peer.fd);
    ck_assert_int_eq(dup2(ends[0], peer.fd), peer.fd);
    int number = peer.fd;
    peer_release(&peer);
    ck_assert_int_eq(close(number), 0); /* it was left open */
    close(listener);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

/* What it is called under is locked, and would stay so. */
static void *
say_when_cancelled(void *returned)
{
    pthread_cancel(pthread_self());
    *(bool *)returned = say("a") == 0;
    pthread_testcancel();
    return NULL;
}

START_TEST(test_no_cancellation_point)
{
    bool returned = false;
    pthread_t thread;
    unsigned port = 0;
    int fd = stand_receiver("127.0.0.1", &port);
    void *result;

    ck_assert_int_eq(peer_init(&peer, "127.0.0.1", port, NEVER_MS), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, say_when_cancelled, &returned), 0);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert(returned);
    ck_assert_ptr_eq(result, PTHREAD_CANCELED); /* it is one again behind it */
    ck_assert_str_eq(stand_receive(fd), "a");
    close(fd);
}
END_TEST

/* An address is one for ever. */
START_TEST(test_address_is_not_looked_up)
{
    unsigned port = 0;
    int fd = stand_receiver("127.0.0.1", &port);

    ck_assert_int_eq(peer_init(&peer, "127.0.0.1", port, 0), 0);
    for (int i = 0; i < 5; i++) {
        assert_heard(fd, "a");
        ck_assert_ptr_null(peer.lookup);
    }
    close(fd);
    ck_assert_int_eq(say("taken"), 0);
    ck_assert_int_eq(say("away"), -ECONNREFUSED);
    ck_assert_ptr_null(peer.lookup);
}
END_TEST

START_TEST(test_too_long)
{
    static char datagram[70000];
    unsigned port = 0;
    int fd = stand_receiver("127.0.0.1", &port);

    ck_assert_int_eq(peer_init(&peer, "127.0.0.1", port, NEVER_MS), 0);
    ck_assert_int_eq(peer_send(&peer, datagram, sizeof datagram), -EMSGSIZE);
    assert_heard(fd, "a");
    close(fd);
}
END_TEST

START_TEST(test_no_such_host)
{
    stand.error = EAI_NONAME;
    ck_assert_int_eq(peer_init(&peer, STAND_HOST, 1, NEVER_MS), -EHOSTUNREACH);
}
END_TEST

/* The resolver cannot say at first, then it hangs, then it answers. Nobody waits. */
START_TEST(test_resolver_is_away)
{
    unsigned port = 0;
    int fd = stand_receiver("127.0.0.1", &port);

    stand.error = EAI_AGAIN;
    ck_assert_int_eq(peer_init(&peer, STAND_HOST, port, NEVER_MS), 0);
    stand.hangs = true;
    stand.error = 0;
    stand.addresses[0] = "127.0.0.1";
    ck_assert_int_eq(say("a"), -EHOSTUNREACH);
    ck_assert_uint_eq(stand.n_asked, 1); /* not again at once */
    peer.ask_ms = 0;
    ck_assert_int_eq(say("b"), -EHOSTUNREACH);
    ck_assert_ptr_nonnull(peer.lookup);
    ck_assert_int_eq(say("c"), -EHOSTUNREACH);
    sem_post(&stand.let_go);
    say_until_heard(fd);
    ck_assert_uint_eq(stand.n_asked, 2);
    close(fd);
}
END_TEST

START_TEST(test_host_moves)
{
    unsigned port = 0;
    int old = stand_receiver("127.0.0.1", &port), new = stand_receiver("127.0.0.2", &port);

    stand.addresses[0] = "127.0.0.1";
    ck_assert_int_eq(peer_init(&peer, STAND_HOST, port, 0), 0);
    assert_heard(old, "a");
    int before = peer.fd;
    for (int i = 0; i < STAND_PATIENCE_MS && stand.n_asked < 4; i++) {
        assert_heard(old, "b");
        poll(NULL, 0, 1);
    }
    ck_assert_int_eq(peer.fd, before); /* the same address is the same socket */
    stand.addresses[0] = "127.0.0.2";
    say_until_heard(new);
    while (!stand_is_empty(old))
        stand_receive(old);
    stand.error = EAI_NONAME; /* the name is gone, the server may be there */
    for (unsigned n = stand.n_asked; stand.n_asked < n + 2;)
        assert_heard(new, "c"), peer.ask_ms = 0;
    close(old);
    close(new);
}
END_TEST

START_TEST(test_refused_is_looked_up_soon)
{
    unsigned port = 0;
    int fd = stand_receiver("127.0.0.1", &port);

    close(fd);
    stand.addresses[0] = "127.0.0.1";
    ck_assert_int_eq(peer_init(&peer, STAND_HOST, port, NEVER_MS), 0);
    ck_assert_int_eq(say("a"), -ECONNREFUSED);
    ck_assert_uint_le(peer.ask_ms, peer_clock_ms() + 1000);
}
END_TEST

START_TEST(test_released_while_a_resolver_hangs)
{
    stand.hangs = true;
    stand.addresses[0] = "127.0.0.1";
    ck_assert_int_eq(peer_init(&peer, STAND_HOST, 1, 0), 0);
    say("a");
    ck_assert_ptr_nonnull(peer.lookup);
    peer_release(&peer);
    sem_post(&stand.let_go);
}
END_TEST

START_TEST(test_unix)
{
    char folder[] = "/tmp/check-peer-XXXXXX", path[64];

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    ck_assert_int_eq(peer_init_unix(&peer, path), 0);
    ck_assert_int_eq(say("a"), -ENOENT);
    int fd = stand_unix_receiver(path);
    assert_heard(fd, "b");
    ck_assert_int_ne(fcntl(peer.fd, F_GETFD) & FD_CLOEXEC, 0);
    close(fd);
    ck_assert_int_eq(say("c"), -ECONNREFUSED);
    unlink(path);
    fd = stand_unix_receiver(path);
    assert_heard(fd, "d");
    close(fd);
    unlink(path);
    rmdir(folder);
}
END_TEST

START_TEST(test_unix_abstract_and_full)
{
    char name[64];

    snprintf(name, sizeof name, "@check-peer-%d", (int)getpid());
    int fd = stand_unix_receiver(name), n = 0;
    ck_assert_int_eq(peer_init_unix(&peer, name), 0);
    assert_heard(fd, "a");
    int error = 0;
    while ((error = say("more")) == 0 && n < 1000000)
        n++;
    ck_assert_int_eq(error, -EAGAIN);
    for (; n > 0; n--)
        ck_assert_str_eq(stand_receive(fd), "more");
    assert_heard(fd, "room again");
    close(fd);
}
END_TEST

START_TEST(test_unix_path_too_long)
{
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];

    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    ck_assert_int_eq(peer_init_unix(&peer, path), -ENAMETOOLONG);
    path[sizeof path - 2] = '\0';
    ck_assert_int_eq(peer_init_unix(&peer, path), 0);
}
END_TEST

int
main(void)
{
    TCase *tcase = tcase_create("peer");
    Suite *suite = suite_create("peer");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, test_udp, 0, 2);
    tcase_add_test(tcase, test_away_and_back);
    tcase_add_loop_test(tcase, test_one_of_two_addresses, 0, 2);
    tcase_add_test(tcase, test_closed_by_the_program);
    tcase_add_test(tcase, test_closed_and_a_socket_s);
    tcase_add_test(tcase, test_no_cancellation_point);
    tcase_add_test(tcase, test_address_is_not_looked_up);
    tcase_add_test(tcase, test_too_long);
    tcase_add_test(tcase, test_no_such_host);
    tcase_add_test(tcase, test_resolver_is_away);
    tcase_add_test(tcase, test_host_moves);
    tcase_add_test(tcase, test_refused_is_looked_up_soon);
    tcase_add_test(tcase, test_released_while_a_resolver_hangs);
    tcase_add_test(tcase, test_unix);
    tcase_add_test(tcase, test_unix_abstract_and_full);
    tcase_add_test(tcase, test_unix_path_too_long);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
