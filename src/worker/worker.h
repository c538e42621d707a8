/*
 * worker: the process that alone touches untrusted bytes. Datagrams in, points into the pipe. It
 * has the listening sockets and the pipe's write end, opens nothing and talks to nobody.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metric/dialect.h"
#include "metric/filter.h"
#include "metric/name.h"
#include "metric/rules.h"

#define WORKER_SOCKETS_MAX 256

struct worker_opts {
    /* Bound UDP sockets, non-blocking: those of the first thread, then as many of each other. */
    int sockets[WORKER_SOCKETS_MAX];
    size_t n_sockets;
    int pipe_fd; /* write end, O_DIRECT, non-blocking */

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
};

/* The process's whole life, from a fresh fork on: returns its exit status, 0 when it was asked to
 * stop (SIGTERM or SIGINT of its parent) and has flushed. Borrows opts. */
int worker_main(const struct worker_opts *opts);

#endif
