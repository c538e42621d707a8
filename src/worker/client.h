/*
 * client: one connection of somebody who asks, on ADMIN_SOCKET or the console. Nothing here waits
 * for it: it is read and written as far as it goes.
 */
#ifndef WORKER_CLIENT_H
#define WORKER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net.h"
#include "worker/explain.h"
#include "worker/reply.h"

/* The longest request, which may be one to explain the longest line; of the console, where a piece
 * is a command. */
#define CLIENT_LINE_MAX  (EXPLAIN_LINE_MAX + 64)
#define CLIENT_PIECE_MAX 1024
/* How long one may take for its request, and for any part of the answer. */
#define CLIENT_PATIENCE_MS 5000

/* Zeroed: nobody. */
struct client {
    bool is_there;
    bool is_console;
    int fd;
    char peer[NET_TEXT_MAX]; /* who it is, for the log */
    struct desk *desk;
    char *in; /* CLIENT_LINE_MAX + 1 bytes */
    size_t n_in;
    uint64_t deadline_ms; /* monotonic; then it is dropped, or a piece is over */
    bool ends_piece;      /* the latter */
    bool answering;
    struct reply reply;
    enum reply_progress progress; /* of the last step */
    size_t n_written;             /* of what is in reply.out */
};

/* Takes an accepted, non-blocking connection, which it closes in the end. Returns 0 or -ENOMEM. */
int client_open(struct client *client, int fd, bool is_console, struct desk *desk, uint64_t now_ms);

/* Closes it; nothing is where nobody is. */
void client_close(struct client *client);

/* What to poll its descriptor for. */
short client_events(const struct client *client);

/* When to go on even where poll(2) has nothing to say; UINT64_MAX: never. */
uint64_t client_deadline(const struct client *client, uint64_t now_ms);

/* Goes on, with what poll(2) said. Closes it when it is over. */
void client_go(struct client *client, short revents, uint64_t now_ms);

#endif
