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
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/ready.h"
#include "base/resolved.h"
#include "pipe/inlet.h"
#include "sender/batch.h"
#include "sender/carbon.h"
#include "sender/queue.h"
#include "sender/trace.h"

/* How long what is left may take when the daemon stops. */
#define LAST_DELIVERY_MS 10000
/* How long an answer of the resolver may take; older addresses then have to do. */
#define RESOLVE_MS      12000
#define LAST_RESOLVE_MS 2000
#define RETRY_FIRST_MS  1000
#define RETRY_CAP_MS    30000
#define LAST_RETRY_MS   500
#define FRAMES_PER_TURN 1024

/* Between the intervals, for own statistics. */
struct counts {
    uint64_t lines_sent, failures, reconnects, dropped_seen;
};

struct sender {
    const struct sender_opts *opts;
    struct inlet inlet;
    struct batch *incoming; /* the flush whose frames are arriving, or NULL */
    struct queue queue;
    bool stopping; /* the pipe has ended */
    uint64_t stop_deadline_ms;

    struct carbon carbon;
    bool sending; /* the queue's first is on its way */
    bool resolving;
    uint64_t resolve_deadline_ms;
    struct resolved addresses; /* the last good answer */
    struct backoff backoff;
    uint64_t retry_ms; /* nothing is tried before */
    bool failing;      /* said so already */
    uint64_t last_success_ms;
    struct counts counts;
};

static void
init(struct sender *sender, const struct sender_opts *opts)
{
    sender->opts = opts;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    srandom((unsigned)clock_wall_ms() ^ (unsigned)getpid());
    inlet_init(&sender->inlet, opts->pipe_fd);
    queue_init(&sender->queue, opts->queue_memory);
    sender->backoff = (struct backoff){.first_ms = RETRY_FIRST_MS, .cap_ms = RETRY_CAP_MS};
    sender->last_success_ms = clock_mono_ms();
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

/* The sender's own statistics, of the time since the flush before. */
static void
add_own(struct sender *sender, struct batch *batch)
{
    struct counts *counts = &sender->counts;
    uint64_t age_ms = clock_mono_ms() - sender->last_success_ms;

    batch_add_own(batch, "lines_sent", (double)counts->lines_sent);
    batch_add_own(batch, "send_failures", (double)counts->failures);
    batch_add_own(batch, "reconnects", (double)counts->reconnects);
    batch_add_own(batch, "queue_lines", (double)sender->queue.n_lines);
    batch_add_own(batch, "queue_dropped", (double)(sender->queue.n_dropped - counts->dropped_seen));
    batch_add_own(batch, "last_success_age", (double)(age_ms / 1000));
    batch_add_own(batch, "restarts.sender", sender->opts->n_restarts);
    *counts = (struct counts){.dropped_seen = sender->queue.n_dropped};
}

/* The flush at hand is whole, or will never be: it becomes the newest batch of the queue. */
static void
finish_incoming(struct sender *sender)
{
    struct batch *batch = sender->incoming;

    sender->incoming = NULL;
    if (sender->opts->self_stats)
        add_own(sender, batch);
    batch_seal(batch);
    if (sender->opts->print_flushes)
        trace_batch(stdout, batch, &sender->opts->dialect);
    queue_push(&sender->queue, batch);
}

/* No flush takes more than half of the memory, so that one can arrive while one is on its way. */
static void
take_frame(struct sender *sender, const struct frame *frame)
{
    if (sender->incoming != NULL && sender->incoming->id != frame->header.flush_id) {
        log_warnx("the worker ended within a flush: what came of it is sent");
        finish_incoming(sender);
    }
    if (sender->incoming == NULL)
        sender->incoming = batch_new(frame->header.flush_id, sender->opts->queue_memory / 2);
    if (sender->incoming == NULL)
        fatal(EXIT_FAILURE, "no memory for a flush");
    if (batch_add(sender->incoming, frame->payload, frame->header.len) != 0)
        log_warnx("a frame from the worker holds what is no record");
    queue_make_room(&sender->queue, batch_size(sender->incoming), sender->sending);
    if ((frame->header.flags & FRAME_LAST) != 0)
        finish_incoming(sender);
}

static uint64_t
earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The worker is gone for good: what is left has its last chance. So has the resolver, which may
 * have been asked before. */
static void
begin_stop(struct sender *sender)
{
    uint64_t now_ms = clock_mono_ms();

    sender->stopping = true;
    sender->stop_deadline_ms = now_ms + LAST_DELIVERY_MS;
    sender->resolve_deadline_ms = earliest(sender->resolve_deadline_ms, now_ms + LAST_RESOLVE_MS);
    sender->retry_ms = 0;
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
        case INLET_BAD:
            log_warnx("a packet from the worker is no frame: %s",
                      frame_strerror(sender->inlet.last_error));
            break;
        case INLET_END: begin_stop(sender); break;
        }
    }
}

static void
delivered(struct sender *sender)
{
    uint64_t now_ms = clock_mono_ms();

    if (sender->failing)
        log_info("carbon %s takes flushes again, after %" PRIu64 " s", sender->opts->destination,
                 (now_ms - sender->last_success_ms) / 1000);
    sender->failing = false;
    sender->sending = false;
    sender->last_success_ms = now_ms;
    sender->counts.lines_sent += sender->queue.first->n_lines;
    backoff_reset(&sender->backoff);
    queue_pop(&sender->queue);
}

/* One warning when it begins; every further try is told at debug level. */
static void
failed(struct sender *sender, const char *why)
{
    uint32_t wait_ms = backoff_fail(&sender->backoff, (uint32_t)random());

    if (sender->stopping)
        wait_ms = LAST_RETRY_MS;
    if (!sender->failing)
        log_warnx("carbon %s does not take flushes: %s; keeping them and trying again",
                  sender->opts->destination, why);
    else
        log_debug("carbon %s: %s; %zu flushes wait, next try in %u ms", sender->opts->destination,
                  why, sender->queue.n_batches, wait_ms);
    sender->failing = true;
    sender->sending = false;
    sender->counts.failures++;
    sender->retry_ms = clock_mono_ms() + wait_ms;
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
    if (sender->failing)
        sender->counts.reconnects++;
    settle(sender, carbon_start(&sender->carbon, &sender->addresses, sender->queue.first,
                                &sender->opts->dialect, clock_mono_ms()));
}

/* Asks the master to have carbon's name resolved. A master that is gone cannot be asked. */
static void
ask_for_addresses(struct sender *sender)
{
    struct resolved stale;

    while (read(sender->opts->addresses_fd, &stale, sizeof(stale)) > 0)
        ;
    sender->resolving = true;
    sender->resolve_deadline_ms =
        clock_mono_ms() + (sender->stopping ? LAST_RESOLVE_MS : RESOLVE_MS);
    if (write(sender->opts->ask_fd, "", 1) != 1)
        sender->resolve_deadline_ms = 0;
}

/* Takes the resolver's answer, or after its time, or where it is none, the addresses of before. */
static void
read_addresses(struct sender *sender)
{
    struct resolved answer = {.n = EAI_AGAIN};
    ssize_t n = read(sender->opts->addresses_fd, &answer, sizeof(answer));

    if (n != sizeof(answer) && clock_mono_ms() < sender->resolve_deadline_ms)
        return;
    sender->resolving = false;
    if (n == sizeof(answer) && answer.n > 0 && answer.n <= NET_ADDRESSES_MAX)
        sender->addresses = answer;
    if (sender->addresses.n > 0)
        start_sending(sender);
    else
        failed(sender, gai_strerror(answer.n < 0 ? answer.n : EAI_AGAIN));
}

/* Brings the delivery on its way, as far as it goes now. */
static void
deliver(struct sender *sender)
{
    if (sender->sending)
        settle(sender, carbon_step(&sender->carbon, clock_mono_ms()));
    if (sender->resolving)
        read_addresses(sender);
    if (sender->sending || sender->resolving || sender->queue.first == NULL)
        return;
    if (!sender->opts->deliver)
        delivered(sender);
    else if (clock_mono_ms() >= sender->retry_ms)
        ask_for_addresses(sender);
}

/* When something is to be done even if nothing arrives. */
static uint64_t
next_deadline(const struct sender *sender)
{
    uint64_t deadline_ms = sender->stopping ? sender->stop_deadline_ms : UINT64_MAX;

    if (sender->sending)
        return earliest(deadline_ms, sender->carbon.deadline_ms);
    if (sender->resolving)
        return earliest(deadline_ms, sender->resolve_deadline_ms);
    if (sender->queue.first != NULL)
        return earliest(deadline_ms, sender->retry_ms);
    return deadline_ms;
}

static void
wait_for_events(struct sender *sender)
{
    enum { SLOT_PIPE, SLOT_ADDRESSES, SLOT_CARBON, N_SLOTS };
    struct pollfd slots[N_SLOTS] = {
        [SLOT_PIPE] = {.fd = sender->stopping ? -1 : sender->opts->pipe_fd, .events = POLLIN},
        [SLOT_ADDRESSES] = {.fd = sender->resolving ? sender->opts->addresses_fd : -1,
                            .events = POLLIN},
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
                  opts->destination, sender->queue.n_lines);
    release(sender);
    free(sender);
    return 0;
}
