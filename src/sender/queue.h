/*
 * queue: the flushes that are in memory, oldest first, and the ledger. Every change of what becomes
 * of lines is one change of the vault, so that no kill leaves a line in two counts or in none.
 */
#ifndef SENDER_QUEUE_H
#define SENDER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sender/batch.h"
#include "sender/ledger.h"
#include "sender/vault.h"

struct queue {
    struct vault vault;
    size_t limit;  /* bytes that the batches take at most */
    uint32_t live; /* the newest, while it was never tried; else VAULT_NONE */
};

/* Takes up what is in the file, see vault_open. */
int queue_open(struct queue *queue, int fd, size_t limit, enum vault_found *out);

/* Everything stays in the file. */
void queue_close(struct queue *queue);

/* Commits a sealed batch as the newest, and what it tells of the ledger as told. Returns 0, or
 * -errno of vault_put. */
int queue_take(struct queue *queue, const struct batch *batch, const struct ledger *told);

/* Counts a batch that there is no memory for as taken and dropped. */
void queue_refuse(struct queue *queue, const struct batch *batch);

/* The oldest that is in the state and is not but, or VAULT_NONE. */
uint32_t queue_oldest(const struct queue *queue, uint32_t state, uint32_t but);

/* It was delivered, but for so many lines that are none for carbon. keep: it may have to be sent
 * again; else it leaves. */
void queue_delivered(struct queue *queue, uint32_t slot, uint64_t n_refused, bool keep,
                     uint64_t now_ms);

/* It leaves; lines that were not delivered are dropped. */
void queue_drop(struct queue *queue, uint32_t slot, enum ledger_reason reason);

/* Lines that were not delivered yet, and in how many batches. */
uint64_t queue_lines(const struct queue *queue, size_t *out_n_batches);

static inline struct ledger *
queue_ledger(struct queue *queue)
{
    return &queue->vault.journal.now;
}

#endif
