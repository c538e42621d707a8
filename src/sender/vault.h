/*
 * vault: batches in a file that outlives the process: a table of slots, one a batch, and a journal
 * that changes them. Knows nothing of what is sent, when, and which batch has to go.
 *
 * A batch is written where no slot says that there is one, and is there from the one store on that
 * makes its slot live; then it never changes. There is no allocator: what no live slot takes is
 * free. Memory is taken a page at a time before it is written to, so that a machine that has none
 * refuses, and is given back at once.
 */
#ifndef SENDER_VAULT_H
#define SENDER_VAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sender/batch.h"
#include "sender/journal.h"

/* One more wherever another sender could not go on with the file. */
#define VAULT_LAYOUT 1

/* More flushes than that are never kept, however small: most of a day of them. */
#define VAULT_SLOTS 8192
#define VAULT_PAGE  4096

/* Of a slot. No flipped bit makes one of another. */
#define VAULT_FREE      0x00000000u
#define VAULT_QUEUED    0x5a5a3c3cu /* to be sent */
#define VAULT_DELIVERED 0xa5a5c3c3u /* kept, lest it is to be sent again */
#define VAULT_REPLAY    0x3c3c5a5au /* to be sent again */

#define VAULT_NONE UINT32_MAX

struct vault_slot {
    uint32_t state;
    uint32_t crc;      /* of what follows but for the stamp */
    uint64_t stamp_ms; /* monotonic: when it was delivered */
    uint64_t len;      /* bytes of records */
    uint64_t id, timestamp_s, n_lines;
    uint64_t order; /* the older of two has the smaller */
    uint32_t page;  /* the first of the records, from the table's end on */
    uint32_t records_crc;
};

struct vault {
    int fd;
    struct vault_file *file;            /* mapped; but for the records it is only written to */
    size_t size;                        /* of the file */
    struct vault_slot *slots;           /* VAULT_SLOTS, as they are in the file */
    uint32_t live[VAULT_SLOTS], n_live; /* slots, oldest first */
    size_t taken;                       /* bytes of their pages */
    struct journal journal;             /* as it is, and as its next change shall leave it */
};

enum vault_found {
    VAULT_EMPTY,   /* a new file */
    VAULT_ADOPTED, /* what another left */
    VAULT_DAMAGED, /* the batches are, but the journal was no more what it was: it begins anew */
    VAULT_FOREIGN, /* something else, or of another layout: it is gone */
};

/* Maps the file, which the caller keeps and closes, with addresses for at least twice limit bytes
 * of batches, since what is free lies in pieces. Takes up what is there: the last change is done,
 * slots and batches that are not what they were are freed. Returns 0 or -errno. */
int vault_open(struct vault *vault, int fd, size_t limit, enum vault_found *out);

/* Unmaps; all stays in the file. */
void vault_close(struct vault *vault);

/* Copies a sealed batch, as the one taken last. Returns its slot, which is not live yet, or -ENOSPC
 * where there is no place for it, or -errno where the machine has no memory. */
int vault_put(struct vault *vault, const struct batch *batch);

/* Makes vault->journal hold, and with it the state and stamp of slot; VAULT_NONE: of none. */
void vault_change(struct vault *vault, uint32_t slot, uint32_t state, uint64_t stamp_ms);

/* A live slot. */
const struct vault_slot *vault_at(const struct vault *vault, uint32_t slot);

/* Its batch. The records are borrowed while it is live, and must not be appended to. */
struct batch vault_batch(const struct vault *vault, uint32_t slot);

/* What len bytes of records take, none of them included. */
static inline size_t
vault_size(size_t len)
{
    return len == 0 ? VAULT_PAGE : (len + VAULT_PAGE - 1) / VAULT_PAGE * VAULT_PAGE;
}

#endif
