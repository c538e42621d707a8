/*
 * queue: the batches that are not delivered yet, oldest first, in a limited memory. When they are
 * too many the oldest goes, but never the one that is on its way.
 */
#ifndef SENDER_QUEUE_H
#define SENDER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sender/batch.h"

struct queue {
    struct batch *first, *last;
    size_t limit, size; /* bytes */
    size_t n_batches;
    uint64_t n_lines;
    uint64_t n_dropped; /* lines that had to go, ever */
};

/* Empty, for at most limit bytes. */
void queue_init(struct queue *queue, size_t limit);

/* Frees every batch in it. */
void queue_release(struct queue *queue);

/* Drops the oldest batches and counts their lines until size more bytes fit, or none is left that
 * may go; first_busy: the oldest is on its way and stays. */
void queue_make_room(struct queue *queue, size_t size, bool first_busy);

/* Takes a sealed batch as the newest; room has been made for it. */
void queue_push(struct queue *queue, struct batch *batch);

/* The oldest leaves, delivered, and is freed. */
void queue_pop(struct queue *queue);

#endif
