/*
 * client: see client.h. Knows the two ways to ask apart: a line, and a connection that ends with
 * the answer, or pieces, one after the other.
 */
#include "worker/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/command.h"
#include "worker/console.h"

/* What belongs together and does not end with a newline comes within this time. */
#define PIECE_MS 200
/* How soon a step that had nothing to say is asked again. */
#define LATER_MS 20
/* How much of what is too long is read, in pieces of CLIENT_LINE_MAX. */
#define REFUSED_PIECES 16

static void
listen_to(struct client *client, uint64_t now_ms)
{
    client->n_in = 0;
    client->ends_piece = false;
    client->answering = false;
    client->deadline_ms = now_ms + CLIENT_PATIENCE_MS;
}

/* An address, or, on the socket that is the machine's alone, a user. */
static void
name_peer(struct client *client)
{
    struct net_address address = {.len = sizeof(address.storage)};
    struct ucred user = {.uid = (uid_t)-1};
    socklen_t len = sizeof(user);

    if (client->is_console) {
        (void)getpeername(client->fd, (struct sockaddr *)&address.storage, &address.len);
        net_format(&address, client->peer);
        return;
    }
    (void)getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &user, &len);
    snprintf(client->peer, sizeof(client->peer), "uid %u on ADMIN_SOCKET", (unsigned)user.uid);
}

int
client_open(struct client *client, int fd, bool is_console, struct desk *desk, uint64_t now_ms)
{
    *client = (struct client){.is_console = is_console, .fd = fd, .desk = desk};
    client->in = malloc(CLIENT_LINE_MAX + 1);
    if (client->in == NULL)
        return -ENOMEM;
    client->is_there = true;
    name_peer(client);
    listen_to(client, now_ms);
    return 0;
}

void
client_close(struct client *client)
{
    if (!client->is_there)
        return;
    reply_release(&client->reply);
    free(client->in);
    close(client->fd);
    *client = (struct client){0};
}

static bool
has_unsent(const struct client *client)
{
    return client->n_written < client->reply.out.len;
}

short
client_events(const struct client *client)
{
    if (!client->answering)
        return POLLIN;
    return has_unsent(client) || client->progress == REPLY_MORE ? POLLOUT : 0;
}

uint64_t
client_deadline(const struct client *client, uint64_t now_ms)
{
    if (client->answering && !has_unsent(client) && client->progress == REPLY_LATER)
        return now_ms + LATER_MS;
    return client->deadline_ms;
}

/* ---- the request */

static void
begin_answer(struct client *client, uint64_t now_ms)
{
    client->answering = true;
    client->progress = REPLY_MORE;
    client->n_written = 0;
    client->deadline_ms = now_ms + CLIENT_PATIENCE_MS;
    reply_init(&client->reply, client->desk, client->is_console);
    client->reply.peer = client->peer;
}

static void
take_piece(struct client *client, uint64_t now_ms)
{
    begin_answer(client, now_ms);
    if (!console_begin(&client->reply, client->in, client->n_in))
        client_close(client);
}

static void
take_line(struct client *client, size_t len, uint64_t now_ms)
{
    begin_answer(client, now_ms);
    command_begin(&client->reply, client->in, len);
}

/* On the console that is nobody who knows it. What else has come is taken, since the kernel cuts
 * off who is closed with something unread. */
static void
refuse_length(struct client *client, uint64_t now_ms)
{
    if (client->is_console) {
        client_close(client);
        return;
    }
    for (int i = 0; i < REFUSED_PIECES; i++) {
        if (recv(client->fd, client->in, CLIENT_LINE_MAX, MSG_DONTWAIT) <= 0)
            break;
    }
    begin_answer(client, now_ms);
    (void)reply_fail(&client->reply, "the request is too long");
}

/* Takes what is there as a request, where it is one. */
static void
look_for_request(struct client *client, bool has_ended, uint64_t now_ms)
{
    size_t max = client->is_console ? CLIENT_PIECE_MAX : CLIENT_LINE_MAX;
    const char *newline = memchr(client->in, '\n', client->n_in);

    if (client->n_in > max) {
        refuse_length(client, now_ms);
    } else if (has_ended && client->n_in == 0) {
        client_close(client);
    } else if (!client->is_console) {
        if (newline != NULL || has_ended)
            take_line(client, newline != NULL ? (size_t)(newline - client->in) : client->n_in,
                      now_ms);
    } else if (has_ended || client->in[client->n_in - 1] == '\n') {
        take_piece(client, now_ms);
    } else if (!client->ends_piece) {
        client->ends_piece = true;
        client->deadline_ms = now_ms + PIECE_MS;
    }
}

static void
read_request(struct client *client, uint64_t now_ms)
{
    size_t max = client->is_console ? CLIENT_PIECE_MAX : CLIENT_LINE_MAX;
    ssize_t n = recv(client->fd, client->in + client->n_in, max + 1 - client->n_in, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        client_close(client);
        return;
    }
    client->n_in += (size_t)n;
    look_for_request(client, n == 0, now_ms);
}

/* ---- the answer */

static void
end_answer(struct client *client, uint64_t now_ms)
{
    if (!client->is_console) {
        client_close(client);
        return;
    }
    reply_release(&client->reply);
    listen_to(client, now_ms);
}

static void
write_answer(struct client *client, uint64_t now_ms)
{
    const struct buf *out = &client->reply.out;
    ssize_t n = send(client->fd, out->data + client->n_written, out->len - client->n_written,
                     MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        client_close(client);
        return;
    }
    client->n_written += (size_t)n;
    client->deadline_ms = now_ms + CLIENT_PATIENCE_MS;
}

static void
answer(struct client *client, uint64_t now_ms)
{
    if (!has_unsent(client) && client->progress != REPLY_DONE) {
        client->reply.out.len = 0;
        client->n_written = 0;
        client->progress = reply_step(&client->reply);
        if (client->progress == REPLY_MORE)
            client->deadline_ms = now_ms + CLIENT_PATIENCE_MS; /* slow is not the client */
    }
    if (has_unsent(client))
        write_answer(client, now_ms);
    if (client->is_there && !has_unsent(client) && client->progress == REPLY_DONE)
        end_answer(client, now_ms);
}

/* A client that reads nothing, or has nothing to ask, makes room for another. */
static void
expire(struct client *client, uint64_t now_ms)
{
    if (!client->answering && client->ends_piece)
        take_piece(client, now_ms);
    else
        client_close(client);
}

/* It was polled for room, and there is none. A little may be left all the same; who took that would
 * see a client that reads nothing get on. */
static bool
is_stuck(const struct client *client, short revents)
{
    return client->is_there && client->answering && client_events(client) == POLLOUT &&
           (revents & POLLOUT) == 0;
}

void
client_go(struct client *client, short revents, uint64_t now_ms)
{
    bool is_waiting, had_no_room = is_stuck(client, revents);

    if (client->is_there && client->answering && (revents & (POLLHUP | POLLERR)) != 0)
        client_close(client);
    if (client->is_there && !client->answering && revents != 0)
        read_request(client, now_ms);
    if (client->is_there && client->answering && !had_no_room)
        answer(client, now_ms);
    is_waiting = client->is_there && client->answering && !has_unsent(client) &&
                 client->progress == REPLY_LATER;
    if (client->is_there && !is_waiting && now_ms >= client->deadline_ms)
        expire(client, now_ms);
}
