/*
 * stow: see stow.h.
 */
#include "sender/stow.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <syslog.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/log_event.h"
#include "sender/said.h"

/* A disk is slow, and others wait. */
#define PUT_MS 1000

static uint64_t
lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* So many lines are in the spool no more. Of damaged files nobody may know how many they held: it
 * is what the limits have not cost. */
static void
count_gone(struct stow *stow, struct ledger *ledger, uint64_t n_gone)
{
    const struct spool *spool = &stow->spool;
    uint64_t n_limits = lesser(n_gone, spool->n_dropped - stow->n_dropped_seen);
    uint64_t n_bad = spool->n_bad_files > stow->n_bad_seen ? n_gone - n_limits : 0;

    if (n_gone > n_limits + n_bad)
        log_event(
            &(struct log_event){.level = LOG_WARNING, .limit = said_limit(stow->opts, SAID_GONE)},
            "%" PRIu64 " lines that waited in SPOOL_DIR are out of reach: they count as "
            "dropped",
            n_gone - n_limits - n_bad);
    ledger->dropped[LEDGER_CORRUPT] += n_bad;
    ledger->dropped[LEDGER_SPOOL] += n_gone - n_bad;
}

static void
log_dropped(const struct stow *stow)
{
    const struct spool *spool = &stow->spool;

    if (spool->n_dropped > stow->n_dropped_seen)
        log_event(&(struct log_event){.level = LOG_WARNING,
                                      .reason = spool->limit,
                                      .limit = said_limit(stow->opts, SAID_SPOOL_FULL)},
                  "the oldest flushes in SPOOL_DIR, of %" PRIu64 " lines, are dropped: %s",
                  spool->n_dropped - stow->n_dropped_seen, spool->limit);
}

/* The ledger says of the spool what the spool says itself: files have gone for its limits, or were
 * damaged, or others are there that nobody had counted. */
static void
agree(struct stow *stow, struct queue *queue)
{
    struct ledger *ledger = queue_ledger(queue);
    uint64_t n_lines = stow->is_open ? stow->spool.n_lines : 0;

    log_dropped(stow);
    if (n_lines > ledger->spooled)
        ledger->emitted += n_lines - ledger->spooled;
    else
        count_gone(stow, ledger, ledger->spooled - n_lines);
    stow->n_bad_seen = stow->spool.n_bad_files;
    stow->n_dropped_seen = stow->spool.n_dropped;
    if (n_lines == ledger->spooled)
        return;
    ledger->spooled = n_lines;
    vault_change(&queue->vault, VAULT_NONE, VAULT_FREE, 0);
}

/* The batch is in the spool: it leaves the queue. */
static void
finish_put(struct queue *queue, uint32_t slot)
{
    queue_ledger(queue)->spooled += vault_at(&queue->vault, slot)->n_lines;
    if (queue->live == slot)
        queue->live = VAULT_NONE;
    vault_change(&queue->vault, slot, VAULT_FREE, 0);
}

static bool
has_leftover(const struct stow *stow)
{
    return stow->leftover.size > 0;
}

/* That a file is to go is known to the next process until it has gone. Returns 0 or -errno. */
static int
remove_file(struct stow *stow, struct queue *queue, const struct spool_file *file)
{
    struct spool_file copy = *file;
    int error = spool_remove(&stow->spool, file);

    if (error == 0)
        queue->vault.journal.unspooled = 0;
    else
        stow->leftover = copy;
    return error;
}

static void
remove_leftover(struct stow *stow, struct queue *queue)
{
    if (!has_leftover(stow) ||
        spoolfile_unlink(stow->spool.dir_fd, &stow->leftover, SPOOLFILE_FLUSH) != 0)
        return;
    if (queue->vault.journal.unspooled == stow->leftover.id)
        queue->vault.journal.unspooled = 0;
    stow->leftover = (struct spool_file){0};
}

/* What was begun when the process before this one was killed. */
static void
finish_all(struct stow *stow, struct queue *queue)
{
    const struct spool_file *gone = stow_find(stow, queue->vault.journal.unspooled);
    uint32_t slots[VAULT_SLOTS], n = queue->vault.n_live;

    if (gone != NULL)
        remove_file(stow, queue, gone);
    else if (stow->is_open)
        queue->vault.journal.unspooled = 0;
    memcpy(slots, queue->vault.live, n * sizeof(slots[0]));
    for (uint32_t i = 0; i < n && stow->spool.n_files > 0; i++) {
        const struct vault_slot *slot = vault_at(&queue->vault, slots[i]);

        spool_beat(&stow->spool);
        if (slot->state == VAULT_QUEUED && spool_has(&stow->spool, slot->id))
            finish_put(queue, slots[i]);
    }
}

static void
log_bad(struct stow *stow)
{
    const struct spool *spool = &stow->spool;

    log_event(&(struct log_event){.level = LOG_WARNING,
                                  .reason = spool->bad_reason,
                                  .limit = said_limit(stow->opts, SAID_BAD_FILE)},
              "a flush in SPOOL_DIR, of %" PRIu64 ", cannot be used: %s; it is set aside",
              spool->bad_file.timestamp_s, spool->bad_reason);
}

void
stow_open(struct stow *stow, struct queue *queue, const struct sender_opts *opts)
{
    int error = 0;

    memset(stow, 0, sizeof(*stow));
    stow->opts = opts;
    if (opts->spool_fd >= 0)
        error =
            spool_open(&stow->spool, opts->spool_fd, opts->spool_max_bytes, opts->spool_max_age_ms,
                       clock_wall_ms(), &opts->board->beats[BOARD_SENDER]);
    stow->is_open = opts->spool_fd >= 0 && error == 0;
    if (error != 0)
        log_event(&(struct log_event){.level = LOG_WARNING,
                                      .reason = strerror(-error),
                                      .limit = said_limit(opts, SAID_NO_SPOOL)},
                  "cannot use SPOOL_DIR: %s; flushes stay in QUEUE_MEMORY alone", strerror(-error));
    if (stow->spool.n_bad_files > 0)
        log_bad(stow);
    if (stow->spool.n_ignored > 0)
        log_event(
            &(struct log_event){.level = LOG_WARNING, .limit = said_limit(opts, SAID_IGNORED)},
            "%" PRIu64 " entries of SPOOL_DIR are no files to be read: they are left alone",
            stow->spool.n_ignored);
    /* Where one process dies after the other, it is no news. */
    if (stow->spool.n_files > 0 && opts->n_restarts == 0)
        log_info("%zu flushes wait in SPOOL_DIR, of %" PRIu64 " lines", stow->spool.n_files,
                 stow->spool.n_lines);
    finish_all(stow, queue);
    agree(stow, queue);
}

void
stow_close(struct stow *stow)
{
    if (stow->is_open)
        spool_close(&stow->spool);
    stow->is_open = false;
}

int
stow_put(struct stow *stow, struct queue *queue, uint32_t slot)
{
    struct batch batch;
    int error;

    if (!stow->is_open)
        return -ENOENT;
    batch = vault_batch(&queue->vault, slot);
    spool_beat(&stow->spool);
    error = spool_put(&stow->spool, &batch, clock_wall_ms());
    spool_beat(&stow->spool);
    fault_point("sender_spooled");
    if (error == 0)
        finish_put(queue, slot);
    agree(stow, queue);
    return error;
}

static void
warn(struct stow *stow, const char *what, int error, const char *then)
{
    log_event(
        &(struct log_event){.level = LOG_WARNING, .limit = said_limit(stow->opts, SAID_UNWRITABLE)},
        "%s SPOOL_DIR: %s%s", what, strerror(-error), then);
}

bool
stow_put_all(struct stow *stow, struct queue *queue, uint32_t busy)
{
    uint32_t slots[VAULT_SLOTS], n = queue->vault.n_live;
    uint64_t end_ms = clock_mono_ms() + PUT_MS;
    int error = stow->is_open ? 0 : -ENOENT;

    memcpy(slots, queue->vault.live, n * sizeof(slots[0]));
    /* A younger one may go where an older one is too large, but in no other case. */
    for (uint32_t i = 0; i < n && (error == 0 || error == -EFBIG); i++) {
        if (slots[i] == busy || slots[i] == queue->live ||
            vault_at(&queue->vault, slots[i])->state != VAULT_QUEUED)
            continue;
        if (clock_mono_ms() > end_ms)
            return true;
        if ((error = stow_put(stow, queue, slots[i])) != 0)
            warn(stow, "flushes stay in memory, they cannot be written to", error, "");
    }
    return false;
}

struct batch *
stow_load(struct stow *stow, struct queue *queue)
{
    const struct spool_file *file;
    struct batch *batch = NULL;

    remove_leftover(stow, queue);
    if (has_leftover(stow) && stow->opts->never_twice)
        return NULL;
    while (stow->is_open && (file = spool_oldest(&stow->spool)) != NULL) {
        uint64_t n_bad_files = stow->spool.n_bad_files;

        if (spool_load(&stow->spool, file, &batch) == 0) {
            stow->spool.busy = batch->id;
            return batch;
        }
        if (stow->spool.n_bad_files == n_bad_files)
            break;
        log_bad(stow);
        agree(stow, queue);
    }
    return NULL;
}

const struct spool_file *
stow_find(const struct stow *stow, uint64_t id)
{
    for (size_t i = 0; stow->is_open && i < stow->spool.n_files; i++) {
        if (stow->spool.files[i].id == id)
            return &stow->spool.files[i];
    }
    return NULL;
}

/* The file goes when the ledger has it no more; where that does not happen, it is tried again, also
 * by the next process. */
static void
unspool(struct stow *stow, struct queue *queue, const struct spool_file *file)
{
    struct journal *journal = &queue->vault.journal;
    int error;

    if (journal->touched == file->id)
        journal->touched = 0;
    journal->unspooled = file->id;
    journal->now.spooled -= file->n_lines;
    vault_change(&queue->vault, VAULT_NONE, VAULT_FREE, 0);
    fault_point("sender_unspooled");
    stow->spool.busy = 0;
    if ((error = remove_file(stow, queue, file)) != 0)
        warn(stow, "a flush was delivered, but cannot be removed from", error,
             "; that is tried again");
}

/* What was delivered of an interval must not be sent again behind the whole of it, which is not
 * kept. */
static void
drop_delivered(struct queue *queue, uint64_t timestamp_s)
{
    const struct vault *vault = &queue->vault;

    for (uint32_t i = vault->n_live; i > 0; i--) {
        const struct vault_slot *slot = vault_at(vault, vault->live[i - 1]);

        if (slot->state != VAULT_QUEUED && slot->timestamp_s == timestamp_s)
            queue_drop(queue, vault->live[i - 1], LEDGER_SPOOL);
    }
}

void
stow_delivered(struct stow *stow, struct queue *queue, const struct batch *batch,
               uint64_t n_refused)
{
    struct ledger *ledger = queue_ledger(queue);

    drop_delivered(queue, batch->timestamp_s);
    ledger->delivered += batch->n_lines - n_refused;
    ledger->dropped[LEDGER_REFUSED] += n_refused;
    unspool(stow, queue, stow_find(stow, batch->id));
}

void
stow_dropped(struct stow *stow, struct queue *queue, const struct spool_file *file,
             enum ledger_reason reason)
{
    queue_ledger(queue)->dropped[reason] += file->n_lines;
    unspool(stow, queue, file);
}
