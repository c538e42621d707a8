/*
 * shard: one ingest thread with what is its own: sockets, a table, statistics. It never waits for
 * anything but datagrams and the one who closes its intervals.
 */
#ifndef WORKER_SHARD_H
#define WORKER_SHARD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metric/name.h"
#include "metric/table.h"
#include "worker/culprit.h"
#include "worker/ingest.h"
#include "worker/lines.h"
#include "worker/selfstat.h"

#define SHARD_SOCKETS_MAX 16

struct shard_opts {
    int sockets[SHARD_SOCKETS_MAX]; /* bound UDP sockets, non-blocking, this shard's alone */
    size_t n_sockets;
    struct table_opts table;
    struct name_limits names;
    bool count_old_drops; /* what the sockets dropped before this shard counts as well */
};

/* What a shard is asked for. */
enum shard_request { SHARD_NOTHING, SHARD_CLOSE, SHARD_STOP };

struct shard {
    struct shard_opts opts;
    struct ingest ingest;
    struct lines lines;
    struct table table;
    struct selfstat stats; /* of the open interval, as the next */
    struct culprit culprit;
    uint32_t drops_seen[SHARD_SOCKETS_MAX];

    pthread_t thread;
    int wake_fd; /* eventfd: there is a request */
    int done_fd; /* eventfd of the one who asks: it has been done */
    enum shard_request request;
    struct interval interval; /* of the request */
    struct selfstat closed;   /* the same of the interval that was closed last */
    struct culprit closed_culprit;
};

/* Takes memory and starts the thread; it inherits the signal mask. done_fd is borrowed. Returns 0
 * or -errno. The struct must not be moved until shard_join. */
int shard_start(struct shard *shard, const struct shard_opts *opts, int done_fd);

/* Asks for the open interval to be closed as interval, with SHARD_STOP after what the kernel has
 * queued was read and as the thread's last act. Nothing may be asked that is not done yet. */
void shard_ask(struct shard *shard, enum shard_request request, const struct interval *interval);

/* Whether the last request has been done; the table's closed interval and shard->closed are then
 * the caller's until the next. */
bool shard_is_done(const struct shard *shard);

/* Waits for the thread's end after SHARD_STOP and gives the memory back. */
void shard_join(struct shard *shard);

#endif
