/*
 * holdings: what the master holds for its children, so that nothing that is queued in the kernel is
 * lost with one: the sockets, the pipes, and the table of who keeps which.
 */
#ifndef MASTER_HOLDINGS_H
#define MASTER_HOLDINGS_H

#include "master/config.h"
#include "master/listen.h"
#include "master/resolve.h"
#include "master/spawn.h"

struct holdings {
    struct spawn_fds fds;
    struct listen listeners;
    int pipe_read, pipe_write; /* frames, from the worker to the sender */
    struct resolve resolve;
};

/* Opens all of it, but for what fds has already. Takes the privileges that a port below 1024 or a
 * large receive buffer take. Ends the process with EX_CONFIG and one line in the log where that
 * cannot be done. */
void holdings_open(struct holdings *holdings, const struct master_opts *opts, unsigned n_threads);

/* Logs what was not granted as asked for. */
void holdings_log(const struct holdings *holdings, const struct master_opts *opts);

/* Kills a resolver that is still at work and closes the sockets and the pipe. */
void holdings_release(struct holdings *holdings);

#endif
