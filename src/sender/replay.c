/*
 * replay: see replay.h.
 */
#include "sender/replay.h"

#include "base/fault.h"

/* A stamp of a time to come is one of before a reboot. */
static bool
is_over(const struct vault_slot *slot, uint64_t window_ms, uint64_t now_ms)
{
    return slot->stamp_ms > now_ms || now_ms - slot->stamp_ms > window_ms;
}

void
replay_expire(struct queue *queue, uint64_t window_ms, uint64_t now_ms)
{
    uint32_t slot;

    while ((slot = queue_oldest(queue, VAULT_DELIVERED, VAULT_NONE)) != VAULT_NONE &&
           is_over(vault_at(&queue->vault, slot), window_ms, now_ms))
        queue_drop(queue, slot, LEDGER_QUEUE);
}

void
replay_mark(struct queue *queue, uint64_t window_ms, uint64_t now_ms)
{
    uint32_t slot;

    replay_expire(queue, window_ms, now_ms);
    while ((slot = queue_oldest(queue, VAULT_DELIVERED, VAULT_NONE)) != VAULT_NONE) {
        fault_point("sender_replay");
        vault_change(&queue->vault, slot, VAULT_REPLAY, 0);
    }
}
