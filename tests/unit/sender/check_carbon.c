/*
 * check_carbon: one batch over one connection, step by step, against listeners in the same process
 * that acknowledge, break off, stall or talk. Time is an argument.
 */
#include <check.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "sender/carbon.h"

#define ID          UINT64_C(0x5eed00000001)
#define END_MS      UINT64_C(1700000012345)
#define NOW_MS      UINT64_C(1000000)
#define CONNECT_MS  100
#define SEND_MS     200
#define PATIENCE_MS 5000
/* More lines than all the buffers on the way hold. */
#define N_MANY 20000

struct rig {
    struct carbon carbon;
    struct dialect dialect;
    struct batch *batch;
    struct resolved to;
    struct buf heard;   /* what the peer has read */
    int listener, peer; /* where a test has one of each; the peer -1 when it is closed */
};

static struct net_address
address_of_socket(int fd)
{
    struct net_address address = {.len = sizeof(address.storage)};

    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address.storage, &address.len), 0);
    return address;
}

/* A bound socket of small buffers; -1 where there is no such family. */
static int
bind_to(const char *host)
{
    struct net_address found[NET_ADDRESSES_MAX];
    const int small = 4096;
    int fd;

    ck_assert_int_eq(net_lookup(host, 0, SOCK_STREAM, found), 1);
    fd = socket(found[0].storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&found[0].storage, found[0].len) != 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    return fd;
}

static void
add_address(struct rig *rig, int fd)
{
    rig->to.addresses[rig->to.n++] = address_of_socket(fd);
}

static int
listen_for(struct rig *rig, const char *host)
{
    int fd = bind_to(host);

    if (fd < 0)
        return -1;
    ck_assert_int_eq(listen(fd, 8), 0);
    add_address(rig, fd);
    return fd;
}

static void
rig_init(struct rig *rig, int n_lines)
{
    memset(rig, 0, sizeof(*rig));
    ck_assert_int_eq(carbon_init(&rig->carbon, CONNECT_MS, SEND_MS, true), 0);
    ck_assert_int_eq(rig->carbon.fd, -1);
    dialect_init(&rig->dialect);
    rig->batch = batch_new(ID, END_MS, 1 << 24);
    for (int i = 0; i < n_lines; i++)
        batch_add_own(rig->batch, "a.name.of.some.length", i);
    batch_seal(rig->batch);
    buf_init(&rig->heard, 1 << 24);
}

static void
rig_release(struct rig *rig)
{
    carbon_release(&rig->carbon);
    batch_free(rig->batch);
    buf_release(&rig->heard);
}

static void
start(struct rig *rig)
{
    const int small = 4096;

    ck_assert_int_eq(carbon_start(&rig->carbon, &rig->to, rig->batch, &rig->dialect, NOW_MS),
                     CARBON_BUSY);
    ck_assert_int_eq(rig->carbon.state, CARBON_CONNECTING);
    ck_assert_int_eq(carbon_events(&rig->carbon), POLLOUT);
    setsockopt(rig->carbon.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
}

static int
accept_one(int listener)
{
    struct pollfd slot = {.fd = listener, .events = POLLIN};
    int fd;

    ck_assert_int_eq(poll(&slot, 1, PATIENCE_MS), 1);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    ck_assert_int_ge(fd, 0);
    return fd;
}

/* One step; that a connection stands is none. */
static enum carbon_result
advance(struct rig *rig, uint64_t now_ms)
{
    enum carbon_result result = carbon_step(&rig->carbon, now_ms);

    if (result != CARBON_CONNECTED)
        return result;
    ck_assert_uint_eq(rig->carbon.n_written, 0);
    return carbon_step(&rig->carbon, now_ms);
}

/* Steps while the socket has events, until the end or until it has had none for a moment. */
static enum carbon_result
step(struct rig *rig)
{
    enum carbon_result result;
    struct pollfd slot;

    do {
        result = advance(rig, NOW_MS);
        slot = (struct pollfd){.fd = rig->carbon.fd, .events = carbon_events(&rig->carbon)};
    } while (result == CARBON_BUSY && poll(&slot, 1, 10) > 0);
    return result;
}

/* Steps until the end, which comes without a timeout. */
static enum carbon_result
run(struct rig *rig)
{
    uint64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;
    enum carbon_result result;

    while ((result = step(rig)) == CARBON_BUSY)
        ck_assert_uint_lt(clock_mono_ms(), deadline_ms);
    ck_assert_int_eq(rig->carbon.fd, -1);
    ck_assert_int_eq(rig->carbon.state, CARBON_IDLE);
    ck_assert_int_eq(carbon_events(&rig->carbon), 0);
    return result;
}

static void
assert_failed(struct rig *rig, const char *why)
{
    ck_assert_int_eq(run(rig), CARBON_FAILED);
    ck_assert_msg(strstr(rig->carbon.error, why) != NULL, "%s", rig->carbon.error);
}

/* Reads what is there. Returns whether that was the end. */
static bool
hear(struct rig *rig, int peer)
{
    char bytes[4096];
    ssize_t n;

    while ((n = read(peer, bytes, sizeof(bytes))) > 0)
        ck_assert_int_eq(buf_append(&rig->heard, bytes, (size_t)n), 0);
    return n == 0;
}

static void
hear_all(struct rig *rig, int peer)
{
    uint64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;

    while (!hear(rig, peer)) {
        ck_assert_int_eq(advance(rig, NOW_MS), CARBON_BUSY);
        ck_assert_uint_lt(clock_mono_ms(), deadline_ms);
    }
}

static void
assert_heard_batch(const struct rig *rig)
{
    struct render render;
    struct buf want;

    buf_init(&want, 1 << 24);
    render_init(&render, rig->batch, &rig->dialect);
    while (render_next(&render, &want))
        ;
    ck_assert_uint_eq(rig->heard.len, want.len);
    ck_assert(want.len == 0 || memcmp(rig->heard.data, want.data, want.len) == 0);
    buf_release(&want);
}

static void
leave(struct rig *rig)
{
    if (rig->peer >= 0)
        close(rig->peer);
    rig->peer = -1;
}

/* Leaves with a reset. */
static void
reset(struct rig *rig)
{
    const struct linger at_once = {.l_onoff = 1};

    ck_assert_int_eq(setsockopt(rig->peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    leave(rig);
}

/* A connection that the peer has accepted and that has not seen that yet. */
static void
meet(struct rig *rig, int n_lines)
{
    rig_init(rig, n_lines);
    rig->listener = listen_for(rig, "127.0.0.1");
    start(rig);
    rig->peer = accept_one(rig->listener);
}

static void
part(struct rig *rig)
{
    leave(rig);
    close(rig->listener);
    rig_release(rig);
}

static void
deliver_to(struct rig *rig, int listener)
{
    rig->peer = accept_one(listener);
    rig->heard.len = 0;
    hear_all(rig, rig->peer);
    assert_heard_batch(rig);
    ck_assert_int_eq(step(rig), CARBON_BUSY); /* everything read is no acknowledgement */
    ck_assert_int_eq(rig->carbon.state, CARBON_WAITING_FOR_FIN);
    ck_assert_int_eq(carbon_events(&rig->carbon), POLLIN);
    leave(rig);
    ck_assert_int_eq(run(rig), CARBON_DELIVERED);
}

START_TEST(test_acknowledged)
{
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    static const int n_lines[] = {0, 1, N_MANY};

    for (size_t i = 0; i < 6; i++) {
        struct rig rig;
        int listener;

        rig_init(&rig, n_lines[i % 3]);
        listener = listen_for(&rig, hosts[i / 3]);
        if (listener >= 0) {
            start(&rig);
            deliver_to(&rig, listener);
            close(listener);
        }
        rig_release(&rig);
    }
}
END_TEST

/* What comes behind a failure is whole, whatever was on its way. */
START_TEST(test_again_after_a_failure)
{
    struct rig rig;

    meet(&rig, N_MANY);
    step(&rig);
    ck_assert_int_eq((int)write(rig.peer, "garbage", 7), 7);
    hear(&rig, rig.peer);
    reset(&rig);
    assert_failed(&rig, "connection lost");
    for (int i = 0; i < 2; i++) {
        start(&rig);
        deliver_to(&rig, rig.listener);
        ck_assert_uint_eq(rig.carbon.n_garbage, 0);
    }
    part(&rig);
}
END_TEST

enum breach { RESET, CLOSE, HALF_CLOSE };

/* Before a byte was written, in the middle, or (but for a close, which then is what it should be)
 * behind the last. */
static void
try_breach(int n_lines, bool step_before, bool hear_before, enum breach how)
{
    struct rig rig;

    meet(&rig, n_lines);
    if (step_before)
        ck_assert_int_eq(step(&rig), CARBON_BUSY);
    if (hear_before)
        hear(&rig, rig.peer);
    if (how == RESET)
        reset(&rig);
    else if (how == CLOSE)
        leave(&rig);
    else
        shutdown(rig.peer, SHUT_WR);
    /* A reset this early is a connection that failed. */
    assert_failed(&rig, how == RESET && !step_before ? "reset" : "connection lost");
    part(&rig);
}

START_TEST(test_breaches)
{
    static const struct {
        int n_lines;
        bool step_before, hear_before;
        enum breach how;
    } rows[] = {
        {1, false, false, RESET},
        {1, false, false, CLOSE},
        {1, false, false, HALF_CLOSE},
        {1, true, false, RESET}, /* all is written, nothing was read */
        {1, true, false, CLOSE},
        {1, true, true, RESET}, /* all was read */
        {N_MANY, false, false, RESET},
        {N_MANY, false, false, CLOSE},
        {N_MANY, false, false, HALF_CLOSE},
        {N_MANY, true, false, RESET},
        {N_MANY, true, false, CLOSE},
        {N_MANY, true, false, HALF_CLOSE}, /* with much unread */
        {N_MANY, true, true, RESET},
        {N_MANY, true, true, CLOSE},
        {N_MANY, true, true, HALF_CLOSE},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        try_breach(rows[i].n_lines, rows[i].step_before, rows[i].hear_before, rows[i].how);
}
END_TEST

/* All is written and our FIN is behind it, but some of it is still ours when the peer closes its
 * side. Returns whether so many lines came to that. */
static bool
try_close_before_the_last_bytes(int n_lines)
{
    struct rig rig;
    int untaken = 0, before;

    meet(&rig, n_lines);
    ck_assert_int_eq(step(&rig), CARBON_BUSY);
    /* What the peer's kernel has room for it takes at its leisure; only what stays is meant. */
    do {
        before = untaken;
        ck_assert_int_eq(ioctl(rig.carbon.fd, SIOCOUTQ, &untaken), 0);
    } while (untaken > 0 && poll(NULL, 0, 100) == 0 && untaken != before);
    if (rig.carbon.state != CARBON_WAITING_FOR_FIN)
        untaken = 0;
    if (untaken > 0) {
        shutdown(rig.peer, SHUT_WR);
        assert_failed(&rig, "closed before everything was read");
    }
    part(&rig);
    return untaken > 0;
}

START_TEST(test_close_before_the_last_bytes)
{
    for (int n_lines = 50; !try_close_before_the_last_bytes(n_lines); n_lines += 20)
        ck_assert_int_lt(n_lines, 1000);
}
END_TEST

/* Steps just before the deadline and at it. */
static void
assert_timeout(struct rig *rig, uint64_t deadline_ms, const char *why)
{
    ck_assert_int_eq(carbon_step(&rig->carbon, NOW_MS), CARBON_BUSY); /* sees what was taken last */
    ck_assert_uint_eq(rig->carbon.deadline_ms, deadline_ms);
    ck_assert_int_eq(carbon_step(&rig->carbon, deadline_ms - 1), CARBON_BUSY);
    ck_assert_int_eq(carbon_step(&rig->carbon, deadline_ms), CARBON_FAILED);
    ck_assert_msg(strstr(rig->carbon.error, why) != NULL, "%s", rig->carbon.error);
    ck_assert_int_eq(rig->carbon.fd, -1);
}

START_TEST(test_peer_that_reads_nothing)
{
    struct rig rig;

    meet(&rig, N_MANY);
    ck_assert_int_eq(step(&rig), CARBON_BUSY);
    ck_assert_int_eq(rig.carbon.state, CARBON_WRITING);
    ck_assert_int_eq(carbon_events(&rig.carbon), POLLIN | POLLOUT);
    assert_timeout(&rig, NOW_MS + SEND_MS, "timeout");
    part(&rig);
}
END_TEST

/* Progress, however little, moves the deadline. */
START_TEST(test_peer_that_reads_slowly)
{
    struct rig rig;
    uint64_t now_ms = NOW_MS, deadline_ms = clock_mono_ms() + 4 * PATIENCE_MS;

    meet(&rig, N_MANY);
    while (!hear(&rig, rig.peer)) {
        struct pollfd slot = {.fd = rig.carbon.fd, .events = carbon_events(&rig.carbon)};

        ck_assert_uint_lt(clock_mono_ms(), deadline_ms);
        if (poll(&slot, 1, 1) == 1)
            now_ms += SEND_MS - 1;
        ck_assert_int_eq(advance(&rig, now_ms), CARBON_BUSY);
    }
    ck_assert_uint_gt(now_ms, NOW_MS + 4 * SEND_MS);
    assert_heard_batch(&rig);
    leave(&rig);
    ck_assert_int_eq(run(&rig), CARBON_DELIVERED);
    part(&rig);
}
END_TEST

START_TEST(test_peer_that_never_closes)
{
    struct rig rig;

    meet(&rig, 1);
    hear_all(&rig, rig.peer);
    assert_timeout(&rig, NOW_MS + SEND_MS, "not acknowledged");
    part(&rig);
}
END_TEST

START_TEST(test_peer_that_talks)
{
    static const struct {
        size_t len;
        bool fails;
    } rows[] = {{1, false}, {4096, false}, {4097, true}, {5000, true}};
    static const char garbage[5000] = "HTTP/1.1 400 Bad Request";

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig rig;

        meet(&rig, 1);
        hear_all(&rig, rig.peer);
        ck_assert_int_eq((int)write(rig.peer, garbage, rows[i].len), (int)rows[i].len);
        if (rows[i].fails) {
            assert_failed(&rig, "not carbon");
        } else {
            ck_assert_int_eq(step(&rig), CARBON_BUSY);
            ck_assert_uint_eq(rig.carbon.n_garbage, rows[i].len);
            leave(&rig);
            ck_assert_int_eq(run(&rig), CARBON_DELIVERED);
        }
        part(&rig);
    }
}
END_TEST

/* Bound sockets that do not listen: nobody else can be there. */
START_TEST(test_addresses_in_turn)
{
    for (int n_refusing = 0; n_refusing < 3; n_refusing++) {
        int refusing[2];
        struct rig rig;

        rig_init(&rig, 1);
        for (int i = 0; i < n_refusing; i++) {
            refusing[i] = bind_to("127.0.0.1");
            add_address(&rig, refusing[i]);
        }
        rig.listener = listen_for(&rig, "127.0.0.1");
        start(&rig);
        while (rig.carbon.next_address <= n_refusing)
            ck_assert_int_eq(carbon_step(&rig.carbon, NOW_MS), CARBON_BUSY);
        deliver_to(&rig, rig.listener);
        for (int i = 0; i < n_refusing; i++)
            close(refusing[i]);
        part(&rig);
    }
}
END_TEST

START_TEST(test_all_refuse)
{
    int refusing[2];
    struct rig rig;
    char want[NET_TEXT_MAX];

    rig_init(&rig, 1);
    for (int i = 0; i < 2; i++) {
        refusing[i] = bind_to("127.0.0.1");
        add_address(&rig, refusing[i]);
    }
    start(&rig);
    assert_failed(&rig, "refused");
    net_format(&rig.to.addresses[1], want);
    ck_assert_ptr_nonnull(strstr(rig.carbon.error, want));
    close(refusing[0]);
    close(refusing[1]);
    rig_release(&rig);
}
END_TEST

/* An address to which there is no way at all is passed over at once. */
START_TEST(test_impossible_address)
{
    struct rig rig;

    rig_init(&rig, 1);
    rig.to.n = 1; /* of no family */
    ck_assert_int_eq(carbon_start(&rig.carbon, &rig.to, rig.batch, &rig.dialect, NOW_MS),
                     CARBON_FAILED);
    rig.listener = listen_for(&rig, "127.0.0.1");
    start(&rig);
    deliver_to(&rig, rig.listener);
    part(&rig);
}
END_TEST

/* A listener whose queue is full lets a connection wait. The fillers are the caller's to close. */
static int
fill_backlog(const struct net_address *address, int fillers[8])
{
    for (int n = 0; n < 8; n++) {
        struct pollfd slot = {.fd = net_tcp_connect(address), .events = POLLOUT};

        ck_assert_int_ge(slot.fd, 0);
        fillers[n] = slot.fd;
        if (poll(&slot, 1, 50) == 0)
            return n + 1;
    }
    ck_abort_msg("the backlog has no end");
    return 0;
}

START_TEST(test_no_answer)
{
    int fillers[8], n_fillers, full = bind_to("127.0.0.1");
    struct rig rig;

    rig_init(&rig, 1);
    ck_assert_int_eq(listen(full, 0), 0);
    add_address(&rig, full);
    n_fillers = fill_backlog(&rig.to.addresses[0], fillers);
    start(&rig);
    assert_timeout(&rig, NOW_MS + CONNECT_MS, "no answer");
    rig.listener = listen_for(&rig, "127.0.0.1"); /* now there is a second address */
    start(&rig);
    ck_assert_int_eq(carbon_step(&rig.carbon, NOW_MS + CONNECT_MS), CARBON_BUSY);
    ck_assert_int_eq(rig.carbon.next_address, 2);
    ck_assert_uint_eq(rig.carbon.deadline_ms, NOW_MS + 2 * CONNECT_MS);
    deliver_to(&rig, rig.listener);
    while (n_fillers > 0)
        close(fillers[--n_fillers]);
    close(full);
    part(&rig);
}
END_TEST

/* What was under way is nothing any more, and the next try is like any other. */
START_TEST(test_cancel)
{
    struct rig rig;

    rig_init(&rig, 1);
    rig.listener = listen_for(&rig, "127.0.0.1");
    start(&rig);
    carbon_cancel(&rig.carbon);
    ck_assert_int_eq(rig.carbon.fd, -1);
    ck_assert_int_eq(carbon_step(&rig.carbon, NOW_MS), CARBON_BUSY);
    carbon_cancel(&rig.carbon);
    start(&rig);
    close(rig.listener);
    rig_release(&rig);
}
END_TEST

START_TEST(test_idle)
{
    struct rig rig;

    rig_init(&rig, 1);
    ck_assert_int_eq(carbon_step(&rig.carbon, NOW_MS), CARBON_BUSY);
    ck_assert_int_eq(carbon_events(&rig.carbon), 0);
    rig_release(&rig);
    carbon_release(&(struct carbon){.fd = -1});
}
END_TEST

/* ---- what carbon may have taken */

static const struct {
    int n_lines;
    bool step_before;
    bool may_be_taken;
} breaks[] = {
    {1, false, false}, /* a connection and nothing in it */
    {1, true, true},
    {N_MANY, true, true},
};

START_TEST(test_may_be_taken)
{
    for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
        struct rig rig;

        meet(&rig, breaks[i].n_lines);
        if (breaks[i].step_before)
            ck_assert_int_eq(step(&rig), CARBON_BUSY);
        carbon_cancel(&rig.carbon);
        ck_assert_msg(rig.carbon.may_be_taken == breaks[i].may_be_taken, "row %zu", i);
        part(&rig);

        meet(&rig, breaks[i].n_lines);
        if (breaks[i].step_before)
            ck_assert_int_eq(step(&rig), CARBON_BUSY);
        reset(&rig);
        ck_assert_int_eq(run(&rig), CARBON_FAILED);
        ck_assert_msg(rig.carbon.may_be_taken == breaks[i].may_be_taken, "reset %zu", i);
        part(&rig);
    }
}
END_TEST

/* Nothing of it trickles in behind a failure: the peer sees a reset, not an end. */
START_TEST(test_given_up_is_reset)
{
    struct rig rig;
    char bytes[4096];
    ssize_t n;

    meet(&rig, N_MANY);
    ck_assert_int_eq(step(&rig), CARBON_BUSY);
    carbon_cancel(&rig.carbon);
    while ((n = read(rig.peer, bytes, sizeof(bytes))) > 0)
        continue;
    ck_assert_int_eq((int)n, -1);
    ck_assert_int_eq(errno, ECONNRESET);
    part(&rig);
}
END_TEST

/* Until the peer has read so many bytes, which are those of the batch. */
static void
hear_so_many(struct rig *rig, size_t len)
{
    char bytes[16384];

    rig->heard.len = 0;
    while (rig->heard.len < len) {
        ssize_t n;

        ck_assert_int_eq(advance(rig, NOW_MS), CARBON_BUSY);
        n = read(rig->peer, bytes, len - rig->heard.len);
        if (n > 0)
            ck_assert_int_eq(buf_append(&rig->heard, bytes, (size_t)n), 0);
    }
}

/* 10 KiB and a reset at every byte: never taken for delivered, and then whole. */
START_TEST(test_reset_at_every_byte)
{
    enum { N_LINES = 260, SIZE = 10240 };
    struct buf want;
    struct render render;
    struct rig rig;

    rig_init(&rig, N_LINES);
    buf_init(&want, 1 << 20);
    render_init(&render, rig.batch, &rig.dialect);
    while (render_next(&render, &want))
        continue;
    ck_assert_uint_ge(want.len, SIZE);
    rig.listener = listen_for(&rig, "127.0.0.1");
    for (size_t len = 0; len <= want.len; len++) {
        ck_assert_int_eq(carbon_start(&rig.carbon, &rig.to, rig.batch, &rig.dialect, NOW_MS),
                         CARBON_BUSY);
        rig.peer = accept_one(rig.listener);
        hear_so_many(&rig, len);
        ck_assert(len == 0 || memcmp(rig.heard.data, want.data, len) == 0);
        reset(&rig);
        ck_assert_int_eq(run(&rig), CARBON_FAILED);
        ck_assert(len == 0 || rig.carbon.may_be_taken);
    }
    start(&rig);
    deliver_to(&rig, rig.listener);
    buf_release(&want);
    part(&rig);
}
END_TEST

/* ---- peers that do not close */

START_TEST(test_without_awaiting_fin)
{
    struct rig rig;

    meet(&rig, 1);
    rig.carbon.await_fin = false;
    ck_assert_int_eq(run(&rig), CARBON_DELIVERED); /* its host has it */
    part(&rig);

    meet(&rig, N_MANY);
    rig.carbon.await_fin = false;
    hear_all(&rig, rig.peer);
    ck_assert_uint_eq(carbon_deadline(&rig.carbon, NOW_MS), NOW_MS + 20);
    ck_assert_int_eq(run(&rig), CARBON_DELIVERED);
    assert_heard_batch(&rig);
    part(&rig);
}
END_TEST

/* Not all was taken, or there was an error. */
START_TEST(test_errors_without_awaiting_fin)
{
    struct rig rig;

    meet(&rig, N_MANY);
    rig.carbon.await_fin = false;
    ck_assert_int_eq(step(&rig), CARBON_BUSY);
    assert_timeout(&rig, NOW_MS + SEND_MS, "timeout");
    part(&rig);

    meet(&rig, N_MANY);
    rig.carbon.await_fin = false;
    ck_assert_int_eq(step(&rig), CARBON_BUSY);
    reset(&rig);
    assert_failed(&rig, "connection lost");
    part(&rig);
}
END_TEST

/* All is written, but the peer's host takes it little by little: that is progress, too. */
START_TEST(test_slow_end)
{
    uint64_t now_ms = NOW_MS, deadline_ms = clock_mono_ms() + 4 * PATIENCE_MS;
    const int large = 1 << 22;
    char bytes[65536];
    struct rig rig;
    ssize_t n;

    rig_init(&rig, N_MANY);
    rig.listener = listen_for(&rig, "127.0.0.1");
    ck_assert_int_eq(carbon_start(&rig.carbon, &rig.to, rig.batch, &rig.dialect, NOW_MS),
                     CARBON_BUSY);
    setsockopt(rig.carbon.fd, SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
    rig.peer = accept_one(rig.listener);
    ck_assert_int_eq(step(&rig), CARBON_BUSY);
    do {
        uint64_t n_taken = rig.carbon.n_taken;

        ck_assert_uint_lt(clock_mono_ms(), deadline_ms);
        ck_assert_int_eq(advance(&rig, now_ms), CARBON_BUSY);
        if (rig.carbon.n_taken > n_taken)
            now_ms += SEND_MS - 1;
        n = read(rig.peer, bytes, sizeof(bytes));
    } while (n != 0);
    ck_assert_uint_gt(now_ms, NOW_MS + 4 * SEND_MS);
    leave(&rig);
    ck_assert_int_eq(run(&rig), CARBON_DELIVERED);
    part(&rig);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("carbon");
    TCase *tcase = tcase_create("carbon");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, test_acknowledged);
    tcase_add_test(tcase, test_again_after_a_failure);
    tcase_add_test(tcase, test_breaches);
    tcase_add_test(tcase, test_close_before_the_last_bytes);
    tcase_add_test(tcase, test_peer_that_reads_nothing);
    tcase_add_test(tcase, test_peer_that_reads_slowly);
    tcase_add_test(tcase, test_peer_that_never_closes);
    tcase_add_test(tcase, test_peer_that_talks);
    tcase_add_test(tcase, test_addresses_in_turn);
    tcase_add_test(tcase, test_all_refuse);
    tcase_add_test(tcase, test_impossible_address);
    tcase_add_test(tcase, test_no_answer);
    tcase_add_test(tcase, test_cancel);
    tcase_add_test(tcase, test_idle);
    tcase_add_test(tcase, test_may_be_taken);
    tcase_add_test(tcase, test_given_up_is_reset);
    tcase_add_test(tcase, test_reset_at_every_byte);
    tcase_add_test(tcase, test_without_awaiting_fin);
    tcase_add_test(tcase, test_errors_without_awaiting_fin);
    tcase_add_test(tcase, test_slow_end);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
