/*
 * reply: the answer to one request, made piece by piece as the client takes it: a step appends what
 * it has to a bounded buffer, which is empty when it is called. So an answer may be larger than any
 * memory, or have no end, and nobody waits for a client.
 */
#ifndef WORKER_REPLY_H
#define WORKER_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "worker/desk.h"

/* What a step appends at most; it does well to end at REPLY_PIECE. */
#define REPLY_MAX   (1024 * 1024)
#define REPLY_PIECE (32 * 1024)

enum reply_progress {
    REPLY_DONE,  /* there is no more */
    REPLY_MORE,  /* there may be: step again when this is taken */
    REPLY_LATER, /* there is nothing to say yet: step again in a while */
};

struct reply {
    struct desk *desk;
    const char *peer;                                 /* who asks, for the log; borrowed */
    struct buf out;                                   /* what the client has not taken yet */
    enum reply_progress (*step)(struct reply *reply); /* NULL: all of it is in out */
    void *state;                                      /* the step's */
    void (*release)(void *state);                     /* what becomes of it at the end, or NULL */
    bool plain;    /* without a first line that says whether the request was good */
    bool has_said; /* that line is in out, or gone */
};

/* An empty answer, to an unknown peer. Borrows desk. */
void reply_init(struct reply *reply, struct desk *desk, bool plain);

/* Says that the request was good, where what begins an answer has all of it at hand. */
void reply_good(struct reply *reply);

/* Makes the next piece; out must be empty. */
enum reply_progress reply_step(struct reply *reply);

/* Says, instead of an answer, what is wrong: to be called where nothing was appended before. What
 * a step returns then. */
enum reply_progress reply_fail(struct reply *reply, const char *why);

/* Appends formatted text, cut at 1 KiB. */
void reply_say(struct reply *reply, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Gives the memory back; fine on a zeroed struct. */
void reply_release(struct reply *reply);

#endif
