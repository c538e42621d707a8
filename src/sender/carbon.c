/*
 * carbon: see carbon.h. Each state has one function that goes as far as the socket lets it.
 */
#include "sender/carbon.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define OUT_LEN ((size_t)2 * RECORD_POINTS_MAX * RENDER_LINE_MAX)
/* carbon never says anything; who says more than this is not carbon. */
#define GARBAGE_MAX 4096

int
carbon_init(struct carbon *carbon, uint32_t connect_timeout_ms, uint32_t send_timeout_ms)
{
    memset(carbon, 0, sizeof(*carbon));
    carbon->connect_timeout_ms = connect_timeout_ms;
    carbon->send_timeout_ms = send_timeout_ms;
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

void
carbon_release(struct carbon *carbon)
{
    disconnect(carbon);
    buf_release(&carbon->out);
}

static enum carbon_result
fail(struct carbon *carbon, const char *doing, const char *why)
{
    snprintf(carbon->error, sizeof(carbon->error), "%s: %s", doing, why);
    disconnect(carbon);
    return CARBON_FAILED;
}

/* Opens a connection to the next address that does not refuse at once. */
static enum carbon_result
connect_next(struct carbon *carbon, uint64_t now_ms)
{
    const struct net_address *address;
    char text[NET_TEXT_MAX] = "no address";
    int error = 0;

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
    return CARBON_BUSY;
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
send_rendered(struct carbon *carbon, uint64_t now_ms)
{
    for (;;) {
        ssize_t n;

        if (carbon->out_at == carbon->out.len) {
            carbon->out.len = carbon->out_at = 0;
            if (!render_next(&carbon->render, &carbon->out))
                return 1;
        }
        n = send(carbon->fd, carbon->out.data + carbon->out_at, carbon->out.len - carbon->out_at,
                 MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        carbon->out_at += (size_t)n;
        carbon->deadline_ms = now_ms + carbon->send_timeout_ms;
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
    if ((sent = send_rendered(carbon, now_ms)) < 0)
        return fail(carbon, "connection lost", strerror(-sent));
    if (sent == 0)
        return now_ms < carbon->deadline_ms ? CARBON_BUSY
                                            : fail(carbon, "timeout", "nothing was taken");
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

    if (heard == CARBON_BUSY && now_ms >= carbon->deadline_ms)
        return fail(carbon, "timeout", "not acknowledged by closing the connection");
    if (heard == CARBON_DELIVERED && !everything_was_taken(carbon->fd))
        return fail(carbon, "connection lost", "closed before everything was read");
    if (heard == CARBON_DELIVERED)
        disconnect(carbon);
    return heard;
}

enum carbon_result
carbon_start(struct carbon *carbon, const struct resolved *addresses, const struct batch *batch,
             const struct dialect *dialect, uint64_t now_ms)
{
    carbon->addresses = *addresses;
    carbon->next_address = 0;
    carbon->out.len = carbon->out_at = 0;
    carbon->n_garbage = 0;
    render_init(&carbon->render, batch, dialect);
    return connect_next(carbon, now_ms);
}

enum carbon_result
carbon_step(struct carbon *carbon, uint64_t now_ms)
{
    enum carbon_state before;
    enum carbon_result result = CARBON_BUSY;

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
    disconnect(carbon);
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
