/*
 * shard: one ingest thread with what is its own: sockets, and a region of the store with a table,
 * statistics and the datagrams in hand. It never waits for anything but datagrams and the one who
 * closes its intervals.
 */
#ifndef WORKER_SHARD_H
#define WORKER_SHARD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metric/name.h"
#include "worker/culprit.h"
#include "worker/ingest.h"
#include "worker/lines.h"
#include "worker/store.h"

struct shard;

struct shard_opts {
    int sockets[STORE_SOCKETS_MAX]; /* bound UDP sockets, non-blocking, this shard's alone */
    size_t n_sockets;
    uint32_t told_drops[STORE_SOCKETS_MAX]; /* see worker/worker.h */
    struct name_limits names;
    int done_fd;       /* eventfd of the one who asks: it has been done */
    bool crashed;      /* the process before this one died of itself */
    int quarantine_fd; /* see worker/quarantine.h */
};

/* What a shard is asked for. Before SHARD_HALT and SHARD_STOP, what the kernel has queued is read;
 * they are the thread's last act. */
enum shard_request {
    SHARD_NOTHING,
    SHARD_CLOSE, /* the open interval */
    SHARD_HALT,  /* and leave it open */
    SHARD_STOP,  /* and close it */
};

/* What a shard's own thread does for another between two batches, when nothing is in its hand. */
struct shard_call {
    void (*run)(struct shard *shard, void *argument);
    void *argument;
};

struct shard {
    struct shard_opts opts;
    struct store_region *region;
    struct ingest ingest;
    struct lines lines;
    struct culprit culprit;

    pthread_t thread;
    int wake_fd;   /* eventfd: there is a request */
    uint64_t beat; /* changes at least every SHARD_BEAT_MS while the thread gets on */
    enum shard_request request;
    const struct shard_call *call; /* to be run next, or NULL */
    uint64_t seen_ms;              /* wall clock of the last datagrams; 0: none yet */
    struct culprit closed_culprit; /* of the interval that was closed last */
};

#define SHARD_BEAT_MS 250

/* Takes over a region, whose table is in place: settles what a predecessor had in hand. now_ms is
 * the wall clock. Borrows the region. */
void shard_init(struct shard *shard, const struct shard_opts *opts, struct store_region *region,
                uint64_t now_ms);

/* Closes the open interval of a shard that has not been started. */
void shard_close_now(struct shard *shard);

/* Starts the thread; it inherits the signal mask. Returns 0 or -errno. The struct must not be moved
 * until shard_join. */
int shard_start(struct shard *shard);

/* Asks for what request says. Nothing may be asked that is not done yet. */
void shard_ask(struct shard *shard, enum shard_request request);

/* Whether the last request has been done; what it has closed is then the caller's until the next.
 */
bool shard_is_done(const struct shard *shard);

/* Has the thread run call once, between two batches, and does not wait for that. Borrows call until
 * it is run, before which there must be no other. See worker/hold.h for those who want to wait. */
void shard_post(struct shard *shard, const struct shard_call *call);

/* Waits for the thread's end after SHARD_HALT or SHARD_STOP. */
void shard_join(struct shard *shard);

#endif
