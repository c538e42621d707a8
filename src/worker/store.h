/*
 * store: what outlives the worker: a file, mapped shared, with a head for the process and a region
 * for each ingest thread: its table, its statistics and the datagrams that it has in hand. A
 * successor finds it as the last one's last instruction has left it, and goes on.
 *
 * Every change is either noted in an undo beforehand, or one store, or of something that is made
 * anew by who takes over; what a successor must trust has a check word.
 */
#ifndef WORKER_STORE_H
#define WORKER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/undo.h"
#include "metric/flush.h"
#include "metric/table.h"
#include "worker/hand.h"
#include "worker/selfstat.h"

/* How far the worker is with its intervals. */
enum store_phase {
    STORE_COLLECTING, /* one is open, and that is all */
    STORE_CLOSING,    /* some tables may have closed it */
    STORE_SENDING,    /* all have, and the sender does not have it whole */
    STORE_CLEARING,   /* it does */
};

struct store_state {
    uint32_t phase;
    uint32_t number; /* of the interval that is open, from STORE_SENDING on of the one behind */
    uint32_t flush;  /* of the last flush that was begun, from 1 on */
    uint32_t align;  /* the settings that open was opened with */
    uint64_t interval_ms;
    struct interval open;   /* as long as nothing unusual happens */
    struct interval closed; /* the one on its way */
    uint64_t overruns;      /* intervals that are part of it since they could not be closed */
    uint32_t check;
    uint32_t unused_too;
};

/* The head. */
struct store {
    uint64_t magic, shape;
    uint64_t region_size; /* from one region to the next */
    uint32_t n_regions;
    uint32_t epoch; /* tells this store's flushes from those of others, see pipe/frame.h */
    struct hash_key key;
    uint32_t check;    /* of all above */
    uint32_t adopting; /* a process is taking over */
    uint32_t n_failed; /* in a row that died of it */
    struct undo undo;  /* the main thread's */
    struct store_state state;
};

#define STORE_SOCKETS_MAX 16

/* What the kernel has dropped for a socket, as far as it was counted. */
struct store_drops {
    uint64_t cookie; /* of the socket; 0: none */
    uint64_t seen;
};

/* One thread's. The blocks of its table follow. */
struct store_region {
    struct undo undo; /* that thread's; the mark says how many lines of hand's batch are applied */
    struct table table;
    struct selfstat stats;  /* of the open interval; noted */
    struct selfstat closed; /* of the one that was closed last; noted */
    struct selfstat total;  /* of all before the open one; noted */
    uint32_t stats_check, closed_check, total_check;
    struct store_drops drops[STORE_SOCKETS_MAX]; /* noted */
    struct hand hand;
};

enum store_outcome {
    STORE_FRESH,   /* there was nothing */
    STORE_ADOPTED, /* the head is sound; the regions are the caller's to adopt */
    STORE_FOREIGN, /* what was there is of another program, or of other settings */
    STORE_BROKEN,  /* what was there is not sound or not whole, or two processes have died of it */
};

struct store_opts {
    int fd;
    size_t n_regions;
    size_t memory; /* of all regions' blocks together */
    bool crashed;  /* the process before this one died of itself */
};

struct store_map {
    struct store_opts opts;
    struct store *store;
    size_t size;
    uint64_t floor_ms; /* the highest timestamp that what was there may have used, 0: none */
    bool is_unknown;   /* it may have used the one of the slot at hand: it cannot be told */
};

/* Maps the file. What is not STORE_ADOPTED was made anew, its regions zeroed. Returns 0 or -errno.
 */
int store_open(struct store_map *map, const struct store_opts *opts, enum store_outcome *out);

/* Makes everything anew. Returns 0 or -errno. */
int store_reset(struct store_map *map);

/* Unmaps it; fine on a zeroed struct. */
void store_close(struct store_map *map);

/* A thread's region, and what of table_opts it decides. */
struct store_region *store_region(const struct store_map *map, size_t i);
void store_arena_opts(const struct store_map *map, size_t i, struct arena_opts *out);

/* The state as a whole, at once. */
void store_set(struct store *store, const struct store_state *state);

/* Takes back what a dead process had begun in a region, and checks what is not its table's. Returns
 * 0, or -EBADMSG. */
int store_recover(const struct store_map *map, size_t i);

/* A process has taken over, or has made everything anew: the file is whole. Until then what was
 * made anew is made once more by the next process. */
void store_settled(struct store *store);

#endif
