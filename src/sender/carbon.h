/*
 * carbon: one batch over one connection to Graphite's carbon.
 *
 * Connect, write the whole batch, shut down our side, read to the end of the file: carbon closes
 * when it has read everything, so its FIN behind ours is the acknowledgement. A reset, a timeout or
 * a FIN before ours is none, and TCP's own acknowledgements prove nothing. What was not
 * acknowledged is to be sent again whole, on a new connection: a torn line must never be continued.
 * For peers that do not close there is a weaker one: everything is written, and the peer's host has
 * it.
 */
#ifndef SENDER_CARBON_H
#define SENDER_CARBON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/net.h"
#include "base/resolved.h"
#include "metric/dialect.h"
#include "sender/batch.h"
#include "sender/render.h"

enum carbon_state { CARBON_IDLE, CARBON_CONNECTING, CARBON_WRITING, CARBON_WAITING_FOR_FIN };

enum carbon_result {
    CARBON_BUSY,      /* go on with carbon_step when poll says so */
    CARBON_CONNECTED, /* nothing is written yet; go on at once */
    CARBON_DELIVERED, /* acknowledged */
    CARBON_FAILED,    /* carbon->error says why; the batch is not delivered */
};

struct carbon {
    uint32_t connect_timeout_ms, send_timeout_ms;
    bool await_fin; /* else that the peer's host has everything is enough */
    enum carbon_state state;
    int fd; /* -1 while idle */
    uint64_t deadline_ms;
    struct resolved addresses; /* that the batch is tried on, in turn */
    int next_address;
    struct render render;
    struct buf out; /* rendered, not written yet: from out_at on */
    size_t out_at;
    uint64_t n_written, n_taken; /* bytes, of this connection: taken by the peer's host */
    size_t n_garbage;            /* that carbon sent us */
    bool may_be_taken; /* of the try that has failed or was given up: some of it, by carbon */
    char error[128];
};

/* Idle, with its memory taken. Returns 0 or -ENOMEM. */
int carbon_init(struct carbon *carbon, uint32_t connect_timeout_ms, uint32_t send_timeout_ms,
                bool await_fin);

/* Closes the connection and frees; fine on a zeroed struct with fd -1. */
void carbon_release(struct carbon *carbon);

/* Begins to send batch to the first of addresses (at least one) that takes the connection. Borrows
 * batch and dialect until the result is not CARBON_BUSY any more. */
enum carbon_result carbon_start(struct carbon *carbon, const struct resolved *addresses,
                                const struct batch *batch, const struct dialect *dialect,
                                uint64_t now_ms);

/* Goes on after poll(2) returned, whatever the reason; to see progress, at least twice in
 * send_timeout_ms. */
enum carbon_result carbon_step(struct carbon *carbon, uint64_t now_ms);

/* Gives up what is on its way, as a failure does; nothing is where it is idle. */
void carbon_cancel(struct carbon *carbon);

/* The events of carbon->fd to poll for. */
short carbon_events(const struct carbon *carbon);

/* When to go on even if poll(2) has nothing to say. */
uint64_t carbon_deadline(const struct carbon *carbon, uint64_t now_ms);

#endif
