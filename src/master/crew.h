/*
 * crew: the worker and the sender as the master sees them: started together, replaced when they
 * die or hang, and stopped in the order in which data passes through them.
 */
#ifndef MASTER_CREW_H
#define MASTER_CREW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/limit.h"
#include "master/child.h"
#include "master/config.h"
#include "master/holdings.h"
#include "master/pulse.h"

#define CREW_TEXT_MAX 128

enum role { ROLE_WORKER, ROLE_SENDER, ROLE_COUNT };

struct crew {
    struct holdings *holdings;
    const struct config *config;
    bool detach; /* the first of each let go of the terminal when they serve */
    struct child children[ROLE_COUNT];
    struct pulse pulses[ROLE_COUNT];
    uint64_t first_beats[ROLE_COUNT]; /* before the one that is there has done anything */
    uint64_t look_ms;                 /* when the children's progress is looked at next */
    int ready_fds[ROLE_COUNT];        /* readable when the first of each serves or ends, else -1 */
    struct limit kills[ROLE_COUNT];   /* what is told of those that are replaced */
    int exit_status; /* the daemon's, once one ended that is not to be replaced, else 0 */
    char failure[CREW_TEXT_MAX]; /* which one, and how */
};

/* None is there, both are due. Borrows holdings and config, in which each start looks anew. */
void crew_init(struct crew *crew, struct holdings *holdings, const struct config *config,
               bool detach);

/* Does what time and the ends of children have made due, the first start included. */
void crew_advance(struct crew *crew);

/* Takes what the ready_fds say. */
void crew_take_ready(struct crew *crew);

/* Tells of a process that has ended; one that is none of the crew's changes nothing. */
void crew_reaped(struct crew *crew, pid_t pid, int status);

/* Asks the worker to stop, and with its end the sender. One that is not there, but was, is started
 * once more for what it left undone. */
void crew_stop(struct crew *crew);

/* Both have served. */
bool crew_is_ready(const struct crew *crew);

/* Both have ended for good. */
bool crew_is_over(const struct crew *crew);

/* When crew_advance has something to do, UINT64_MAX for never. */
uint64_t crew_next_deadline(const struct crew *crew);

#endif
