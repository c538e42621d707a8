/*
 * intake: see intake.h.
 */
#include "sender/intake.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/log_event.h"
#include "sender/gauges.h"
#include "sender/notice.h"
#include "sender/said.h"
#include "sender/trace.h"

#define FRAMES_PER_TURN 1024
/* A worker whose frames are never right is not asked for them without end. */
#define ASK_MS 1000
/* Nor for one flush: what of it holds is taken then. */
#define TRIES 3

static struct journal *
journal_of(struct intake *intake)
{
    return &intake->delivery->backlog.queue.vault.journal;
}

static void
ring(const struct intake *intake)
{
    const uint64_t one = 1;
    ssize_t ignored = write(intake->opts->ack_fd, &one, sizeof(one));

    (void)ignored; /* where it does not fit, it has been rung */
}

/* The worker goes by what waits before it sends anything that is not due. */
static void
acknowledge(struct intake *intake, uint64_t id)
{
    fault_point("sender_ack");
    notice_now(intake->delivery);
    board_set(&intake->opts->board->committed, id);
    ring(intake);
}

void
intake_init(struct intake *intake, const struct sender_opts *opts, struct delivery *delivery)
{
    memset(intake, 0, sizeof(*intake));
    intake->opts = opts;
    intake->delivery = delivery;
    inlet_init(&intake->inlet, opts->pipe_fd);
    notice_now(delivery);
    board_set(&opts->board->committed, journal_of(intake)->committed);
    board_count(&opts->board->sender_starts);
    ring(intake);
}

static void
forget_incoming(struct intake *intake)
{
    batch_free(intake->incoming);
    intake->incoming = NULL;
}

void
intake_release(struct intake *intake)
{
    forget_incoming(intake);
}

/* ---- a flush is whole */

/* The sender's own statistics, of the time since the flush before. */
static void
add_own(struct intake *intake, const struct ledger *ledger, struct batch *batch)
{
    struct delivery *delivery = intake->delivery;
    size_t n_batches;
    struct tally_now now = {
        .ledger = ledger,
        .told = &journal_of(intake)->told,
        .queue_lines = queue_lines(&delivery->backlog.queue, &n_batches),
        .has_spool = delivery->backlog.stow.is_open,
        .last_success_age_s = (clock_mono_ms() - delivery->outage.said->last_success_ms) / 1000,
        .n_restarts = intake->opts->n_restarts,
    };

    tally_report(&delivery->tally, &now, batch);
}

static void
save_gauges(struct intake *intake, const struct batch *batch)
{
    uint64_t *beat = &intake->opts->board->beats[BOARD_SENDER];
    int error;

    if (intake->opts->gauges_fd < 0)
        return;
    board_count(beat);
    error = gauges_save(intake->opts->gauges_fd, intake->opts->gauges_name, batch->records.data,
                        batch->records.len);
    board_count(beat);
    if (error != 0)
        log_event(
            &(struct log_event){.level = LOG_WARNING,
                                .limit = said_limit(intake->opts, SAID_GAUGES)},
            "cannot write GAUGES_FILE: %s; it stays as it was, and the next flush tries again",
            strerror(-error));
}

static void
log_left_out(struct intake *intake, const struct batch *batch)
{
    if (batch->n_dropped > 0)
        log_event(&(struct log_event){.level = LOG_WARNING,
                                      .limit = said_limit(intake->opts, SAID_NO_ROOM)},
                  "%" PRIu64 " of %" PRIu64 " lines of a flush are left out: they have no room in "
                  "QUEUE_MEMORY",
                  batch->n_dropped, batch->n_dropped + batch->n_lines);
    if (batch->n_unkept > 0)
        log_event(&(struct log_event){.level = LOG_WARNING,
                                      .limit = said_limit(intake->opts, SAID_NO_MEMORY)},
                  "%" PRIu64 " lines of a flush are left out: there is no memory for them",
                  batch->n_unkept);
}

static void
show(struct intake *intake, const struct batch *batch)
{
    int error = trace_batch(STDOUT_FILENO, batch, &intake->opts->dialect);

    if (error < 0)
        log_event(&(struct log_event){.level = LOG_WARNING,
                                      .limit = said_limit(intake->opts, SAID_UNSHOWN)},
                  "cannot print a flush, or not all of it: %s", strerror(-error));
}

/* From here on it is no more the worker's. What had no room in it, it tells itself. */
static void
commit(struct intake *intake)
{
    struct batch *batch = intake->incoming;
    struct ledger told = journal_of(intake)->now;

    log_left_out(intake, batch);
    told.dropped[LEDGER_QUEUE] += batch->n_dropped;
    told.dropped[LEDGER_MEMORY] += batch->n_unkept;
    if (intake->opts->self_stats)
        add_own(intake, &told, batch);
    batch_seal(batch);
    if (intake->opts->print_flushes)
        show(intake, batch);
    delivery_take(intake->delivery, batch, &told);
    acknowledge(intake, batch->id);
    save_gauges(intake, batch);
    forget_incoming(intake);
}

/* ---- frames */

/* Of the same writer, what is not newer has been taken; of another that can only be seen by what is
 * still there. */
static bool
is_taken(struct intake *intake, uint64_t id)
{
    const struct backlog *backlog = &intake->delivery->backlog;
    const struct vault *vault = &backlog->queue.vault;
    uint64_t committed = vault->journal.committed;

    if (frame_epoch(id) == frame_epoch(committed) && frame_number(id) <= frame_number(committed))
        return true;
    for (uint32_t i = 0; i < vault->n_live; i++) {
        if (vault_at(vault, vault->live[i])->id == id)
            return true;
    }
    return stow_find(&backlog->stow, id) != NULL;
}

/* The worker and the pipe are ours, so this is a fault of the machine or the program. */
static void
count_bad(struct intake *intake, const char *why)
{
    intake->delivery->tally.frames_bad++;
    log_event(&(struct log_event){.level = LOG_WARNING,
                                  .reason = why,
                                  .limit = said_limit(intake->opts, SAID_BAD_PACKET)},
              "a packet from the worker is not usable: %s; its flush is asked for again", why);
}

static void
begin(struct intake *intake, const struct frame_header *header)
{
    forget_incoming(intake);
    intake->passing = is_taken(intake, header->flush_id);
    if (intake->passing)
        return;
    intake->incoming = batch_new(header->flush_id, header->end_ms, intake->opts->queue_memory);
    if (intake->incoming == NULL)
        fatal(EXIT_FAILURE, "no memory for a flush"); /* it is sent again to who comes next */
}

/* Whether a flush of which a frame holds what is no record is to be sent anew. */
static bool
is_worth_asking(struct intake *intake, uint64_t id)
{
    if (intake->broken_id != id)
        intake->n_broken = 0;
    intake->broken_id = id;
    return ++intake->n_broken < TRIES;
}

/* Adds to the flush what a frame holds, or forgets the flush. */
static void
add_frame(struct intake *intake, const struct frame *frame)
{
    if (batch_add(intake->incoming, frame->payload, frame->header.len) == 0)
        return;
    count_bad(intake, "what it holds is no record");
    if (!is_worth_asking(intake, frame->header.flush_id))
        return;
    forget_incoming(intake);
    intake->lacks = true;
}

static void
take_frame(struct intake *intake, const struct frame *frame)
{
    const struct frame_header *header = &frame->header;
    bool is_last = (header->flags & FRAME_LAST) != 0;

    fault_point("sender_frame");
    if (header->sequence == 0)
        begin(intake, header);
    if (intake->passing && is_last)
        acknowledge(intake, header->flush_id);
    if (intake->incoming != NULL)
        add_frame(intake, frame);
    if (intake->incoming == NULL)
        return;
    delivery_make_room(intake->delivery, intake->incoming->records.cap);
    if (is_last)
        commit(intake);
}

/* What is lost of a flush comes again where the worker thinks that a new sender has begun. */
static void
ask_again(struct intake *intake)
{
    uint64_t now_ms = clock_mono_ms();

    if (!intake->lacks || now_ms < intake->asked_ms + ASK_MS)
        return;
    intake->lacks = false;
    intake->asked_ms = now_ms;
    board_count(&intake->opts->board->sender_starts);
    ring(intake);
}

/* Of a flush that will never be whole, what came is better than nothing where nobody can send it
 * again. */
static void
end(struct intake *intake)
{
    intake->has_ended = true;
    if (intake->incoming == NULL || intake->opts->arena_outlives)
        return;
    log_event(&(struct log_event){.level = LOG_WARNING,
                                  .limit = said_limit(intake->opts, SAID_UNFINISHED)},
              "the worker ended within a flush: what came of it is sent");
    commit(intake);
}

void
intake_read(struct intake *intake)
{
    struct frame frame;

    ask_again(intake);
    for (int i = 0; i < FRAMES_PER_TURN && !intake->has_ended; i++) {
        switch (inlet_read(&intake->inlet, &frame)) {
        case INLET_FRAME: take_frame(intake, &frame); break;
        case INLET_EMPTY: return;
        case INLET_STALE: break;
        case INLET_BAD:
            count_bad(intake, frame_strerror(intake->inlet.last_error));
            intake->lacks = true;
            break;
        case INLET_END: end(intake); break;
        }
    }
}
