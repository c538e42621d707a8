/*
 * check_client: requests in pieces, and clients that do not what they should. Time is the test's.
 */
#include "worker/client.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "estrade.h"

#define T0 UINT64_C(1000000)

static struct estrade estrade;
static struct client client;
static int peer;
static char got[1 << 16];

static void
set_up(bool is_console)
{
    int ends[2];

    estrade_open(&estrade);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    peer = ends[1];
    ck_assert_int_eq(client_open(&client, ends[0], is_console, &estrade.desk, T0), 0);
}

static void
tear_down(void)
{
    client_close(&client);
    close(peer);
    estrade_close(&estrade);
}

static void
give(const char *text)
{
    ck_assert_int_eq(send(peer, text, strlen(text), 0), (ssize_t)strlen(text));
}

/* Lets it go on for some turns, and reads what it says. */
static const char *
take(uint64_t now_ms)
{
    size_t len = 0;

    for (int i = 0; i < 10; i++) {
        ssize_t n;

        client_go(&client, client.is_there ? client_events(&client) : 0, now_ms);
        n = recv(peer, got + len, sizeof(got) - 1 - len, MSG_DONTWAIT);
        len += n > 0 ? (size_t)n : 0;
    }
    got[len] = '\0';
    return got;
}

START_TEST(test_line_in_pieces)
{
    set_up(false);
    give("li");
    ck_assert_str_eq(take(T0), "");
    give("st\nmore");
    ck_assert_str_eq(take(T0), "ok\n");
    ck_assert(!client.is_there);
    tear_down();
}
END_TEST

START_TEST(test_console_goes_on)
{
    set_up(true);
    give("health\n");
    ck_assert_str_eq(take(T0), "health: up\n");
    give("nonsense\r\n");
    ck_assert_str_eq(take(T0), "ERROR\n");
    give("hea");
    ck_assert_str_eq(take(T0), "");
    give("lth");
    ck_assert_str_eq(take(T0 + 100), "");
    ck_assert_str_eq(take(T0 + 300), "health: up\n");
    give("quit\n");
    ck_assert_str_eq(take(T0 + 300), "");
    ck_assert(!client.is_there);
    tear_down();
}
END_TEST

START_TEST(test_too_long)
{
    char text[CLIENT_PIECE_MAX + 2];

    memset(text, 'x', sizeof(text));
    text[CLIENT_PIECE_MAX + 1] = '\0';
    set_up(true);
    give(text);
    ck_assert_str_eq(take(T0), "");
    ck_assert(!client.is_there);
    tear_down();
}
END_TEST

/* The longest piece that is answered, and what is longer than the longest line. */
START_TEST(test_longest)
{
    static char text[CLIENT_LINE_MAX + 100];

    memset(text, 'x', sizeof(text) - 1);
    text[CLIENT_PIECE_MAX - 1] = '\n';
    text[CLIENT_PIECE_MAX] = '\0';
    set_up(true);
    give(text);
    ck_assert_str_eq(take(T0), "ERROR\n");
    ck_assert(client.is_there);
    tear_down();
    text[CLIENT_PIECE_MAX - 1] = 'x';
    text[CLIENT_PIECE_MAX] = '\n';
    text[CLIENT_PIECE_MAX + 1] = '\0';
    set_up(true);
    give(text);
    ck_assert_str_eq(take(T0), "");
    ck_assert(!client.is_there);
    tear_down();
    memset(text, 'x', sizeof(text) - 1);
    set_up(false);
    give(text);
    ck_assert_str_eq(take(T0), "error the request is too long\n");
    ck_assert(!client.is_there);
    tear_down();
}
END_TEST

START_TEST(test_silence)
{
    set_up(false);
    give("lis");
    (void)take(T0 + CLIENT_PATIENCE_MS - 1);
    ck_assert(client.is_there);
    ck_assert_uint_eq(client_deadline(&client, T0), T0 + CLIENT_PATIENCE_MS);
    (void)take(T0 + CLIENT_PATIENCE_MS);
    ck_assert(!client.is_there);
    tear_down();
}
END_TEST

/* More than a socket's buffer holds, if they are listed. */
static void
give_many_names(void)
{
    for (unsigned i = 0; i < 20000; i++) {
        char name[64];

        snprintf(name, sizeof(name), "a.long.name.to.fill.the.sockets.buffer.%u", i);
        estrade_give(&estrade, 0, METRIC_COUNTER, name, 1);
    }
}

/* Its answer is larger than what the kernel takes. */
START_TEST(test_who_does_not_read)
{
    set_up(false);
    give_many_names();
    give("list\n");
    for (int i = 0; i < 1000; i++)
        client_go(&client, POLLIN | POLLOUT, T0 + 1);
    ck_assert(client.is_there);
    ck_assert_uint_le(client.reply.out.cap, REPLY_MAX);
    client_go(&client, 0, T0 + 1 + CLIENT_PATIENCE_MS);
    ck_assert(!client.is_there);
    tear_down();
}
END_TEST

static short
polled(void)
{
    struct pollfd slot = {.fd = client.fd, .events = client_events(&client)};

    return poll(&slot, 1, 0) == 1 ? slot.revents : 0;
}

/* The loop wakes up for others: poll(2) has no room to tell of, though send(2) would find some. */
START_TEST(test_wake_ups_are_no_progress)
{
    set_up(false);
    give_many_names();
    give("list\n");
    do
        client_go(&client, polled(), T0);
    while (polled() != 0);
    for (uint64_t wait_ms = 1000; wait_ms < CLIENT_PATIENCE_MS; wait_ms += 1000) {
        client_go(&client, polled(), T0 + wait_ms);
        ck_assert(client.is_there);
    }
    client_go(&client, polled(), T0 + CLIENT_PATIENCE_MS);
    ck_assert(!client.is_there);
    tear_down();
}
END_TEST

/* There is no time limit to an answer that has to wait, and none waits for one who has gone. */
START_TEST(test_who_waits)
{
    set_up(false);
    give("flush\n");
    ck_assert_str_eq(take(T0 + 100 * CLIENT_PATIENCE_MS), "");
    ck_assert(client.is_there);
    ck_assert_int_eq(client_events(&client), 0);
    client_go(&client, POLLHUP, T0);
    ck_assert(!client.is_there);
    tear_down();
}
END_TEST

/* There is much to look at and nothing to be said of it. */
START_TEST(test_who_searches_in_vain)
{
    uint64_t now_ms = T0;

    set_up(false);
    give_many_names();
    give("list nowhere.*\n");
    for (int i = 0; i < 100; i++, now_ms += CLIENT_PATIENCE_MS / 2) {
        client_go(&client, POLLOUT, now_ms);
        ck_assert(client.is_there);
    }
    tear_down();
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_line_in_pieces,
                                  test_console_goes_on,
                                  test_too_long,
                                  test_longest,
                                  test_silence,
                                  test_who_does_not_read,
                                  test_wake_ups_are_no_progress,
                                  test_who_waits,
                                  test_who_searches_in_vain};

    return estrade_run("client", tests, sizeof(tests) / sizeof(tests[0]));
}
