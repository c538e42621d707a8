/*
 * store: batches in a file that outlives the process: a table of slots, one a batch, and a journal
 * that changes them. Knows nothing of what is sent, when, and which batch has to go.
 *
 * A batch is written where no slot says that there is one, and is there from the one store on that
 * makes its slot live; then it never changes. There is no allocator: what no live slot takes is
 * free. Memory is taken a page at a time before it is written to, so that a machine that has none
 * refuses, and is given back at once.
 */
#ifndef SENDER_STORE_H
#define SENDER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sender/batch.h"
#include "sender/journal.h"

/* One more wherever another sender could not go on with the file. */
#define STORE_LAYOUT 1

/* More flushes than that are never kept, however small: most of a day of them. */
#define STORE_SLOTS 8192
#define STORE_PAGE  4096

/* Of a slot. No flipped bit makes one of another. */
#define STORE_FREE      0x00000000u
#define STORE_QUEUED    0x5a5a3c3cu /* to be sent */
#define STORE_DELIVERED 0xa5a5c3c3u /* kept, lest it is to be sent again */
#define STORE_REPLAY    0x3c3c5a5au /* to be sent again */

#define STORE_NONE UINT32_MAX

struct store_slot {
    uint32_t state;
    uint32_t crc;      /* of what follows but for the stamp */
    uint64_t stamp_ms; /* monotonic: when it was delivered */
    uint64_t len;      /* bytes of records */
    uint64_t id, timestamp_s, n_lines;
    uint64_t order; /* the older of two has the smaller */
    uint32_t page;  /* the first of the records, from the table's end on */
    uint32_t records_crc;
};

struct store {
    int fd;
    struct store_file *file;            /* mapped; but for the records it is only written to */
    size_t size;                        /* of the file */
    struct store_slot *slots;           /* STORE_SLOTS, as they are in the file */
    uint32_t live[STORE_SLOTS], n_live; /* slots, oldest first */
    size_t taken;                       /* bytes of their pages */
    struct journal journal;             /* as it is, and as its next change shall leave it */
};

enum store_found {
    STORE_EMPTY,   /* a new file */
    STORE_ADOPTED, /* what another left */
    STORE_DAMAGED, /* the batches are, but the journal was no more what it was: it begins anew */
    STORE_FOREIGN, /* something else, or of another layout: it is gone */
};

/* Maps the file, which the caller keeps and closes, with addresses for at least twice limit bytes
 * of batches, since what is free lies in pieces. Takes up what is there: the last change is done,
 * slots and batches that are not what they were are freed. Returns 0 or -errno. */
int store_open(struct store *store, int fd, size_t limit, enum store_found *out);

/* Unmaps; all stays in the file. */
void store_close(struct store *store);

/* Copies a sealed batch, as the one taken last. Returns its slot, which is not live yet, or -ENOSPC
 * where there is no place for it, or -errno where the machine has no memory. */
int store_put(struct store *store, const struct batch *batch);

/* Makes store->journal hold, and with it the state and stamp of slot; STORE_NONE: of none. */
void store_change(struct store *store, uint32_t slot, uint32_t state, uint64_t stamp_ms);

/* A live slot. */
const struct store_slot *store_at(const struct store *store, uint32_t slot);

/* Its batch. The records are borrowed while it is live, and must not be appended to. */
struct batch store_batch(const struct store *store, uint32_t slot);

/* What len bytes of records take, none of them included. */
static inline size_t
store_size(size_t len)
{
    return len == 0 ? STORE_PAGE : (len + STORE_PAGE - 1) / STORE_PAGE * STORE_PAGE;
}

#endif
