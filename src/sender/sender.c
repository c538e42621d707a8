/*
 * sender: the loop that brings frames to batches and batches to carbon. sender_run shows the data's
 * way.
 */
#include "sender/sender.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/ready.h"
#include "pipe/inlet.h"
#include "sender/batch.h"
#include "sender/carbon.h"
#include "sender/outage.h"
#include "sender/queue.h"
#include "sender/tally.h"
#include "sender/target.h"
#include "sender/trace.h"

/* How long what is left may take when the daemon stops. */
#define LAST_DELIVERY_MS 10000
#define FRAMES_PER_TURN  1024

struct sender {
    const struct sender_opts *opts;
    struct inlet inlet;
    struct batch *incoming; /* the flush whose frames are arriving, or NULL */
    struct queue queue;
    bool stopping; /* the pipe has ended */
    uint64_t stop_deadline_ms;

    struct target target;
    struct carbon carbon;
    bool sending; /* the queue's first is on its way */
    struct outage outage;

    struct tally tally;
    uint64_t dropped_seen;       /* in the tally already */
    bool said_bad, said_refused; /* once in a process's life */
    uint64_t unkept_id;          /* the flush that was said to have no memory */
};

static void
init(struct sender *sender, const struct sender_opts *opts)
{
    sender->opts = opts;
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    srandom((unsigned)clock_wall_ms() ^ (unsigned)getpid());
    inlet_init(&sender->inlet, opts->pipe_fd);
    target_init(&sender->target, opts->ask_fd, opts->addresses_fd, opts->destination);
    queue_init(&sender->queue, opts->queue_memory);
    outage_init(&sender->outage, clock_mono_ms());
    if (carbon_init(&sender->carbon, opts->connect_timeout_ms, opts->send_timeout_ms) != 0)
        fatal(EXIT_FAILURE, "cannot start the sender");
}

static void
release(struct sender *sender)
{
    batch_free(sender->incoming);
    queue_release(&sender->queue);
    carbon_release(&sender->carbon);
}

/* The sender's own statistics, of the time since the flush before; what this flush itself had no
 * room for is in the queue's count only when it is in the queue. */
static void
add_own(struct sender *sender, struct batch *batch)
{
    uint64_t n_dropped = sender->queue.n_dropped + batch->n_dropped;
    struct tally_now now = {
        .queue_lines = sender->queue.n_lines,
        .last_success_age_s = (clock_mono_ms() - sender->outage.last_success_ms) / 1000,
        .n_restarts = sender->opts->n_restarts,
    };

    sender->tally.lines_dropped = n_dropped - sender->dropped_seen;
    sender->dropped_seen = n_dropped;
    tally_report(&sender->tally, &now, batch);
}

/* The flush at hand is whole, or will never be: it becomes the newest batch of the queue. */
static void
finish_incoming(struct sender *sender)
{
    struct batch *batch = sender->incoming;

    sender->incoming = NULL;
    if (batch->n_dropped > 0)
        log_warnx("%" PRIu64 " of %" PRIu64 " lines of a flush are left out: they have no room in "
                  "QUEUE_MEMORY",
                  batch->n_dropped, batch->n_dropped + batch->n_lines);
    if (sender->opts->self_stats)
        add_own(sender, batch);
    batch_seal(batch);
    if (sender->opts->print_flushes)
        trace_batch(stdout, batch, &sender->opts->dialect);
    queue_push(&sender->queue, batch);
}

/* What is lost is counted; the flushes that are kept already stay. */
static void
drop_frame(struct sender *sender, const struct frame *frame)
{
    sender->queue.n_dropped += batch_count(frame->payload, frame->header.len);
    if (sender->unkept_id != frame->header.flush_id)
        log_warnx("no memory for a flush: lines of it are dropped");
    sender->unkept_id = frame->header.flush_id;
}

/* The worker and the pipe are ours, so this is a fault of the machine or the program: it is said
 * once, and counted from then on. */
static void
count_bad(struct sender *sender, const char *why)
{
    sender->tally.frames_bad++;
    if (!sender->said_bad)
        log_warnx("a packet from the worker is not usable: %s; further ones are counted only", why);
    sender->said_bad = true;
}

/* For the flush that is arriving older ones go, in the end even the one that is on its way. */
static void
make_room(struct sender *sender)
{
    size_t size = batch_size(sender->incoming);

    queue_make_room(&sender->queue, size, sender->sending);
    if (!sender->sending || sender->queue.size + size <= sender->queue.limit)
        return;
    carbon_cancel(&sender->carbon);
    sender->sending = false;
    queue_make_room(&sender->queue, size, false);
}

static void
take_frame(struct sender *sender, const struct frame *frame)
{
    if (sender->incoming != NULL && sender->incoming->id != frame->header.flush_id) {
        log_warnx("the worker ended within a flush: what came of it is sent");
        finish_incoming(sender);
    }
    if (sender->incoming == NULL)
        sender->incoming =
            batch_new(frame->header.flush_id, frame->header.end_ms, sender->opts->queue_memory);
    if (sender->incoming == NULL) {
        drop_frame(sender, frame);
        return;
    }
    if (batch_add(sender->incoming, frame->payload, frame->header.len) != 0)
        count_bad(sender, "what it holds is no record");
    make_room(sender);
    if ((frame->header.flags & FRAME_LAST) != 0)
        finish_incoming(sender);
}

static uint64_t
earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The worker is gone for good: what is left has its last chance. */
static void
begin_stop(struct sender *sender)
{
    uint64_t now_ms = clock_mono_ms();

    sender->stopping = true;
    sender->stop_deadline_ms = now_ms + LAST_DELIVERY_MS;
    target_hurry(&sender->target, now_ms);
    sender->outage.retry_ms = 0;
    if (sender->incoming != NULL)
        finish_incoming(sender);
}

static void
read_frames(struct sender *sender)
{
    struct frame frame;

    for (int i = 0; i < FRAMES_PER_TURN && !sender->stopping; i++) {
        switch (inlet_read(&sender->inlet, &frame)) {
        case INLET_FRAME: take_frame(sender, &frame); break;
        case INLET_EMPTY: return;
        case INLET_STALE: break;
        case INLET_BAD: count_bad(sender, frame_strerror(sender->inlet.last_error)); break;
        case INLET_END: begin_stop(sender); break;
        }
    }
}

/* Of the first batch, all but the lines that carbon would not have taken. */
static void
count_sent(struct sender *sender)
{
    uint64_t n_lines = sender->queue.first->n_lines;
    uint64_t n_refused = sender->opts->deliver ? sender->carbon.render.n_refused : 0;

    sender->tally.lines_sent += n_lines - n_refused;
    sender->tally.lines_refused += n_refused;
    if (n_refused > 0 && !sender->said_refused)
        log_warnx("%" PRIu64 " lines of a flush were not sent: carbon takes none like them; "
                  "further ones are counted only",
                  n_refused);
    sender->said_refused = sender->said_refused || n_refused > 0;
}

static void
delivered(struct sender *sender)
{
    uint64_t now_ms = clock_mono_ms(), since_ms = sender->outage.last_success_ms;

    if (outage_end(&sender->outage, now_ms))
        log_info("carbon %s takes flushes again, after %" PRIu64 " s", sender->target.destination,
                 (now_ms - since_ms) / 1000);
    sender->sending = false;
    count_sent(sender);
    queue_pop(&sender->queue);
}

static void
failed(struct sender *sender, const char *why)
{
    const char *destination = sender->target.destination;

    switch (
        outage_fail(&sender->outage, why, sender->stopping, (uint32_t)random(), clock_mono_ms())) {
    case OUTAGE_WARNING:
        log_warnx("carbon %s does not take flushes: %s; keeping them and trying again", destination,
                  why);
        break;
    case OUTAGE_DETAIL:
        log_debug("carbon %s: %s; %zu flushes wait", destination, why, sender->queue.n_batches);
        break;
    case OUTAGE_SILENCE: break;
    }
    target_doubt(&sender->target);
    sender->sending = false;
    sender->tally.failures++;
}

static void
settle(struct sender *sender, enum carbon_result result)
{
    if (result == CARBON_DELIVERED)
        delivered(sender);
    else if (result == CARBON_FAILED)
        failed(sender, sender->carbon.error);
}

static void
start_sending(struct sender *sender)
{
    sender->sending = true;
    if (sender->outage.failing)
        sender->tally.reconnects++;
    settle(sender, carbon_start(&sender->carbon, &sender->target.addresses, sender->queue.first,
                                &sender->opts->dialect, clock_mono_ms()));
}

/* What is on its way to the old destination, and not there yet, is sent to the new one, whole. */
static void
move(struct sender *sender)
{
    log_info("sending to %s from now on; %zu flushes wait", sender->target.destination,
             sender->queue.n_batches);
    sender->outage.failing = false;
    if (sender->sending && carbon_step(&sender->carbon, clock_mono_ms()) == CARBON_DELIVERED)
        delivered(sender);
    carbon_cancel(&sender->carbon);
    sender->sending = false;
}

/* An answer that nobody asked for has a reason, and is tried at once. */
static void
read_addresses(struct sender *sender)
{
    enum target_news news = target_read(&sender->target, clock_mono_ms());

    if (news == TARGET_NOTHING)
        return;
    if (news == TARGET_MOVED)
        move(sender);
    outage_hope(&sender->outage);
}

static void
try_to_send(struct sender *sender)
{
    switch (target_seek(&sender->target, sender->stopping, clock_mono_ms())) {
    case TARGET_READY: start_sending(sender); break;
    case TARGET_WAITING: break;
    case TARGET_UNKNOWN: failed(sender, gai_strerror(sender->target.error)); break;
    }
}

/* Brings the delivery on its way, as far as it goes now. */
static void
deliver(struct sender *sender)
{
    read_addresses(sender);
    if (sender->sending)
        settle(sender, carbon_step(&sender->carbon, clock_mono_ms()));
    if (sender->sending || sender->queue.first == NULL)
        return;
    if (!sender->opts->deliver)
        delivered(sender);
    else if (clock_mono_ms() >= sender->outage.retry_ms)
        try_to_send(sender);
}

/* When something is to be done even if nothing arrives. */
static uint64_t
next_deadline(const struct sender *sender)
{
    uint64_t deadline_ms = sender->stopping ? sender->stop_deadline_ms : UINT64_MAX;

    if (sender->sending)
        return earliest(deadline_ms, sender->carbon.deadline_ms);
    if (sender->target.waiting)
        return earliest(deadline_ms, sender->target.deadline_ms);
    if (sender->queue.first != NULL)
        return earliest(deadline_ms, sender->outage.retry_ms);
    return deadline_ms;
}

static void
wait_for_events(struct sender *sender)
{
    enum { SLOT_PIPE, SLOT_ADDRESSES, SLOT_CARBON, N_SLOTS };
    struct pollfd slots[N_SLOTS] = {
        [SLOT_PIPE] = {.fd = sender->stopping ? -1 : sender->opts->pipe_fd, .events = POLLIN},
        [SLOT_ADDRESSES] = {.fd = sender->target.addresses_fd, .events = POLLIN},
        [SLOT_CARBON] = {.fd = sender->sending ? sender->carbon.fd : -1,
                         .events = carbon_events(&sender->carbon)},
    };

    if (poll(slots, N_SLOTS, clock_poll_timeout(clock_mono_ms(), next_deadline(sender))) < 0 &&
        errno != EINTR)
        fatal(EXIT_FAILURE, "poll");
}

static bool
is_done(const struct sender *sender)
{
    return sender->stopping &&
           (sender->queue.first == NULL || clock_mono_ms() >= sender->stop_deadline_ms);
}

static void
sender_run(struct sender *sender)
{
    while (!is_done(sender)) {
        wait_for_events(sender);
        read_frames(sender);
        deliver(sender);
    }
}

int
sender_main(const struct sender_opts *opts)
{
    struct sender *sender = calloc(1, sizeof(*sender));

    if (sender == NULL)
        fatal(EXIT_FAILURE, "cannot start the sender");
    init(sender, opts);
    ready_tell(opts->ready_fd, opts->detach);
    sender_run(sender);
    if (sender->queue.n_lines > 0)
        log_warnx("carbon %s did not take %" PRIu64 " lines in time: they are lost",
                  sender->target.destination, sender->queue.n_lines);
    release(sender);
    free(sender);
    return 0;
}
