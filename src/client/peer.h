/*
 * peer: where datagrams go to: a host by UDP, or a Unix socket.
 */
#ifndef CLIENT_PEER_H
#define CLIENT_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/lookup.h"

struct peer {
    struct lookup_addresses addresses;
    unsigned current; /* the one that the socket is for */
    int fd;           /* -1: none */
    dev_t device;     /* with the inode: which socket the descriptor was, as it may be another's */
    ino_t inode;
    bool is_unix;
    bool is_suspect; /* whether somebody listens there is looked at behind a datagram */
    char *host;      /* looked up again; NULL where that makes no sense */
    unsigned port;
    uint64_t resolve_ms;
    uint64_t asked_ms; /* when the last lookup was started */
    uint64_t ask_ms;   /* when the next one is due */
    struct lookup *lookup;
};

/* For a host, which is looked up now, unless it is an address. 0, or -EHOSTUNREACH, -ENOMEM. */
int peer_init(struct peer *peer, const char *host, unsigned port, uint64_t resolve_ms);

/* For a Unix datagram socket, "@name" being one in the abstract name space. 0 or -ENAMETOOLONG. */
int peer_init_unix(struct peer *peer, const char *path);

/* Frees what it has. A peer of zeros but for an fd of -1 is fine. */
void peer_release(struct peer *peer);

/* Sends a datagram, never waits. Tries one address after the other where nobody listens. 0, or a
 * negative errno where none took it. Is no cancellation point. */
int peer_send(struct peer *peer, const void *data, size_t len);

/* In a child process: what was under way in the parent is not in this one. */
void peer_forked(struct peer *peer);

/* Milliseconds of a clock that never goes back. */
uint64_t peer_clock_ms(void);

#endif
