/*
 * board: one page that the three processes share, for the few words that they tell each other
 * without a message. Every word has one writer; none is ever trusted beyond what is said here.
 */
#ifndef BASE_BOARD_H
#define BASE_BOARD_H

#include <stdint.h>

#include "base/log_event.h"

/* So many kinds of events each of the two may tell of. */
#define BOARD_LIMITS 24

/* A word that changes at least every second while its process gets on. Each new process goes on
 * counting where the last one stopped. */
enum board_beat { BOARD_WORKER, BOARD_SENDER, BOARD_BEATS };

/* What the worker has received, ever (as long as its arena lives), for the sender's last line:
 * lines = applied + filtered + bad + refused. */
struct board_ledger {
    uint64_t lines, applied, filtered, bad, refused;
    uint64_t udp_drops, quarantined;
};

/* The sender's: what it has done and has yet to do, for those who ask. Each word is true by itself;
 * lines are counted as in its ledger, ever but for those that are queued or spooled now. */
struct board_delivery {
    uint64_t told_ms; /* wall clock: when it said so */
    uint64_t emitted, delivered, queued, spooled, dropped;
    uint64_t queue_bytes, queue_limit, spool_bytes, spool_limit;
    uint64_t reconnects, send_failures;        /* since the daemon started */
    uint64_t last_success_ms, last_failure_ms; /* wall clock; 0: none since the daemon started */
    uint64_t last_drop_ms;                     /* the same: lines were dropped */
    uint64_t last_took_ms, last_bytes, last_lines; /* the delivery that succeeded last */
    uint64_t carbon;                               /* enum board_carbon */
};

enum board_carbon {
    BOARD_CARBON_UNKNOWN,
    BOARD_CARBON_CONNECTED,
    BOARD_CARBON_AWAY,
    BOARD_CARBON_OFF
};

/* The master's. */
struct board_child {
    uint64_t pid; /* of the one that was started last; 0: none was */
    uint64_t n_restarts;
    uint64_t restarted_ms; /* wall clock, the last time; 0: never */
};

struct board_master {
    uint64_t pid;
    uint64_t started_ms;  /* wall clock */
    uint64_t is_stopping; /* 1: the worker is to end, as a signal tells it to look */
    struct board_child children[BOARD_BEATS];
};

/* What was told of the destination that takes nothing, by this sender or one before it. */
struct board_outage {
    uint64_t destination; /* a hash of its name: what is here is of no other */
    uint64_t told;        /* 1: that it takes nothing, and not yet that it does again */
    uint64_t told_ms;     /* CLOCK_MONOTONIC, the last time, of this outage or another; 0: never */
    uint64_t n_untold;    /* outages since then */
    uint64_t last_success_ms;
};

struct board {
    uint64_t beats[BOARD_BEATS];
    /* The sender's: the id of the flush that it has taken last, whole, into memory that outlives
     * it. The worker clears a flush only then. */
    uint64_t committed;
    /* The sender's: one more at every start, before it reads the pipe. What the one before had read
     * and not committed is to be sent again. */
    uint64_t sender_starts;
    struct board_ledger ledger; /* the worker's */
    uint64_t is_unwell;         /* the worker's: 1: so somebody on the console said */
    struct board_delivery delivery;
    struct board_master master;
    /* Whoever dies and comes again says no more than one that stays. */
    struct log_memory logs[BOARD_BEATS];
    struct log_limit said[BOARD_BEATS][BOARD_LIMITS];
    struct board_outage outage; /* the sender's */
};

_Static_assert(sizeof(struct board) <= 4096, "a page");

/* A zeroed board, mapped so that processes forked from now on share it, or NULL without memory.
 * There is one in a master's life, and it is never given back. */
struct board *board_new(void);

static inline uint64_t
board_get(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void
board_set(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* One more; the word is the caller's alone to write. */
static inline void
board_count(uint64_t *word)
{
    board_set(word, __atomic_load_n(word, __ATOMIC_RELAXED) + 1);
}

#endif
