/*
 * client: a client's insides, for the files that make samples of calls.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/api.h"
#include "client/forks.h"
#include "client/peer.h"

struct pystatsd_client {
    pthread_mutex_t mutex; /* of all below; held for a datagram's sending at most */
    struct forks_member forks;
    struct peer peer;
    uint64_t random; /* chooses samples */
    char *prefix;    /* clean, with the dot behind it */
    size_t prefix_len;
    char *tags; /* clean */
    size_t tags_len;
    size_t buffer_bytes;
    uint64_t buffer_ms;
    uint64_t
        since_ms; /* when the first of the buffered samples came; kept where buffer_ms is set */
    size_t len;   /* of what is buffered */
    /* Behind that, and a newline, is room for one more line. */
    char text[2 * (PYSTATSD_DATAGRAM_MAX + 1)];
};

/* Where the next line is to be written; it may be PYSTATSD_DATAGRAM_MAX bytes long. The mutex is
 * held for this and the next two. */
char *client_line(struct pystatsd_client *client);

/* Takes the line that was written there, without a newline: buffers it, or sends it. 0, or a
 * negative errno where it is lost. */
int client_take(struct pystatsd_client *client, size_t line_len);

/* True for this share of the calls. */
bool client_draw(struct pystatsd_client *client, double sample_rate);

/* -EINVAL where something is in the room for what is to come: it is of a later version. Else 0. */
int client_check_reserved(void *const reserved[], size_t n);

#endif
