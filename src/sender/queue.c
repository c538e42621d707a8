/*
 * queue: see queue.h.
 */
#include "sender/queue.h"

#include "base/fault.h"

int
queue_open(struct queue *queue, int fd, size_t limit, enum store_found *out)
{
    queue->limit = limit;
    queue->live = STORE_NONE;
    return store_open(&queue->store, fd, limit, out);
}

void
queue_close(struct queue *queue)
{
    store_close(&queue->store);
}

/* All that the flush held, and what of it is not in the batch. */
static void
count_emitted(struct queue *queue, const struct batch *batch)
{
    struct ledger *ledger = queue_ledger(queue);

    ledger->emitted += batch->n_lines + batch->n_dropped + batch->n_unkept;
    ledger->dropped[LEDGER_QUEUE] += batch->n_dropped;
    ledger->dropped[LEDGER_MEMORY] += batch->n_unkept;
    queue->store.journal.committed = batch->id;
}

int
queue_take(struct queue *queue, const struct batch *batch, const struct ledger *told)
{
    int slot = store_put(&queue->store, batch);

    if (slot < 0)
        return slot;
    count_emitted(queue, batch);
    queue->store.journal.told = *told;
    store_change(&queue->store, (uint32_t)slot, STORE_QUEUED, 0);
    fault_point("sender_commit");
    queue->live = (uint32_t)slot;
    return 0;
}

void
queue_refuse(struct queue *queue, const struct batch *batch)
{
    count_emitted(queue, batch);
    queue_ledger(queue)->dropped[LEDGER_MEMORY] += batch->n_lines;
    store_change(&queue->store, STORE_NONE, STORE_FREE, 0);
}

uint32_t
queue_oldest(const struct queue *queue, uint32_t state, uint32_t but)
{
    const struct store *store = &queue->store;

    for (uint32_t i = 0; i < store->n_live; i++) {
        if (store_at(store, store->live[i])->state == state && store->live[i] != but)
            return store->live[i];
    }
    return STORE_NONE;
}

/* Nothing is known any more of what was on its way, where that was it. */
static void
forget(struct queue *queue, uint32_t slot)
{
    struct journal *journal = &queue->store.journal;

    if (queue->live == slot)
        queue->live = STORE_NONE;
    if (journal->touched == store_at(&queue->store, slot)->id)
        journal->touched = 0;
}

void
queue_delivered(struct queue *queue, uint32_t slot, uint64_t n_refused, bool keep, uint64_t now_ms)
{
    const struct store_slot *batch = store_at(&queue->store, slot);
    struct ledger *ledger = queue_ledger(queue);

    fault_point("sender_delivered");
    forget(queue, slot);
    if (batch->state == STORE_REPLAY) {
        ledger->replayed += batch->n_lines - n_refused;
    } else {
        ledger->delivered += batch->n_lines - n_refused;
        ledger->dropped[LEDGER_REFUSED] += n_refused;
    }
    store_change(&queue->store, slot, keep ? STORE_DELIVERED : STORE_FREE, now_ms);
}

void
queue_drop(struct queue *queue, uint32_t slot, enum ledger_reason reason)
{
    const struct store_slot *batch = store_at(&queue->store, slot);

    fault_point("sender_drop");
    forget(queue, slot);
    if (batch->state == STORE_QUEUED)
        queue_ledger(queue)->dropped[reason] += batch->n_lines;
    store_change(&queue->store, slot, STORE_FREE, 0);
}

uint64_t
queue_lines(const struct queue *queue, size_t *out_n_batches)
{
    const struct store *store = &queue->store;
    uint64_t n_lines = 0;
    size_t n = 0;

    for (uint32_t i = 0; i < store->n_live; i++) {
        const struct store_slot *slot = store_at(store, store->live[i]);

        n += slot->state == STORE_QUEUED;
        n_lines += slot->state == STORE_QUEUED ? slot->n_lines : 0;
    }
    *out_n_batches = n;
    return n_lines;
}
