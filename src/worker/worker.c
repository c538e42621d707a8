/*
 * worker: the loop that brings datagrams to the table and closed intervals to the pipe. worker_run
 * shows the data's way.
 */
#include "worker/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "metric/flush.h"
#include "pipe/outlet.h"
#include "worker/ingest.h"
#include "worker/lines.h"
#include "worker/schedule.h"
#include "worker/selfstat.h"

/* How much of one thing is done before the others get their turn. */
#define BATCHES_PER_TURN 16
#define RECORDS_PER_TURN 2048
/* What SIGTERM leaves time for. */
#define DRAIN_MS       1000
#define FINAL_FLUSH_MS 5000

enum push { PUSH_DONE, PUSH_MORE, PUSH_BLOCKED };

struct worker {
    const struct worker_opts *opts;
    int signal_fd;
    bool stopping;
    struct ingest ingest;
    struct lines lines;
    struct table table;
    struct schedule schedule;
    struct selfstat stats;
    uint32_t drops_seen[WORKER_SOCKETS_MAX];

    bool flushing;
    enum push push; /* why the flush stopped where it did */
    uint64_t flush_started_ms;
    struct flush flush;
    struct selfstat_list own; /* the closed interval's own statistics, the first is numStats */
    size_t n_own_sent;
    struct outlet outlet;
};

static void
open_signals(struct worker *worker)
{
    static const int signals[] = {SIGTERM, SIGINT};

    worker->signal_fd = sig_open(signals, 2);
    if (worker->signal_fd < 0) {
        errno = -worker->signal_fd;
        fatal(EXIT_FAILURE, "cannot receive signals");
    }
}

static void
open_table(struct worker *worker)
{
    const struct worker_opts *opts = worker->opts;
    struct hash_key key;
    int error;

    if ((error = hash_key_draw(&key)) != 0 || (error = ingest_init(&worker->ingest)) != 0 ||
        (error = table_init(&worker->table, opts->memory_limit, opts->max_metrics, &key)) != 0) {
        errno = -error;
        fatal(EXIT_FAILURE, "cannot make the table of metrics");
    }
    lines_init(&worker->lines, &worker->table, &worker->stats, &opts->names);
}

/* Drops that a worker before this one has not told of cannot be told from those that it has; only
 * the first counts from the socket's beginning. */
static void
count_drops(struct worker *worker, bool tell)
{
    for (size_t i = 0; i < worker->opts->n_sockets; i++) {
        uint32_t drops = ingest_drops(worker->opts->sockets[i]);

        if (tell)
            worker->stats.udp_drops += drops - worker->drops_seen[i];
        worker->drops_seen[i] = drops;
    }
}

static void
init(struct worker *worker, const struct worker_opts *opts)
{
    worker->opts = opts;
    open_signals(worker);
    open_table(worker);
    outlet_init(&worker->outlet, opts->pipe_fd);
    schedule_init(&worker->schedule, opts->flush_ms, opts->flush_align, clock_mono_ms(),
                  clock_wall_ms());
    worker->stats.n_restarts = opts->n_restarts;
    if (opts->n_restarts > 0)
        count_drops(worker, false);
}

static void
release(struct worker *worker)
{
    table_release(&worker->table);
    ingest_release(&worker->ingest);
}

/* Reads one socket until it is empty or its turn is over. Returns whether it was empty. */
static bool
read_socket(struct worker *worker, int fd)
{
    for (int i = 0; i < BATCHES_PER_TURN; i++) {
        int n = ingest_read(&worker->ingest, fd);

        if (n <= 0)
            return true;
        lines_apply(&worker->lines, worker->ingest.datagrams, (size_t)n, clock_wall_ms());
        if (n < INGEST_BATCH)
            return true;
    }
    return false;
}

static bool
read_sockets(struct worker *worker)
{
    bool empty = true;

    for (size_t i = 0; i < worker->opts->n_sockets; i++) {
        if (!read_socket(worker, worker->opts->sockets[i]))
            empty = false;
    }
    return empty;
}

/* The counts of the closed interval become points; those of the next begin at 0. */
static void
take_stats(struct worker *worker)
{
    uint64_t n_restarts = worker->stats.n_restarts, flush_ms = worker->stats.flush_ms;

    count_drops(worker, true);
    selfstat_list_reset(&worker->own);
    selfstat_list_add(&worker->own, "numStats", NULL, 0);
    if (worker->opts->self_stats)
        selfstat_list_fill(&worker->own, &worker->stats, &worker->table);
    worker->stats = (struct selfstat){.n_restarts = n_restarts, .flush_ms = flush_ms};
    worker->n_own_sent = 0;
}

static void
begin_flush(struct worker *worker, const struct interval *interval)
{
    if (!table_close(&worker->table, interval))
        fatalx(EXIT_FAILURE, "two intervals were closed at once");
    take_stats(worker);
    flush_begin(&worker->flush, &worker->table, &worker->opts->dialect, worker->opts->expire_ms);
    outlet_begin(&worker->outlet, interval->end_ms);
    worker->flush_started_ms = clock_mono_ms();
    worker->flushing = true;
    worker->push = PUSH_MORE;
}

/* An interval is not closed before the flush of the one before it is done; it then is longer. */
static void
close_if_due(struct worker *worker)
{
    uint64_t mono_ms = clock_mono_ms(), wall_ms = clock_wall_ms();
    bool was_holding = worker->schedule.holding;
    struct interval interval;

    if (worker->flushing)
        return;
    if (!schedule_due(&worker->schedule, mono_ms, wall_ms)) {
        if (worker->schedule.holding && !was_holding)
            log_warnx("the clock was set back by more than half an interval: the open interval "
                      "goes on until it ends again");
        return;
    }
    worker->stats.overruns += schedule_close(&worker->schedule, mono_ms, wall_ms, &interval);
    begin_flush(worker, &interval);
}

static int
send_frame(struct worker *worker, uint16_t flags)
{
    int error = outlet_send(&worker->outlet, flags);

    if (error != 0 && error != -EAGAIN) {
        errno = -error;
        fatal(EXIT_FAILURE, "cannot write to the sender's pipe");
    }
    return error;
}

/* Puts a record into the frame at hand, which is sent first where it is full. */
static int
put_record(struct worker *worker, const struct record *record)
{
    if (record_encode(record, &worker->outlet.payload) == 0)
        return 0;
    if (send_frame(worker, 0) != 0)
        return -EAGAIN;
    return record_encode(record, &worker->outlet.payload);
}

static enum push
push_metrics(struct worker *worker)
{
    struct record record;

    for (int i = 0; i < RECORDS_PER_TURN; i++) {
        if (!flush_peek(&worker->flush, &record))
            return PUSH_DONE;
        if (put_record(worker, &record) != 0)
            return PUSH_BLOCKED;
        flush_advance(&worker->flush);
    }
    return PUSH_MORE;
}

static enum push
push_own(struct worker *worker)
{
    worker->own.items[0].value = (double)worker->flush.n_records;
    for (; worker->n_own_sent < worker->own.n; worker->n_own_sent++) {
        const struct selfstat_item *item = &worker->own.items[worker->n_own_sent];
        struct record record = {
            .source = RECORD_SELF,
            .name = item->name,
            .name_len = (uint16_t)strlen(item->name),
        };

        record_add(&record, STATISTIC_VALUE, 0, item->value);
        if (put_record(worker, &record) != 0)
            return PUSH_BLOCKED;
    }
    return send_frame(worker, FRAME_LAST) == 0 ? PUSH_DONE : PUSH_BLOCKED;
}

/* Brings the closed interval on its way, as far as the pipe takes it and its turn goes. */
static void
push_flush(struct worker *worker)
{
    if (!worker->flushing)
        return;
    worker->push = push_metrics(worker);
    if (worker->push == PUSH_DONE)
        worker->push = push_own(worker);
    if (worker->push == PUSH_DONE) {
        worker->flushing = false;
        worker->stats.flush_ms = clock_mono_ms() - worker->flush_started_ms;
    }
}

static void
read_signals(struct worker *worker)
{
    while (sig_next(worker->signal_fd) > 0)
        worker->stopping = true;
}

/* Sleeps until a datagram, a signal, room in the pipe or the end of the interval. A flush that only
 * gave others their turn goes on at once; one that waits for the pipe puts off the end. */
static void
wait_for_events(struct worker *worker)
{
    struct pollfd slots[WORKER_SOCKETS_MAX + 2];
    nfds_t n = 0;
    int timeout = clock_poll_timeout(clock_mono_ms(), worker->schedule.deadline_ms);

    for (; n < worker->opts->n_sockets; n++)
        slots[n] = (struct pollfd){.fd = worker->opts->sockets[n], .events = POLLIN};
    slots[n++] = (struct pollfd){.fd = worker->signal_fd, .events = POLLIN};
    if (worker->flushing && worker->push == PUSH_BLOCKED) {
        slots[n++] = (struct pollfd){.fd = worker->opts->pipe_fd, .events = POLLOUT};
        timeout = -1;
    } else if (worker->flushing) {
        timeout = 0;
    }
    if (poll(slots, n, timeout) < 0 && errno != EINTR)
        fatal(EXIT_FAILURE, "poll");
}

static void
worker_run(struct worker *worker)
{
    while (!worker->stopping) {
        wait_for_events(worker);
        read_signals(worker);
        read_sockets(worker);
        close_if_due(worker);
        push_flush(worker);
    }
}

/* Pushes until the flush is done. Returns whether it was before the deadline. */
static bool
finish_flush(struct worker *worker, uint64_t deadline_ms)
{
    struct pollfd slot = {.fd = worker->opts->pipe_fd, .events = POLLOUT};

    while (worker->flushing) {
        uint64_t now_ms = clock_mono_ms();

        if (now_ms >= deadline_ms)
            return false;
        push_flush(worker);
        if (worker->flushing && worker->push == PUSH_BLOCKED)
            poll(&slot, 1, clock_poll_timeout(now_ms, deadline_ms));
    }
    return true;
}

/* Asked to stop: what the kernel has queued still counts, and the open interval goes out under its
 * own timestamp. */
static void
finish(struct worker *worker)
{
    uint64_t drain_until_ms = clock_mono_ms() + DRAIN_MS;
    uint64_t flush_until_ms = clock_mono_ms() + FINAL_FLUSH_MS;
    struct interval last;

    while (!read_sockets(worker) && clock_mono_ms() < drain_until_ms)
        ;
    if (finish_flush(worker, flush_until_ms)) {
        last = worker->schedule.open;
        begin_flush(worker, &last);
    }
    if (!finish_flush(worker, flush_until_ms))
        log_warnx("the sender takes nothing: the last flush is incomplete");
}

int
worker_main(const struct worker_opts *opts)
{
    struct worker *worker = calloc(1, sizeof(*worker));

    if (worker == NULL)
        fatal(EXIT_FAILURE, "cannot start the worker");
    init(worker, opts);
    worker_run(worker);
    finish(worker);
    release(worker);
    free(worker);
    return 0;
}
