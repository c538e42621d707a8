/*
 * backlog: see backlog.h.
 */
#include "sender/backlog.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <syslog.h>

#include "base/log_event.h"
#include "sender/replay.h"
#include "sender/said.h"

static void
log_uncertain(const struct backlog *backlog, uint64_t n_lines)
{
    log_event(&(struct log_event){.level = LOG_WARNING,
                                  .limit = said_limit(backlog->stow.opts, SAID_UNCERTAIN)},
              "%" PRIu64 " lines are dropped: an aggregator may have some, and takes none twice",
              n_lines);
}

/* Nobody knows how much of it carbon had taken. */
static void
drop_touched(struct backlog *backlog)
{
    struct queue *queue = &backlog->queue;
    uint64_t id = queue->vault.journal.touched;
    const struct spool_file *file = stow_find(&backlog->stow, id);

    if (id == 0)
        return;
    for (uint32_t i = 0; i < queue->vault.n_live; i++) {
        const struct vault_slot *slot = vault_at(&queue->vault, queue->vault.live[i]);

        if (slot->id == id) {
            log_uncertain(backlog, slot->n_lines);
            queue_drop(queue, queue->vault.live[i], LEDGER_UNCERTAIN);
            return;
        }
    }
    if (file != NULL) {
        log_uncertain(backlog, file->n_lines);
        stow_dropped(&backlog->stow, queue, file, LEDGER_UNCERTAIN);
    }
}

/* What the arena has lost is what is missing in the sum. Of a ledger that was lost itself, what is
 * there is all there ever was. */
static void
close_ledger(struct queue *queue)
{
    struct ledger *ledger = queue_ledger(queue);
    size_t n_batches;
    uint64_t sum = ledger->delivered + queue_lines(queue, &n_batches) + ledger->spooled +
                   ledger_dropped(ledger);

    if (ledger->emitted == sum)
        return;
    if (ledger->emitted > sum)
        ledger->dropped[LEDGER_CORRUPT] += ledger->emitted - sum;
    else
        ledger->emitted = sum;
    vault_change(&queue->vault, VAULT_NONE, VAULT_FREE, 0);
}

/* What is not to be sent again is not kept, whatever it was kept for. */
static void
drop_delivered(struct queue *queue)
{
    static const uint32_t states[] = {VAULT_DELIVERED, VAULT_REPLAY};
    uint32_t slot;

    for (size_t i = 0; i < 2; i++) {
        while ((slot = queue_oldest(queue, states[i], VAULT_NONE)) != VAULT_NONE)
            queue_drop(queue, slot, LEDGER_QUEUE);
    }
}

int
backlog_open(struct backlog *backlog, const struct sender_opts *opts, enum vault_found *out)
{
    const struct ledger *ledger = queue_ledger(&backlog->queue);
    uint64_t n_corrupt;
    int error;

    memset(backlog, 0, sizeof(*backlog));
    backlog->replay_window_ms = opts->never_twice || !opts->deliver ? 0 : opts->replay_window_ms;
    pace_init(&backlog->pace);
    error = queue_open(&backlog->queue, opts->arena_fd, opts->queue_memory, out);
    if (error != 0)
        return error;
    n_corrupt = ledger->dropped[LEDGER_CORRUPT];
    if (backlog->replay_window_ms == 0)
        drop_delivered(&backlog->queue);
    stow_open(&backlog->stow, &backlog->queue, opts);
    drop_touched(backlog);
    close_ledger(&backlog->queue);
    backlog->n_found_corrupt = ledger->dropped[LEDGER_CORRUPT] - n_corrupt;
    return 0;
}

void
backlog_close(struct backlog *backlog)
{
    stow_close(&backlog->stow);
    queue_close(&backlog->queue);
}

/* Whether the slot is to replace, in carbon, what is on its way there once more: that must not be
 * the last of their interval. */
static bool
is_followed(const struct backlog *backlog, const struct backlog_item *busy, uint32_t slot)
{
    const struct vault_slot *next = vault_at(&backlog->queue.vault, slot);

    return busy->kind == BACKLOG_REPLAY && next->state == VAULT_REPLAY &&
           next->timestamp_s == busy->batch.timestamp_s;
}

static void
log_no_room(const struct backlog *backlog, enum ledger_reason reason, const char *what,
            uint64_t n_lines)
{
    const char *why = reason == LEDGER_QUEUE ? "QUEUE_MEMORY is full" : "there is no memory";

    log_event(&(struct log_event){.level = LOG_WARNING,
                                  .reason = why,
                                  .limit = said_limit(backlog->stow.opts, SAID_QUEUE_FULL)},
              "%s: %s, of %" PRIu64 " lines, is dropped", why, what, n_lines);
}

static bool
evict(struct backlog *backlog, const struct backlog_item *busy, enum ledger_reason reason)
{
    static const uint32_t states[] = {VAULT_DELIVERED, VAULT_REPLAY, VAULT_QUEUED};
    const struct vault_slot *oldest;
    uint32_t slot = VAULT_NONE;

    for (size_t i = 0; i < 3 && slot == VAULT_NONE; i++)
        slot = queue_oldest(&backlog->queue, states[i], busy->slot);
    if (slot == VAULT_NONE || is_followed(backlog, busy, slot))
        return false;
    oldest = vault_at(&backlog->queue.vault, slot);
    if (oldest->state == VAULT_QUEUED && stow_put(&backlog->stow, &backlog->queue, slot) == 0)
        return true;
    if (oldest->state == VAULT_QUEUED)
        log_no_room(backlog, reason, "the oldest flush", oldest->n_lines);
    queue_drop(&backlog->queue, slot, reason);
    return true;
}

bool
backlog_make_room(struct backlog *backlog, size_t len, const struct backlog_item *busy)
{
    const struct queue *queue = &backlog->queue;

    while (queue->vault.taken > 0 &&
           queue->vault.taken + vault_size(len) > vault_size(queue->limit)) {
        if (!evict(backlog, busy, LEDGER_QUEUE))
            return false;
    }
    return true;
}

bool
backlog_take(struct backlog *backlog, const struct batch *batch, const struct ledger *told,
             const struct backlog_item *busy, uint64_t now_ms)
{
    struct queue *queue = &backlog->queue;
    int error;

    replay_expire(queue, backlog->replay_window_ms, now_ms);
    if (!backlog_make_room(backlog, batch->records.len, busy))
        return false;
    while ((error = queue_take(queue, batch, told)) != 0) {
        if (evict(backlog, busy, error == -ENOSPC ? LEDGER_QUEUE : LEDGER_MEMORY))
            continue;
        if (busy->slot != VAULT_NONE)
            return false;
        log_no_room(backlog, LEDGER_MEMORY, "a flush", batch->n_lines);
        queue_refuse(queue, batch);
        return true;
    }
    pace_live(&backlog->pace, batch->n_lines, now_ms);
    return true;
}

static void
release(struct backlog_item *item)
{
    batch_free(item->loaded);
    *item = (struct backlog_item){.slot = VAULT_NONE};
}

void
backlog_delivered(struct backlog *backlog, struct backlog_item *item, uint64_t n_refused,
                  uint64_t now_ms)
{
    if (!item->live)
        pace_sent(&backlog->pace, item->batch.n_lines, now_ms);
    if (item->kind == BACKLOG_FILE)
        stow_delivered(&backlog->stow, &backlog->queue, &item->batch, n_refused);
    else
        queue_delivered(&backlog->queue, item->slot, n_refused, backlog->replay_window_ms > 0,
                        now_ms);
    release(item);
}

void
backlog_dropped(struct backlog *backlog, struct backlog_item *item, enum ledger_reason reason)
{
    const struct spool_file *file = stow_find(&backlog->stow, item->batch.id);

    if (item->kind != BACKLOG_FILE)
        queue_drop(&backlog->queue, item->slot, reason);
    else if (file != NULL)
        stow_dropped(&backlog->stow, &backlog->queue, file, reason);
    release(item);
}

void
backlog_failed(struct backlog *backlog, struct backlog_item *item)
{
    struct journal *journal = &backlog->queue.vault.journal;

    if (journal->touched != 0) {
        journal->touched = 0;
        vault_change(&backlog->queue.vault, VAULT_NONE, VAULT_FREE, 0);
    }
    if (item->kind == BACKLOG_FILE)
        backlog->stow.spool.busy = 0;
    release(item);
}
