/*
 * resolved: the answer of a resolver process, as one packet. Names are looked up outside the
 * process that connects, so that a resolver that hangs holds up nobody.
 */
#ifndef BASE_RESOLVED_H
#define BASE_RESOLVED_H

#include <stdint.h>

#include "base/net.h"

struct resolved {
    int32_t n; /* addresses, or a negative EAI_ code */
    struct net_address addresses[NET_ADDRESSES_MAX];
};

_Static_assert(sizeof(struct resolved) <= 4096, "an answer is one atomic pipe write");

#endif
