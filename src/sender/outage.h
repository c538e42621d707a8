/*
 * outage: the time in which deliveries fail: when the next is tried, and what is worth a word.
 * Knows no clock and logs nothing.
 */
#ifndef SENDER_OUTAGE_H
#define SENDER_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/board.h"

struct outage {
    struct backoff backoff;
    uint64_t retry_ms; /* nothing is tried before */
    bool failing;
    char reason[128]; /* the last that was told, at whatever level */
    uint64_t reason_ms;
    struct board_outage *said;
};

/* What a failed try deserves. */
enum outage_word {
    OUTAGE_SILENCE, /* the reader knows */
    OUTAGE_WARNING, /* the outage has begun; not told before a minute after the last one was */
    OUTAGE_DETAIL,  /* one that is not told, another reason, or the same after a minute: for
                       debugging */
};

/* None that this process knows of. Where nothing was said of destination, the time until now counts
 * as good. Borrows said. */
void outage_init(struct outage *outage, struct board_outage *said, const char *destination,
                 uint64_t now_ms);

/* A try failed. The next one has its time; while stopping, soon. chance is any random number. */
enum outage_word outage_fail(struct outage *outage, const char *why, bool stopping, uint32_t chance,
                             uint64_t now_ms);

/* What OUTAGE_WARNING asked for has been said. */
void outage_told(struct outage *outage, uint64_t now_ms);

/* A try succeeded. Returns whether that ends an outage that was told. */
bool outage_end(struct outage *outage, uint64_t now_ms);

/* Another destination: what was told was of another. */
void outage_forget(struct outage *outage, const char *destination);

/* Things have changed: the next try is due, and the waits begin anew. */
void outage_hope(struct outage *outage);

#endif
