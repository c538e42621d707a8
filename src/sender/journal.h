/*
 * journal: what must change at once, though it is many words: the ledger's counts, and the state of
 * the one batch that they change with. Two copies lie in shared memory; a change is written whole
 * into the older one and made valid by one store, and only then done where it belongs. Doing it
 * twice is doing it once, so who finds a journal does its last change again.
 */
#ifndef SENDER_JOURNAL_H
#define SENDER_JOURNAL_H

#include <stdint.h>

#include "sender/ledger.h"

struct journal {
    uint64_t serial;    /* of the change */
    uint64_t committed; /* the id of the flush that was taken last, ever; 0: none */
    uint64_t touched;   /* the batch of which some may have been taken by now; 0: none */
    uint64_t order;     /* of the batch that was taken last; they count up */
    struct ledger now;
    struct ledger told; /* as own statistics told it last */
    /* The last change: the state that the slot is in from now on, and since when. */
    uint32_t slot, state;
    uint64_t stamp_ms;
    uint64_t unspooled; /* the file, by its id, that was delivered and is not gone yet; 0: none */
    uint32_t crc;       /* of all before */
    uint32_t unused;
};

struct journal_pair {
    uint64_t serial; /* of the copy that holds */
    struct journal copies[2];
};

/* Reads what holds. Returns 0, or -1 where that is not what was written. */
int journal_load(const struct journal_pair *pair, struct journal *out);

/* Makes *journal hold from now on; its serial and crc are made here. */
void journal_save(struct journal_pair *pair, struct journal *journal);

#endif
