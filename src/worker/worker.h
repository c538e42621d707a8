/*
 * worker: the process that alone touches untrusted bytes. Datagrams in, points into the pipe. It
 * has the listening sockets and the pipe's write end, opens nothing and talks to nobody.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/board.h"
#include "base/bulletin.h"
#include "metric/dialect.h"
#include "metric/filter.h"
#include "metric/name.h"
#include "metric/rules.h"

#define WORKER_SOCKETS_MAX 256

/* Of what a worker leaves in its arena: one more wherever another could not go on with it. */
#define WORKER_LAYOUT 1

struct worker_opts {
    /* Bound UDP sockets, non-blocking: those of the first thread, then as many of each other. */
    int sockets[WORKER_SOCKETS_MAX];
    size_t n_sockets;
    /* What of the kernel's count of a socket's drops was told by whoever had it before; for sockets
     * that the arena does not know. */
    uint32_t told_drops[WORKER_SOCKETS_MAX];
    int pipe_fd; /* write end, O_DIRECT, non-blocking */
    int ack_fd;  /* eventfd, non-blocking: the sender has committed a flush or has started */
    /* A file, of tmpfs or memfd_create(2), that outlives the process: empty at first, then what the
     * worker before this one has left. */
    int arena_fd;
    int quarantine_fd; /* a file to append to, for datagrams that killed two workers; -1: none */
    int gauges_fd;     /* a file of gauges to begin with where the arena is empty; -1: none */
    struct board *board;
    bool is_foreign; /* an arena of another version has been left alone, which may have flushed a
                      * part of the slot at hand */
    bool crashed;    /* the worker before this one died of itself: not asked to, not of SIGKILL */
    bool keep_open;  /* at the end, what is flushed of the open interval stays in the arena, too: a
                      * successor in the same interval goes on with it and flushes the whole */

    bool never_twice; /* what is flushed under a timestamp must not be flushed under it again */

    /* Listening, non-blocking stream sockets; -1: none. */
    int admin_fd, console_fd;
    bool console_writes;           /* who asks on console_fd may change things */
    const struct bulletin *config; /* as --check-config prints it; NULL without sockets */

    uint64_t flush_ms;
    bool flush_align; /* timestamps are multiples of flush_ms */
    struct dialect dialect;
    struct name_limits names;
    size_t memory_limit;
    uint32_t max_metrics;       /* of each thread */
    uint32_t timer_max_samples; /* of a timer and interval that are kept exactly */
    uint32_t set_exact_max;     /* members of a set that are kept exactly */
    unsigned n_threads;         /* that take datagrams; at least 1 */
    struct rules rules;
    struct filter_opts filter; /* lists that filter_init takes, borrowed */
    bool self_stats;
    uint32_t n_restarts; /* of this process, since the master started */
    int ready_fd;        /* gets a byte when the loop begins; -1: none */
    bool detach;         /* stdout and stderr become what stdin is by then */
};

/* The process's whole life, from a fresh fork on: returns its exit status, 0 when it was asked to
 * stop (SIGTERM or SIGINT, and the board says so or its parent is gone) and has flushed. Borrows
 * opts. */
int worker_main(const struct worker_opts *opts);

#endif
