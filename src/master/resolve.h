/*
 * resolve: host names, looked up in a process of their own that may hang without holding up anyone.
 * Its answer goes to the sender without passing through the master's memory.
 */
#ifndef MASTER_RESOLVE_H
#define MASTER_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log_event.h"
#include "base/resolved.h"
#include "master/spawn.h"

/* A resolver that has not answered by then ends. */
#define RESOLVE_PATIENCE_S 30

struct resolve {
    int ask_read, ask_write;             /* one byte asks; the sender writes */
    int addresses_read, addresses_write; /* packets of struct resolved; the sender reads */
    pid_t pid;                           /* of the resolver that is there, else 0 */
    bool again;                          /* the name changed while it was looking up the old one */
    char host[RESOLVED_DESTINATION_MAX]; /* that it looks up, for the log */
    struct log_limit said_no_fork, said_no_answer;
};

/* Makes both pipes and enters them in fds. Returns 0 or -errno; what is open is then in fds. */
int resolve_open(struct resolve *resolve, struct spawn_fds *fds);

/* The descriptor to poll for a question, or -1 while a resolver is at work. */
int resolve_poll_fd(const struct resolve *resolve);

/* Takes all questions that are there off the pipe. */
void resolve_take(struct resolve *resolve);

/* Starts a resolver for host:port; where one is at work, another follows it. */
void resolve_start(struct resolve *resolve, const struct spawn_fds *fds, const char *host,
                   uint16_t port);

/* Tells of a process that has ended. True where it was the resolver: resolve_start is then to be
 * called again where again is set. */
bool resolve_reaped(struct resolve *resolve, pid_t pid, int status);

/* Kills a resolver that is still at work. The pipes are closed by who closes fds. */
void resolve_release(struct resolve *resolve);

/* What a resolver answers. */
void resolve_lookup(const char *host, uint16_t port, struct resolved *out);

#endif
