/*
 * resolved: the answer of a resolver process, as one packet. Names are looked up outside the
 * process that connects, so that a resolver that hangs holds up nobody.
 */
#ifndef BASE_RESOLVED_H
#define BASE_RESOLVED_H

#include <stdint.h>

#include "base/net.h"

/* "host:port" or "[v6]:port" and a NUL; a longer name is cut, it is for the log alone. */
#define RESOLVED_DESTINATION_MAX 528

struct resolved {
    int32_t n;                                  /* addresses, or a negative EAI_ code */
    char destination[RESOLVED_DESTINATION_MAX]; /* what was looked up */
    struct net_address addresses[NET_ADDRESSES_MAX];
};

_Static_assert(sizeof(struct resolved) <= 4096, "an answer is one atomic pipe write");

#endif
