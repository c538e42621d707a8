/*
 * ledger: what became of every line that the worker's flushes held, own statistics included. At any
 * time emitted = delivered + queued + spooled + dropped, to the line. Counts since the arena was
 * made. Pure numbers: what is queued is known by who holds it.
 */
#ifndef SENDER_LEDGER_H
#define SENDER_LEDGER_H

#include <stddef.h>
#include <stdint.h>

#include "base/board.h"

/* Why lines were dropped. */
enum ledger_reason {
    LEDGER_QUEUE,     /* no room in QUEUE_MEMORY */
    LEDGER_SPOOL,     /* no room in the spool, or too old for it, or its files are gone */
    LEDGER_REFUSED,   /* carbon takes none like them */
    LEDGER_MEMORY,    /* the machine had none */
    LEDGER_CORRUPT,   /* not what they were when they were kept */
    LEDGER_UNCERTAIN, /* some of the flush may have been taken, and none may be taken twice */
    LEDGER_LOST,      /* left when the daemon stopped, with nowhere to keep them */
    LEDGER_REASONS,
};

struct ledger {
    uint64_t emitted;   /* what flushes held, and what the sender added to them */
    uint64_t delivered; /* each line once */
    uint64_t replayed;  /* delivered again, and in no sum */
    uint64_t spooled;   /* in the spool now */
    uint64_t dropped[LEDGER_REASONS];
};

/* "queue", "spool", … */
const char *ledger_reason(enum ledger_reason reason);

/* Lines dropped, for whatever reason. */
uint64_t ledger_dropped(const struct ledger *ledger);

#define LEDGER_TEXT_MAX 512

/* The last line of a daemon, with a NUL: what the worker has received, and this. */
void ledger_format(const struct ledger *ledger, uint64_t n_queued,
                   const struct board_ledger *received, char out[LEDGER_TEXT_MAX]);

#endif
