/*
 * backlog: everything that is to be sent, in memory and in the spool: what becomes of it, and what
 * has to go where there is no room, which is logged. Knows no connection, and not what goes next.
 */
#ifndef SENDER_BACKLOG_H
#define SENDER_BACKLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "sender/pace.h"
#include "sender/queue.h"
#include "sender/sender.h"
#include "sender/stow.h"

struct backlog {
    struct queue queue;
    struct stow stow;
    struct pace pace;
    uint64_t replay_window_ms; /* 0: what is delivered is not kept */
    uint64_t n_found_corrupt;  /* lines that were found damaged when it was opened */
};

enum backlog_kind { BACKLOG_NOTHING, BACKLOG_QUEUED, BACKLOG_REPLAY, BACKLOG_FILE };

/* What is on its way. */
struct backlog_item {
    enum backlog_kind kind;
    bool live;            /* not of the backlog: it goes whatever the pace */
    uint32_t slot;        /* in the queue, or VAULT_NONE */
    struct batch batch;   /* with borrowed records */
    struct batch *loaded; /* of a file: whose they are */
};

/* Takes up what the arena and the spool hold. What carbon may have taken in part when the sender
 * before this one was killed is dropped. Returns 0 or -errno, of the arena. */
int backlog_open(struct backlog *backlog, const struct sender_opts *opts, enum vault_found *out);

/* Everything stays where it is. */
void backlog_close(struct backlog *backlog);

/* Makes room for len bytes of records: what was delivered goes first, then the oldest, into the
 * spool where there is one. Returns false where nothing may go any more but busy. */
bool backlog_make_room(struct backlog *backlog, size_t len, const struct backlog_item *busy);

/* Takes a sealed batch, and what it tells of the ledger as told. Returns as backlog_make_room; true
 * also where there is no memory for it: its lines are dropped. */
bool backlog_take(struct backlog *backlog, const struct batch *batch, const struct ledger *told,
                  const struct backlog_item *busy, uint64_t now_ms);

/* Carbon has the item but for so many lines that are none for it. It is none any more. */
void backlog_delivered(struct backlog *backlog, struct backlog_item *item, uint64_t n_refused,
                       uint64_t now_ms);

/* The item must not be sent again. It is none any more. */
void backlog_dropped(struct backlog *backlog, struct backlog_item *item, enum ledger_reason reason);

/* The item is to be sent again some time. It is none any more. */
void backlog_failed(struct backlog *backlog, struct backlog_item *item);

#endif
