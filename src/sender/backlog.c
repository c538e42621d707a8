/*
 * backlog: see backlog.h.
 */
#include "sender/backlog.h"

#include <errno.h>
#include <string.h>

#include "sender/replay.h"

/* Nobody knows how much of it carbon had taken. */
static void
drop_touched(struct backlog *backlog)
{
    struct queue *queue = &backlog->queue;
    uint64_t id = queue->store.journal.touched;
    const struct spool_file *file = stow_find(&backlog->stow, id);

    if (id == 0)
        return;
    for (uint32_t i = 0; i < queue->store.n_live; i++) {
        if (store_at(&queue->store, queue->store.live[i])->id == id) {
            queue_drop(queue, queue->store.live[i], LEDGER_UNCERTAIN);
            return;
        }
    }
    if (file != NULL)
        stow_dropped(&backlog->stow, queue, file, LEDGER_UNCERTAIN);
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
    store_change(&queue->store, STORE_NONE, STORE_FREE, 0);
}

int
backlog_open(struct backlog *backlog, const struct sender_opts *opts, enum store_found *out)
{
    int error;

    memset(backlog, 0, sizeof(*backlog));
    backlog->replay_window_ms = opts->never_twice || !opts->deliver ? 0 : opts->replay_window_ms;
    pace_init(&backlog->pace);
    error = queue_open(&backlog->queue, opts->arena_fd, opts->queue_memory, out);
    if (error != 0)
        return error;
    stow_open(&backlog->stow, &backlog->queue, opts->spool_fd, opts->spool_max_bytes,
              opts->spool_max_age_ms);
    drop_touched(backlog);
    close_ledger(&backlog->queue);
    return 0;
}

void
backlog_close(struct backlog *backlog)
{
    stow_close(&backlog->stow);
    queue_close(&backlog->queue);
}

static bool
evict(struct backlog *backlog, const struct backlog_item *busy, enum ledger_reason reason)
{
    static const uint32_t states[] = {STORE_DELIVERED, STORE_REPLAY, STORE_QUEUED};
    uint32_t slot = STORE_NONE;

    for (size_t i = 0; i < 3 && slot == STORE_NONE; i++)
        slot = queue_oldest(&backlog->queue, states[i], busy->slot);
    if (slot == STORE_NONE)
        return false;
    if (store_at(&backlog->queue.store, slot)->state != STORE_QUEUED ||
        stow_put(&backlog->stow, &backlog->queue, slot) != 0)
        queue_drop(&backlog->queue, slot, reason);
    return true;
}

bool
backlog_make_room(struct backlog *backlog, size_t len, const struct backlog_item *busy)
{
    const struct queue *queue = &backlog->queue;

    while (queue->store.taken > 0 &&
           queue->store.taken + store_size(len) > store_size(queue->limit)) {
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
        if (busy->slot != STORE_NONE)
            return false;
        queue_refuse(queue, batch);
        return true;
    }
    pace_live(&backlog->pace, batch->n_lines, now_ms);
    return true;
}

/* ---- what goes next */

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
    const struct store *store = &backlog->queue.store;
    uint64_t timestamp_s = store_at(store, live)->timestamp_s;

    for (uint32_t i = 0; i < store->n_live; i++) {
        const struct store_slot *slot = store_at(store, store->live[i]);

        if (store->live[i] != live && slot->state != STORE_DELIVERED &&
            slot->timestamp_s == timestamp_s)
            return true;
    }
    return is_in_spool(backlog, timestamp_s);
}

static void
pick(struct backlog *backlog, uint32_t slot, bool live, struct backlog_item *out)
{
    const struct store *store = &backlog->queue.store;

    out->kind = store_at(store, slot)->state == STORE_REPLAY ? BACKLOG_REPLAY : BACKLOG_QUEUED;
    out->live = live;
    out->slot = slot;
    out->batch = store_batch(store, slot);
    if (slot == backlog->queue.live)
        backlog->queue.live = STORE_NONE;
}

/* Either of the two that is older, or the one that there is. */
static uint32_t
older(const struct store *store, uint32_t a, uint32_t b)
{
    if (a == STORE_NONE || b == STORE_NONE)
        return a == STORE_NONE ? b : a;
    return store_at(store, a)->order < store_at(store, b)->order ? a : b;
}

/* Of a file and a batch of the same timestamp the file is the older. */
static bool
is_file_first(const struct backlog *backlog, uint32_t slot)
{
    const struct spool_file *file =
        backlog->stow.is_open ? spool_oldest(&backlog->stow.spool) : NULL;

    return file != NULL &&
           (slot == STORE_NONE ||
            file->timestamp_s <= store_at(&backlog->queue.store, slot)->timestamp_s);
}

static void
pick_oldest(struct backlog *backlog, struct backlog_item *out)
{
    struct queue *queue = &backlog->queue;
    uint32_t slot = older(&queue->store, queue_oldest(queue, STORE_QUEUED, STORE_NONE),
                          queue_oldest(queue, STORE_REPLAY, STORE_NONE));

    if (is_file_first(backlog, slot))
        out->loaded = stow_load(&backlog->stow, queue);
    if (out->loaded != NULL) {
        out->kind = BACKLOG_FILE;
        out->batch = *out->loaded;
    } else if (slot != STORE_NONE &&
               !is_in_spool(backlog, store_at(&queue->store, slot)->timestamp_s)) {
        pick(backlog, slot, false, out);
    }
}

/* At the end what is in the spool is safe, and so is what has to follow it. */
static void
pick_last(struct backlog *backlog, struct backlog_item *out)
{
    uint32_t slot = queue_oldest(&backlog->queue, STORE_QUEUED, STORE_NONE);

    if (slot != STORE_NONE &&
        !is_in_spool(backlog, store_at(&backlog->queue.store, slot)->timestamp_s))
        pick(backlog, slot, true, out);
}

void
backlog_next(struct backlog *backlog, bool last, uint64_t now_ms, struct backlog_item *out)
{
    uint32_t live = backlog->queue.live;

    *out = (struct backlog_item){.slot = STORE_NONE};
    if (live != STORE_NONE && !is_preceded(backlog, live))
        pick(backlog, live, true, out);
    else if (last)
        pick_last(backlog, out);
    else if (now_ms >= backlog->pace.due_ms)
        pick_oldest(backlog, out);
}

/* ---- what became of it */

static void
release(struct backlog_item *item)
{
    batch_free(item->loaded);
    *item = (struct backlog_item){.slot = STORE_NONE};
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
    struct journal *journal = &backlog->queue.store.journal;

    if (journal->touched != 0) {
        journal->touched = 0;
        store_change(&backlog->queue.store, STORE_NONE, STORE_FREE, 0);
    }
    release(item);
}
