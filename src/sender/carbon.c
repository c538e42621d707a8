/*
 * carbon: see carbon.h. Each state has one function that goes as far as the socket lets it.
 */
#include "sender/carbon.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fault.h"

#define OUT_LEN ((size_t)2 * RECORD_POINTS_MAX * RENDER_LINE_MAX)
/* carbon never says anything; who says more than this is not carbon. */
#define GARBAGE_MAX 4096
/* How often it is looked whether the peer's host has everything, which no event tells. */
#define LOOK_MS 20

int
carbon_init(struct carbon *carbon, uint32_t connect_timeout_ms, uint32_t send_timeout_ms,
            bool await_fin)
{
    memset(carbon, 0, sizeof(*carbon));
    carbon->connect_timeout_ms = connect_timeout_ms;
    carbon->send_timeout_ms = send_timeout_ms;
    carbon->await_fin = await_fin;
    carbon->fd = -1;
    buf_init(&carbon->out, OUT_LEN);
    return buf_reserve(&carbon->out, OUT_LEN) == NULL ? -ENOMEM : 0;
}

static void
disconnect(struct carbon *carbon)
{
    if (carbon->fd >= 0)
        close(carbon->fd);
    carbon->fd = -1;
    carbon->state = CARBON_IDLE;
}

/* Whether carbon may have read any of it. The peer's host acknowledges the first bytes before
 * anybody can read them; what it counts before them is our SYN. */
static bool
is_any_taken(const struct carbon *carbon)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);

    if (carbon->fd < 0 || carbon->n_written == 0)
        return false;
    if (getsockopt(carbon->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
        len < offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof(info.tcpi_bytes_acked))
        return true;
    return info.tcpi_bytes_acked > 1;
}

/* What goes again whole must not arrive in part later: what the kernel still has is thrown away. */
static void
give_up(struct carbon *carbon)
{
    const struct linger at_once = {.l_onoff = 1};

    carbon->may_be_taken = is_any_taken(carbon);
    if (carbon->fd >= 0)
        (void)setsockopt(carbon->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    disconnect(carbon);
}

void
carbon_release(struct carbon *carbon)
{
    give_up(carbon);
    buf_release(&carbon->out);
}

static enum carbon_result
fail(struct carbon *carbon, const char *doing, const char *why)
{
    snprintf(carbon->error, sizeof(carbon->error), "%s: %s", doing, why);
    give_up(carbon);
    return CARBON_FAILED;
}

/* Opens a connection to the next address that does not refuse at once. */
static enum carbon_result
connect_next(struct carbon *carbon, uint64_t now_ms)
{
    const struct net_address *address;
    char text[NET_TEXT_MAX] = "no address";
    int error = 0;

    fault_point("sender_connect");
    while (carbon->next_address < carbon->addresses.n) {
        address = &carbon->addresses.addresses[carbon->next_address++];
        carbon->fd = net_tcp_connect(address);
        if (carbon->fd >= 0) {
            carbon->state = CARBON_CONNECTING;
            carbon->deadline_ms = now_ms + carbon->connect_timeout_ms;
            return CARBON_BUSY;
        }
        error = -carbon->fd;
        net_format(address, text);
    }
    return fail(carbon, text, strerror(error));
}

/* This address failed: the next one, while there is one. */
static enum carbon_result
connect_failed(struct carbon *carbon, const char *why, uint64_t now_ms)
{
    char text[NET_TEXT_MAX];

    if (carbon->next_address < carbon->addresses.n) {
        disconnect(carbon);
        return connect_next(carbon, now_ms);
    }
    net_format(&carbon->addresses.addresses[carbon->next_address - 1], text);
    return fail(carbon, text, why);
}

static bool
is_writable(int fd)
{
    struct pollfd slot = {.fd = fd, .events = POLLOUT};

    return poll(&slot, 1, 0) == 1;
}

static enum carbon_result
finish_connect(struct carbon *carbon, uint64_t now_ms)
{
    int error;

    if (!is_writable(carbon->fd))
        return now_ms < carbon->deadline_ms ? CARBON_BUSY
                                            : connect_failed(carbon, "no answer", now_ms);
    if ((error = net_socket_error(carbon->fd)) != 0)
        return connect_failed(carbon, strerror(error), now_ms);
    carbon->state = CARBON_WRITING;
    carbon->deadline_ms = now_ms + carbon->send_timeout_ms;
    return CARBON_CONNECTED;
}

/* Whatever the peer's host has taken since it was looked last moves the deadline. */
static void
look_for_progress(struct carbon *carbon, uint64_t now_ms)
{
    int untaken = 0;

    if (ioctl(carbon->fd, SIOCOUTQ, &untaken) != 0 || (uint64_t)untaken > carbon->n_written)
        return;
    if (carbon->n_written - (uint64_t)untaken <= carbon->n_taken)
        return;
    carbon->n_taken = carbon->n_written - (uint64_t)untaken;
    carbon->deadline_ms = now_ms + carbon->send_timeout_ms;
}

/* Throws away what the peer says. CARBON_DELIVERED stands for the end of the file here. */
static enum carbon_result
read_peer(struct carbon *carbon)
{
    char garbage[512];

    for (;;) {
        ssize_t n = recv(carbon->fd, garbage, sizeof(garbage), MSG_DONTWAIT);

        if (n == 0)
            return CARBON_DELIVERED;
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return CARBON_BUSY;
        if (n < 0)
            return fail(carbon, "connection lost", strerror(errno));
        carbon->n_garbage += (size_t)n;
        if (carbon->n_garbage > GARBAGE_MAX)
            return fail(carbon, "not carbon", "it answers");
    }
}

/* Sends what is rendered; more is rendered when that is gone. 1: all is sent, 0: not yet. */
static int
send_rendered(struct carbon *carbon)
{
    for (;;) {
        ssize_t n;

        if (carbon->out_at == carbon->out.len) {
            carbon->out.len = carbon->out_at = 0;
            if (!render_next(&carbon->render, &carbon->out))
                return 1;
        }
        fault_point("sender_write");
        n = send(carbon->fd, carbon->out.data + carbon->out_at, carbon->out.len - carbon->out_at,
                 MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        carbon->out_at += (size_t)n;
        carbon->n_written += (size_t)n;
    }
}

static enum carbon_result
write_batch(struct carbon *carbon, uint64_t now_ms)
{
    enum carbon_result heard = read_peer(carbon);
    int sent;

    if (heard == CARBON_DELIVERED)
        return fail(carbon, "connection lost", "closed before everything was sent");
    if (heard == CARBON_FAILED)
        return heard;
    if ((sent = send_rendered(carbon)) < 0)
        return fail(carbon, "connection lost", strerror(-sent));
    if (sent == 0)
        return now_ms < carbon->deadline_ms ? CARBON_BUSY
                                            : fail(carbon, "timeout", "nothing was taken");
    fault_point("sender_fin");
    if (shutdown(carbon->fd, SHUT_WR) != 0)
        return fail(carbon, "connection lost", strerror(errno));
    carbon->state = CARBON_WAITING_FOR_FIN;
    carbon->deadline_ms = now_ms + carbon->send_timeout_ms;
    return CARBON_BUSY;
}

/* Whether the peer had taken every byte, and our FIN, when it closed. It may have closed before our
 * last bytes arrived; the reset that answers them comes behind its FIN or has not come yet. */
static bool
everything_was_taken(int fd)
{
    int untaken = 0;

    return net_socket_error(fd) == 0 && ioctl(fd, SIOCOUTQ, &untaken) == 0 && untaken == 0;
}

static enum carbon_result
wait_for_fin(struct carbon *carbon, uint64_t now_ms)
{
    enum carbon_result heard = read_peer(carbon);

    if (heard == CARBON_FAILED)
        return heard;
    if (heard == CARBON_DELIVERED && !everything_was_taken(carbon->fd))
        return fail(carbon, "connection lost", "closed before everything was read");
    if (heard == CARBON_DELIVERED || (!carbon->await_fin && everything_was_taken(carbon->fd))) {
        disconnect(carbon);
        return CARBON_DELIVERED;
    }
    return now_ms < carbon->deadline_ms
               ? CARBON_BUSY
               : fail(carbon, "timeout", "not acknowledged by closing the connection");
}

enum carbon_result
carbon_start(struct carbon *carbon, const struct resolved *addresses, const struct batch *batch,
             const struct dialect *dialect, uint64_t now_ms)
{
    carbon->addresses = *addresses;
    carbon->next_address = 0;
    carbon->out.len = carbon->out_at = 0;
    carbon->n_garbage = 0;
    carbon->n_written = carbon->n_taken = 0;
    render_init(&carbon->render, batch, dialect);
    return connect_next(carbon, now_ms);
}

enum carbon_result
carbon_step(struct carbon *carbon, uint64_t now_ms)
{
    enum carbon_state before;
    enum carbon_result result = CARBON_BUSY;

    if (carbon->state == CARBON_WRITING || carbon->state == CARBON_WAITING_FOR_FIN)
        look_for_progress(carbon, now_ms);
    do {
        before = carbon->state;
        switch (before) {
        case CARBON_IDLE: return CARBON_BUSY;
        case CARBON_CONNECTING: result = finish_connect(carbon, now_ms); break;
        case CARBON_WRITING: result = write_batch(carbon, now_ms); break;
        case CARBON_WAITING_FOR_FIN: result = wait_for_fin(carbon, now_ms); break;
        }
    } while (result == CARBON_BUSY && carbon->state != before);
    return result;
}

void
carbon_cancel(struct carbon *carbon)
{
    give_up(carbon);
}

short
carbon_events(const struct carbon *carbon)
{
    switch (carbon->state) {
    case CARBON_CONNECTING: return POLLOUT;
    case CARBON_WRITING: return POLLIN | POLLOUT;
    case CARBON_WAITING_FOR_FIN: return POLLIN;
    case CARBON_IDLE: break;
    }
    return 0;
}

uint64_t
carbon_deadline(const struct carbon *carbon, uint64_t now_ms)
{
    if (carbon->state == CARBON_WAITING_FOR_FIN && !carbon->await_fin)
        return now_ms + LOOK_MS;
    return carbon->deadline_ms;
}
