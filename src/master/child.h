/*
 * child: when a process is started, replaced, asked to stop and killed. Pure: it is told what
 * happened and when, and answers what is to be done; time and chance are the caller's.
 */
#ifndef MASTER_CHILD_H
#define MASTER_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/backoff.h"

/* One that lived this long is replaced at once; so is one that was at work when somebody killed it,
 * since nothing is wrong with it. But a machine without memory kills, too, and for ever: so each of
 * those costs what a life has to earn, and the credit ends. Who strikes every 0.3 s at random never
 * comes to its end; who strikes at once each time does after 50. */
#define CHILD_STEADY_MS 10000
#define CHILD_KILL_MS   200
/* EX_CONFIG of <sysexits.h>: what is wrong stays wrong, an operator must act. */
#define CHILD_STATUS_PERMANENT 78
/* Starts of their own that crashes are allowed: so many more of the first one, and as many last
 * ones at the stop. What kills them may be a datagram, or an adoption, that takes two deaths in a
 * row to be told from bad luck, and the first of those may have been under another master. */
#define CHILD_TRIES_MAX 3
/* From SIGABRT to SIGKILL, for one that has stalled. */
#define CHILD_ABORT_MS 2000

#define CHILD_TEXT_MAX 64

enum child_state {
    CHILD_WAITING,  /* not there; to be started at the deadline */
    CHILD_STARTING, /* the first; none has served yet */
    CHILD_UP,       /* replaced when it dies */
    CHILD_ABORTING, /* has stalled and was told to abort; killed at the deadline, then replaced */
    CHILD_LAST,     /* will end by itself, and that is all */
    CHILD_STOPPING, /* asked to stop; killed at the deadline */
    CHILD_ENDED,
    CHILD_STATE_COUNT,
};

enum child_event_kind {
    CHILD_DEADLINE, /* deadline_ms has come */
    CHILD_STARTED,  /* as pid */
    CHILD_READY,    /* it serves */
    CHILD_STALLED,  /* it is there and makes no progress */
    CHILD_EXITED,   /* with status, as waitpid(2) gives it; or it could not be started */
    CHILD_RETIRE,   /* it may end by itself, and then that is all */
    CHILD_STOP,     /* it is to end within its grace_ms */
    CHILD_EVENT_COUNT,
};

enum child_action {
    CHILD_NOTHING,
    CHILD_FORK,    /* then report CHILD_STARTED or CHILD_EXITED */
    CHILD_ASK,     /* ask it to stop */
    CHILD_ABORT,   /* SIGABRT, which leaves a trace of where it stood */
    CHILD_KILL,    /* SIGKILL */
    CHILD_GIVE_UP, /* it never served, or said that starting it again is of no use */
};

struct child {
    enum child_state state;
    pid_t pid;            /* of the one that is there, else 0 */
    uint64_t started_ms;  /* CLOCK_MONOTONIC, as all times here */
    uint64_t deadline_ms; /* of the next CHILD_DEADLINE, UINT64_MAX for none */
    uint32_t grace_ms;    /* from the request to stop to SIGKILL */
    uint32_t n_restarts;  /* deaths that were followed by another start */
    uint32_t n_first;     /* crashes of those that never served */
    uint32_t n_last;      /* last tries at the stop, CHILD_TRIES_MAX: there is none left */
    uint32_t credit_ms;   /* of lives, for those that are killed at work; CHILD_STEADY_MS at most */
    bool has_served;      /* it, or one before it */
    bool has_crashed;     /* the one before died of itself: of no SIGKILL, nor asked to end */
    struct backoff backoff;
};

struct child_event {
    enum child_event_kind kind;
    uint64_t now_ms;
    pid_t pid;       /* of CHILD_STARTED */
    int status;      /* of CHILD_EXITED */
    bool has_beaten; /* of CHILD_EXITED: it had got on with its work */
    uint32_t chance; /* of CHILD_EXITED: any random number, for the jitter */
};

/* One that is due to be started now. */
void child_init(struct child *child, uint32_t grace_ms);

/* Takes one event. An event that means nothing in the child's state changes nothing.
 *
 * One that has served leaves work behind when it dies: where it is told to retire or to stop and is
 * not there, or dies after that of itself, another is started, once, or where it crashes again up
 * to CHILD_TRIES_MAX times. */
enum child_action child_step(struct child *child, const struct child_event *event);

/* Whether a status of waitpid(2) is that of a child that was asked to stop. */
bool child_ended_well(int status);

/* "exit status 1" or "signal 9 (Killed)" of a status of waitpid(2). */
void child_format_status(int status, char out[CHILD_TEXT_MAX]);

#endif
