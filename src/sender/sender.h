/*
 * sender: the process that alone talks to carbon. Frames from the pipe in, delivered batches out.
 */
#ifndef SENDER_SENDER_H
#define SENDER_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/board.h"
#include "metric/dialect.h"

/* Of what a sender leaves in its arena: one more wherever another could not go on with it. */
#define SENDER_LAYOUT 1

struct sender_opts {
    int pipe_fd;      /* read end, O_DIRECT, non-blocking; EOF means the daemon is stopping */
    int ask_fd;       /* one byte written here asks for carbon's addresses */
    int addresses_fd; /* they arrive here, asked for or not, one packet a time: struct resolved */
    int ack_fd; /* eventfd, non-blocking: rung when board->committed or board->sender_starts is new
                 */
    /* A file, of tmpfs or memfd_create(2), that outlives the process: empty at first, then what the
     * sender before this one has left. */
    int arena_fd;
    bool arena_outlives; /* the daemon, too: another may go on with it */
    int spool_fd;        /* SPOOL_DIR, a directory that this process may write to; -1: none */
    int gauges_fd;       /* the directory of GAUGES_FILE; -1: none */
    struct board *board;

    struct dialect dialect;
    bool deliver;            /* false with TRANSPORT=none: every batch counts as delivered */
    const char *destination; /* "localhost:2003", for the log, until an answer names another */
    size_t queue_memory;
    bool await_fin;            /* GRAPHITE_ACK=fin: delivered is what carbon has closed behind */
    bool never_twice;          /* DOWNSTREAM=aggregator */
    uint64_t replay_window_ms; /* 0: nothing is sent again once it was delivered */
    uint64_t spool_max_bytes;
    uint64_t spool_max_age_ms;
    const char *gauges_name; /* of GAUGES_FILE in its directory */
    uint32_t dns_refresh_ms; /* how long addresses count as good */
    uint32_t connect_timeout_ms;
    uint32_t send_timeout_ms; /* without any progress */
    bool self_stats;
    bool print_flushes;  /* --debug */
    uint32_t n_restarts; /* of this process, since the master started */
    int ready_fd;        /* gets a byte when the loop begins; -1: none */
    bool detach;         /* stdout and stderr become what stdin is by then */
};

/* The process's whole life, from a fresh fork on that ignores SIGPIPE and SIGHUP: returns its exit
 * status, 0 when the pipe ended and everything was delivered or the time for that was over. Borrows
 * opts. */
int sender_main(const struct sender_opts *opts);

#endif
