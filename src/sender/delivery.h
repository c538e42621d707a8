/*
 * delivery: what goes next, over which connection, and what became of it. Knows no pipe.
 */
#ifndef SENDER_DELIVERY_H
#define SENDER_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sender/backlog.h"
#include "sender/carbon.h"
#include "sender/outage.h"
#include "sender/sender.h"
#include "sender/tally.h"
#include "sender/target.h"

struct delivery {
    const struct sender_opts *opts;
    struct backlog backlog;
    struct target target;
    struct carbon carbon;
    struct backlog_item item; /* on its way; kind BACKLOG_NOTHING: none is */
    uint64_t began_ms;        /* monotonic: to send it */
    uint64_t noticed_ms;      /* the same: the board was told how things are */
    struct outage outage;
    struct tally tally;
    bool stopping;
    uint64_t stop_deadline_ms;
};

/* Takes up what is there to be sent, and says what was found. Ends the process where that cannot
 * be. Borrows opts. */
void delivery_open(struct delivery *delivery, const struct sender_opts *opts);

/* What was not delivered is kept as safe as can be; the ledger is told. */
void delivery_close(struct delivery *delivery);

/* Older batches go for len bytes of records, in the end even the one that is on its way. */
void delivery_make_room(struct delivery *delivery, size_t len);

/* Commits a sealed batch, and what it tells of the ledger as told. */
void delivery_take(struct delivery *delivery, const struct batch *batch, const struct ledger *told);

/* Brings the deliveries on their way, as far as they go now. */
void delivery_go(struct delivery *delivery);

/* When to go on even if nothing happens. */
uint64_t delivery_deadline(const struct delivery *delivery);

/* Nothing is to come any more: what is left has its last chance. */
void delivery_stop(struct delivery *delivery);

/* Whether everything has gone that can go, or the time for it. */
bool delivery_is_over(const struct delivery *delivery);

#endif
