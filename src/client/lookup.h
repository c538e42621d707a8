/*
 * lookup: what addresses a host has, asked now or in the background.
 */
#ifndef CLIENT_LOOKUP_H
#define CLIENT_LOOKUP_H

#include <stdbool.h>
#include <sys/socket.h>

#define LOOKUP_ADDRESSES_MAX 8

/* In the order in which they are to be tried. */
struct lookup_addresses {
    unsigned n;
    struct sockaddr_storage at[LOOKUP_ADDRESSES_MAX];
    socklen_t lens[LOOKUP_ADDRESSES_MAX];
};

/* One that is under way. It belongs to whoever started it until it is finished or abandoned. */
struct lookup;

/* Reads host as an address. False where it is none, and has to be looked up. */
bool lookup_numeric(const char *host, unsigned port, struct lookup_addresses *out);

/* Asks the resolver and waits. 0, or -EAGAIN where it cannot say, -EHOSTUNREACH where there is no
 * such host, or another negative errno. Addresses of IPv4 come first. */
int lookup_now(const char *host, unsigned port, struct lookup_addresses *out);

/* Asks in a thread of its own, which takes no signals. host is copied. 0, or a negative errno. */
int lookup_start(const char *host, unsigned port, struct lookup **out);

/* Where the answer is there: true, it is in *out_error as from lookup_now (and in *out where that
 * is 0), and the lookup is gone. */
bool lookup_finish(struct lookup *lookup, struct lookup_addresses *out, int *out_error);

/* Gives up on it, without waiting. NULL is fine. */
void lookup_abandon(struct lookup *lookup);

/* The same in a child process, in which its thread does not exist. NULL is fine. */
void lookup_forget(struct lookup *lookup);

#endif
