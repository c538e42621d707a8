/*
 * holdings: what the master holds for its children, so that nothing that is queued in the kernel is
 * lost with one, nor what one has in memory: the sockets, the pipes, the files and directories, and
 * the table of who keeps which.
 */
#ifndef MASTER_HOLDINGS_H
#define MASTER_HOLDINGS_H

#include "base/board.h"
#include "base/bulletin.h"
#include "base/log_event.h"
#include "master/asking.h"
#include "master/config.h"
#include "master/handover.h"
#include "master/listen.h"
#include "master/resolve.h"
#include "master/spawn.h"
#include "master/state.h"

struct holdings {
    struct spawn_fds fds;
    struct handover handover;
    struct listen listeners;
    int pipe_read, pipe_write; /* frames, from the worker to the sender */
    int ack_fd;                /* eventfd: the sender rings, the worker hears */
    struct resolve resolve;
    struct state state;
    struct board *board;
    struct asking asking;
    struct bulletin *bulletin; /* the configuration, for those who ask; NULL where nobody can */
    int spool_dir;             /* SPOOL_DIR; -1: none */
    int gauges_dir;            /* that of GAUGES_FILE; -1: none */
    int gauges;                /* GAUGES_FILE as it was when a worker was to be started; -1: none */
    struct log_limit said_no_gauges;
};

/* Takes what a service manager hands over, before anything else is opened. Returns the highest
 * descriptor of it, or STDERR_FILENO. Ends the process like holdings_open. */
int holdings_take_over(struct holdings *holdings);

/* Opens what takes root or belongs to it: a port below 1024 or a large receive buffer may take its
 * privileges, what is in STATE_DIR is its own, and directories are made for USER. Ends the process
 * with EX_CONFIG and one line in the log where that cannot be done. */
void holdings_open(struct holdings *holdings, const struct master_opts *opts, unsigned n_threads);

/* Opens the directories in which the sender works, as the one who will: to be called once the
 * privileges are gone. Ends the process like holdings_open. */
void holdings_open_folders(struct holdings *holdings, const struct master_opts *opts);

/* Opens GAUGES_FILE, name in its directory, anew for a worker that is about to start, where there
 * is one to be read. */
void holdings_open_gauges(struct holdings *holdings, const char *name);

/* Logs what was not granted as asked for. */
void holdings_log(const struct holdings *holdings, const struct master_opts *opts);

/* Gives the sockets to a service manager that keeps such, for the next run. */
void holdings_keep_sockets(struct holdings *holdings);

/* Closes the sockets: nobody reads them any more. What is sent is then refused, not swallowed, but
 * where a service manager has them for the next run. */
void holdings_stop_listening(struct holdings *holdings);

/* Kills a resolver that is still at work and closes everything. */
void holdings_release(struct holdings *holdings);

#endif
