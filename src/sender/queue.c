/*
 * queue: see queue.h.
 */
#include "sender/queue.h"

#include "base/fault.h"

int
queue_open(struct queue *queue, int fd, size_t limit, enum vault_found *out)
{
    queue->limit = limit;
    queue->live = VAULT_NONE;
    return vault_open(&queue->vault, fd, limit, out);
}

void
queue_close(struct queue *queue)
{
    vault_close(&queue->vault);
}

/* All that the flush held, and what of it is not in the batch. */
static void
count_emitted(struct queue *queue, const struct batch *batch)
{
    struct ledger *ledger = queue_ledger(queue);

    ledger->emitted += batch->n_lines + batch->n_dropped + batch->n_unkept;
    ledger->dropped[LEDGER_QUEUE] += batch->n_dropped;
    ledger->dropped[LEDGER_MEMORY] += batch->n_unkept;
    queue->vault.journal.committed = batch->id;
}

int
queue_take(struct queue *queue, const struct batch *batch, const struct ledger *told)
{
    int slot = vault_put(&queue->vault, batch);

    if (slot < 0)
        return slot;
    count_emitted(queue, batch);
    queue->vault.journal.told = *told;
    vault_change(&queue->vault, (uint32_t)slot, VAULT_QUEUED, 0);
    fault_point("sender_commit");
    queue->live = (uint32_t)slot;
    return 0;
}

void
queue_refuse(struct queue *queue, const struct batch *batch)
{
    count_emitted(queue, batch);
    queue_ledger(queue)->dropped[LEDGER_MEMORY] += batch->n_lines;
    vault_change(&queue->vault, VAULT_NONE, VAULT_FREE, 0);
}

uint32_t
queue_oldest(const struct queue *queue, uint32_t state, uint32_t but)
{
    const struct vault *vault = &queue->vault;

    for (uint32_t i = 0; i < vault->n_live; i++) {
        if (vault_at(vault, vault->live[i])->state == state && vault->live[i] != but)
            return vault->live[i];
    }
    return VAULT_NONE;
}

/* Nothing is known any more of what was on its way, where that was it. */
static void
forget(struct queue *queue, uint32_t slot)
{
    struct journal *journal = &queue->vault.journal;

    if (queue->live == slot)
        queue->live = VAULT_NONE;
    if (journal->touched == vault_at(&queue->vault, slot)->id)
        journal->touched = 0;
}

void
queue_delivered(struct queue *queue, uint32_t slot, uint64_t n_refused, bool keep, uint64_t now_ms)
{
    const struct vault_slot *batch = vault_at(&queue->vault, slot);
    struct ledger *ledger = queue_ledger(queue);

    fault_point("sender_delivered");
    forget(queue, slot);
    if (batch->state == VAULT_REPLAY) {
        ledger->replayed += batch->n_lines - n_refused;
    } else {
        ledger->delivered += batch->n_lines - n_refused;
        ledger->dropped[LEDGER_REFUSED] += n_refused;
    }
    vault_change(&queue->vault, slot, keep ? VAULT_DELIVERED : VAULT_FREE, now_ms);
}

void
queue_drop(struct queue *queue, uint32_t slot, enum ledger_reason reason)
{
    const struct vault_slot *batch = vault_at(&queue->vault, slot);

    fault_point("sender_drop");
    forget(queue, slot);
    if (batch->state == VAULT_QUEUED)
        queue_ledger(queue)->dropped[reason] += batch->n_lines;
    vault_change(&queue->vault, slot, VAULT_FREE, 0);
}

uint64_t
queue_lines(const struct queue *queue, size_t *out_n_batches)
{
    const struct vault *vault = &queue->vault;
    uint64_t n_lines = 0;
    size_t n = 0;

    for (uint32_t i = 0; i < vault->n_live; i++) {
        const struct vault_slot *slot = vault_at(vault, vault->live[i]);

        n += slot->state == VAULT_QUEUED;
        n_lines += slot->state == VAULT_QUEUED ? slot->n_lines : 0;
    }
    *out_n_batches = n;
    return n_lines;
}
