/*
 * delivery: see delivery.h.
 */
#include "sender/delivery.h"

#include <inttypes.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_event.h"
#include "sender/choice.h"
#include "sender/notice.h"
#include "sender/replay.h"
#include "sender/said.h"

/* How long what is left may take when the daemon stops. */
#define LAST_DELIVERY_MS 10000

static struct queue *
queue_of(struct delivery *delivery)
{
    return &delivery->backlog.queue;
}

/* ---- beginning */

static void
log_found(struct delivery *delivery, enum vault_found found)
{
    const struct sender_opts *opts = delivery->opts;
    uint64_t n_corrupt = delivery->backlog.n_found_corrupt;
    size_t n_batches;
    uint64_t n_lines = queue_lines(queue_of(delivery), &n_batches);

    if (found == VAULT_FOREIGN)
        log_event(
            &(struct log_event){.level = LOG_WARNING, .limit = said_limit(opts, SAID_FOREIGN)},
            "the sender's file in STATE_DIR is not of this version: it begins anew");
    if (found == VAULT_DAMAGED)
        log_event(
            &(struct log_event){.level = LOG_WARNING, .limit = said_limit(opts, SAID_UNSOUND)},
            "what the sender before this one has counted is damaged: counts begin anew");
    if (n_corrupt > 0)
        log_event(
            &(struct log_event){.level = LOG_WARNING, .limit = said_limit(opts, SAID_CORRUPT)},
            "%" PRIu64 " lines that were kept are damaged: they are dropped", n_corrupt);
    /* Where one process dies after the other, it is no news. */
    if (n_batches > 0 && opts->n_restarts == 0)
        log_info("going on with %zu flushes of %" PRIu64 " lines that were kept", n_batches,
                 n_lines);
}

void
delivery_open(struct delivery *delivery, const struct sender_opts *opts)
{
    enum vault_found found;
    int error = backlog_open(&delivery->backlog, opts, &found);

    delivery->opts = opts;
    delivery->item.slot = VAULT_NONE;
    if (error != 0)
        fatalx(EXIT_FAILURE, "cannot use the sender's memory: %s", strerror(-error));
    log_found(delivery, found);
    target_init(&delivery->target, opts->ask_fd, opts->addresses_fd, opts->destination,
                opts->dns_refresh_ms);
    outage_init(&delivery->outage, &opts->board->outage, opts->destination, clock_mono_ms());
    if (carbon_init(&delivery->carbon, opts->connect_timeout_ms, opts->send_timeout_ms,
                    opts->await_fin) != 0)
        fatal(EXIT_FAILURE, "cannot start the sender");
}

/* ---- what became of it */

static bool
is_sending(const struct delivery *delivery)
{
    return delivery->item.kind != BACKLOG_NOTHING;
}

static void
delivered(struct delivery *delivery)
{
    const char *destination = delivery->target.destination;
    uint64_t now_ms = clock_mono_ms(), since_ms = delivery->outage.said->last_success_ms;
    uint64_t n_refused = delivery->opts->deliver ? delivery->carbon.render.n_refused : 0;

    if (outage_end(&delivery->outage, now_ms))
        log_event(&(struct log_event){.level = LOG_INFO, .peer = destination},
                  "carbon %s takes flushes again, after %" PRIu64 " s", destination,
                  (now_ms - since_ms) / 1000);
    if (n_refused > 0)
        log_event(&(struct log_event){.level = LOG_WARNING,
                                      .limit = said_limit(delivery->opts, SAID_REFUSED)},
                  "%" PRIu64 " lines of a flush were not sent: carbon takes none like them",
                  n_refused);
    notice_success(delivery, n_refused, now_ms);
    backlog_delivered(&delivery->backlog, &delivery->item, n_refused, now_ms);
}

/* It was not delivered, or nobody knows. */
static void
put_back(struct delivery *delivery)
{
    if (!delivery->opts->never_twice || !delivery->carbon.may_be_taken) {
        backlog_failed(&delivery->backlog, &delivery->item);
        return;
    }
    log_event(&(struct log_event){.level = LOG_WARNING,
                                  .limit = said_limit(delivery->opts, SAID_UNCERTAIN)},
              "%" PRIu64 " lines are dropped: an aggregator may have some, and takes none twice",
              delivery->item.batch.n_lines);
    backlog_dropped(&delivery->backlog, &delivery->item, LEDGER_UNCERTAIN);
}

static void
log_failure(struct delivery *delivery, const char *why)
{
    const char *destination = delivery->target.destination;
    struct outage *outage = &delivery->outage;
    struct log_event event = {.level = LOG_WARNING, .reason = why, .peer = destination};
    size_t n_batches;

    switch (outage_fail(outage, why, delivery->stopping, (uint32_t)random(), clock_mono_ms())) {
    case OUTAGE_WARNING:
        event.n_before = outage->said->n_untold - 1; /* over too soon to be told */
        if (log_event(&event, "carbon %s does not take flushes: %s; keeping them and trying again",
                      destination, why))
            outage_told(outage, clock_mono_ms());
        break;
    case OUTAGE_DETAIL:
        queue_lines(queue_of(delivery), &n_batches);
        log_debug("carbon %s: %s; %zu flushes wait", destination, why, n_batches);
        break;
    case OUTAGE_SILENCE: break;
    }
}

static void
failed(struct delivery *delivery, const char *why)
{
    log_failure(delivery, why);
    if (!target_doubt(&delivery->target))
        outage_hope(&delivery->outage);
    delivery->tally.failures++;
    notice_failure(&delivery->opts->board->delivery);
    if (is_sending(delivery))
        put_back(delivery);
}

/* Whatever it was, carbon may have died, and what it had acknowledged with it. */
static void
lost_carbon(struct delivery *delivery)
{
    failed(delivery, delivery->carbon.error);
    if (!delivery->stopping)
        replay_mark(queue_of(delivery), delivery->backlog.replay_window_ms, clock_mono_ms());
}

/* From the first byte on nobody knows what is taken, not even who finds this process killed. */
static enum carbon_result
write_first(struct delivery *delivery)
{
    if (delivery->opts->never_twice) {
        queue_of(delivery)->vault.journal.touched = delivery->item.batch.id;
        vault_change(&queue_of(delivery)->vault, VAULT_NONE, VAULT_FREE, 0);
    }
    return carbon_step(&delivery->carbon, clock_mono_ms());
}

static void
settle(struct delivery *delivery, enum carbon_result result)
{
    if (result == CARBON_CONNECTED)
        result = write_first(delivery);
    if (result == CARBON_DELIVERED)
        delivered(delivery);
    else if (result == CARBON_FAILED)
        lost_carbon(delivery);
}

static void
cancel(struct delivery *delivery)
{
    if (!is_sending(delivery))
        return;
    carbon_cancel(&delivery->carbon);
    put_back(delivery);
}

/* ---- what comes in */

/* What is on its way has to go, unless it has arrived. */
static void
give_way(struct delivery *delivery)
{
    settle(delivery, carbon_step(&delivery->carbon, clock_mono_ms()));
    cancel(delivery);
}

void
delivery_make_room(struct delivery *delivery, size_t len)
{
    while (!backlog_make_room(&delivery->backlog, len, &delivery->item))
        give_way(delivery);
}

/* ---- what goes out */

/* What is on its way to the old destination, and not there yet, is sent to the new one, whole. */
static void
move(struct delivery *delivery)
{
    size_t n_batches;

    queue_lines(queue_of(delivery), &n_batches);
    log_info("sending to %s from now on; %zu flushes wait", delivery->target.destination,
             n_batches);
    outage_forget(&delivery->outage, delivery->target.destination);
    if (is_sending(delivery) && carbon_step(&delivery->carbon, clock_mono_ms()) == CARBON_DELIVERED)
        delivered(delivery);
    cancel(delivery);
}

/* An answer that nobody asked for has a reason, and is tried at once. */
static void
read_addresses(struct delivery *delivery)
{
    enum target_news news = target_read(&delivery->target, clock_mono_ms());

    if (news == TARGET_MOVED)
        move(delivery);
    if (news != TARGET_NOTHING)
        outage_hope(&delivery->outage);
}

static void
start(struct delivery *delivery)
{
    delivery->began_ms = clock_mono_ms();
    if (delivery->outage.failing) {
        delivery->tally.reconnects++;
        board_count(&delivery->opts->board->delivery.reconnects);
    }
    settle(delivery,
           carbon_start(&delivery->carbon, &delivery->target.addresses, &delivery->item.batch,
                        &delivery->opts->dialect, clock_mono_ms()));
}

/* Whether there is somewhere to send to now. */
static bool
has_target(struct delivery *delivery)
{
    enum target_state state = target_seek(&delivery->target, delivery->stopping, clock_mono_ms());

    if (state == TARGET_UNKNOWN)
        failed(delivery, gai_strerror(delivery->target.error));
    return state == TARGET_READY;
}

static void
begin(struct delivery *delivery)
{
    if (!batch_is_intact(&delivery->item.batch)) {
        log_event(&(struct log_event){.level = LOG_WARNING,
                                      .limit = said_limit(delivery->opts, SAID_DAMAGED)},
                  "%" PRIu64 " lines are damaged: they are dropped", delivery->item.batch.n_lines);
        backlog_dropped(&delivery->backlog, &delivery->item, LEDGER_CORRUPT);
    } else if (!delivery->opts->deliver) {
        delivered(delivery);
    } else {
        start(delivery);
    }
}

/* Whether one more was begun. */
static bool
begin_next(struct delivery *delivery)
{
    uint64_t now_ms = clock_mono_ms();

    if (is_sending(delivery) || now_ms < delivery->outage.retry_ms ||
        !choice_is_there(&delivery->backlog, delivery->stopping, now_ms) ||
        (delivery->opts->deliver && !has_target(delivery)))
        return false;
    choice_make(&delivery->backlog, delivery->stopping, now_ms, &delivery->item);
    if (!is_sending(delivery))
        return false;
    begin(delivery);
    return true;
}

void
delivery_take(struct delivery *delivery, const struct batch *batch, const struct ledger *told)
{
    while (!backlog_take(&delivery->backlog, batch, told, &delivery->item, clock_mono_ms()))
        give_way(delivery);
    (void)stow_put_all(&delivery->backlog.stow, queue_of(delivery), delivery->item.slot);
}

void
delivery_go(struct delivery *delivery)
{
    read_addresses(delivery);
    if (is_sending(delivery))
        settle(delivery, carbon_step(&delivery->carbon, clock_mono_ms()));
    while (begin_next(delivery))
        continue;
}

static uint64_t
earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t
delivery_deadline(const struct delivery *delivery)
{
    uint64_t now_ms = clock_mono_ms(), retry_ms = delivery->outage.retry_ms;
    uint64_t due_ms = delivery->backlog.pace.due_ms;
    uint64_t deadline_ms = delivery->stopping ? delivery->stop_deadline_ms : UINT64_MAX;

    if (is_sending(delivery))
        return earliest(deadline_ms, carbon_deadline(&delivery->carbon, now_ms));
    if (delivery->target.waiting)
        return earliest(deadline_ms, delivery->target.deadline_ms);
    /* What was due has been begun. */
    if (retry_ms > now_ms)
        deadline_ms = earliest(deadline_ms, retry_ms);
    return due_ms > now_ms ? earliest(deadline_ms, due_ms) : deadline_ms;
}

/* ---- the end */

void
delivery_stop(struct delivery *delivery)
{
    uint64_t now_ms = clock_mono_ms();

    delivery->stopping = true;
    delivery->stop_deadline_ms = now_ms + LAST_DELIVERY_MS;
    delivery->outage.retry_ms = 0;
    target_hurry(&delivery->target, now_ms);
}

bool
delivery_is_over(const struct delivery *delivery)
{
    uint64_t now_ms = clock_mono_ms();

    if (!delivery->stopping)
        return false;
    return now_ms >= delivery->stop_deadline_ms ||
           (!is_sending(delivery) && !choice_is_there(&delivery->backlog, true, now_ms));
}

static void
keep_the_rest(struct delivery *delivery)
{
    struct queue *queue = queue_of(delivery);
    size_t n_batches;
    uint64_t n_lines;
    uint32_t slot;

    queue->live = VAULT_NONE;
    while (stow_put_all(&delivery->backlog.stow, queue, VAULT_NONE))
        board_count(&delivery->opts->board->beats[BOARD_SENDER]);
    n_lines = queue_lines(queue, &n_batches);
    if (delivery->backlog.stow.spool.n_files > 0)
        log_info("%zu flushes wait in SPOOL_DIR", delivery->backlog.stow.spool.n_files);
    if (n_batches > 0 && delivery->opts->arena_outlives)
        log_info("carbon %s did not take %" PRIu64 " lines in time: they wait in STATE_DIR",
                 delivery->target.destination, n_lines);
    if (n_batches == 0 || delivery->opts->arena_outlives)
        return;
    log_warnx("carbon %s did not take %" PRIu64 " lines in time: they are lost",
              delivery->target.destination, n_lines);
    while ((slot = queue_oldest(queue, VAULT_QUEUED, VAULT_NONE)) != VAULT_NONE)
        queue_drop(queue, slot, LEDGER_LOST);
}

void
delivery_close(struct delivery *delivery)
{
    char text[LEDGER_TEXT_MAX];
    size_t n_batches;

    cancel(delivery);
    keep_the_rest(delivery);
    ledger_format(queue_ledger(queue_of(delivery)), queue_lines(queue_of(delivery), &n_batches),
                  &delivery->opts->board->ledger, text);
    log_info("%s", text);
    carbon_release(&delivery->carbon);
    backlog_close(&delivery->backlog);
}
