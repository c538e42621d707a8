/*
 * choice: see choice.h.
 */
#include "sender/choice.h"

static bool
is_in_spool(const struct backlog *backlog, uint64_t timestamp_s)
{
    const struct spool *spool = &backlog->stow.spool;
    size_t i = backlog->stow.is_open ? spool->n_files : 0;

    while (i > 0 && spool->files[i - 1].timestamp_s > timestamp_s)
        i--;
    return i > 0 && spool->files[i - 1].timestamp_s == timestamp_s;
}

/* Whether one with the same timestamp has to go before the newest. */
static bool
is_preceded(const struct backlog *backlog, uint32_t live)
{
    const struct vault *vault = &backlog->queue.vault;
    uint64_t timestamp_s = vault_at(vault, live)->timestamp_s;

    for (uint32_t i = 0; i < vault->n_live; i++) {
        const struct vault_slot *slot = vault_at(vault, vault->live[i]);

        if (vault->live[i] != live && slot->state != VAULT_DELIVERED &&
            slot->timestamp_s == timestamp_s)
            return true;
    }
    return is_in_spool(backlog, timestamp_s);
}

static void
take(struct backlog *backlog, uint32_t slot, bool live, struct backlog_item *out)
{
    const struct vault *vault = &backlog->queue.vault;

    out->kind = vault_at(vault, slot)->state == VAULT_REPLAY ? BACKLOG_REPLAY : BACKLOG_QUEUED;
    out->live = live;
    out->slot = slot;
    out->batch = vault_batch(vault, slot);
    if (slot == backlog->queue.live)
        backlog->queue.live = VAULT_NONE;
}

/* Either of the two that is older, or the one that there is. */
static uint32_t
older(const struct vault *vault, uint32_t a, uint32_t b)
{
    if (a == VAULT_NONE || b == VAULT_NONE)
        return a == VAULT_NONE ? b : a;
    return vault_at(vault, a)->order < vault_at(vault, b)->order ? a : b;
}

/* Of a file and a batch of the same timestamp the file is the older. */
static bool
is_file_first(const struct backlog *backlog, uint32_t slot)
{
    const struct spool_file *file =
        backlog->stow.is_open ? spool_oldest(&backlog->stow.spool) : NULL;

    return file != NULL &&
           (slot == VAULT_NONE ||
            file->timestamp_s <= vault_at(&backlog->queue.vault, slot)->timestamp_s);
}

/* The oldest that is to be sent again. One that has its interval's whole in the spool must not
 * follow that. */
static uint32_t
find_replay(struct backlog *backlog)
{
    struct queue *queue = &backlog->queue;
    uint32_t slot;

    while ((slot = queue_oldest(queue, VAULT_REPLAY, VAULT_NONE)) != VAULT_NONE &&
           is_in_spool(backlog, vault_at(&queue->vault, slot)->timestamp_s))
        queue_drop(queue, slot, LEDGER_SPOOL);
    return slot;
}

static void
take_oldest(struct backlog *backlog, struct backlog_item *out)
{
    struct queue *queue = &backlog->queue;
    uint32_t slot =
        older(&queue->vault, queue_oldest(queue, VAULT_QUEUED, VAULT_NONE), find_replay(backlog));

    if (is_file_first(backlog, slot))
        out->loaded = stow_load(&backlog->stow, queue);
    if (out->loaded != NULL) {
        out->kind = BACKLOG_FILE;
        out->batch = *out->loaded;
    } else if (slot != VAULT_NONE &&
               !is_in_spool(backlog, vault_at(&queue->vault, slot)->timestamp_s)) {
        take(backlog, slot, false, out);
    }
}

bool
choice_is_there(const struct backlog *backlog, bool last, uint64_t now_ms)
{
    const struct queue *queue = &backlog->queue;

    return queue->live != VAULT_NONE ||
           ((last || now_ms >= backlog->pace.due_ms) &&
            (queue_oldest(queue, VAULT_QUEUED, VAULT_NONE) != VAULT_NONE ||
             queue_oldest(queue, VAULT_REPLAY, VAULT_NONE) != VAULT_NONE ||
             (backlog->stow.is_open && backlog->stow.spool.n_files > 0)));
}

void
choice_make(struct backlog *backlog, bool last, uint64_t now_ms, struct backlog_item *out)
{
    uint32_t live = backlog->queue.live;

    *out = (struct backlog_item){.slot = VAULT_NONE};
    if (live != VAULT_NONE && !is_preceded(backlog, live))
        take(backlog, live, true, out);
    else if (last || now_ms >= backlog->pace.due_ms)
        take_oldest(backlog, out);
}
