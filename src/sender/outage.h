/*
 * outage: the time in which deliveries fail: when the next is tried, and what is worth a word.
 * Knows no clock and logs nothing.
 */
#ifndef SENDER_OUTAGE_H
#define SENDER_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"

struct outage {
    struct backoff backoff;
    uint64_t retry_ms; /* nothing is tried before */
    bool failing;
    bool told;         /* that it is */
    uint64_t told_ms;  /* the last time, of this outage or another; 0: never */
    uint64_t n_untold; /* outages since then */
    char reason[128];  /* the last that was told */
    uint64_t reason_ms;
    uint64_t last_success_ms;
};

/* What a failed try deserves. */
enum outage_word {
    OUTAGE_SILENCE, /* the reader knows */
    OUTAGE_WARNING, /* the outage has begun; not told before a minute after the last one was */
    OUTAGE_DETAIL,  /* one that is not told, another reason, or the same after a minute: for
                       debugging */
};

/* None; the time until now counts as good. */
void outage_init(struct outage *outage, uint64_t now_ms);

/* A try failed. The next one has its time; while stopping, soon. chance is any random number. */
enum outage_word outage_fail(struct outage *outage, const char *why, bool stopping, uint32_t chance,
                             uint64_t now_ms);

/* A try succeeded. Returns whether that ends an outage that was told. */
bool outage_end(struct outage *outage, uint64_t now_ms);

/* Another destination: what was told was of another. */
void outage_forget(struct outage *outage);

/* Things have changed: the next try is due, and the waits begin anew. */
void outage_hope(struct outage *outage);

#endif
