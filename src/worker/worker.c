/*
 * worker: the loop that closes the shards' intervals on time and brings them to the pipe.
 * worker_run shows the data's way, behind what shard_run reads.
 */
#include "worker/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/ready.h"
#include "base/sig.h"
#include "worker/push.h"
#include "worker/schedule.h"
#include "worker/shard.h"

/* What SIGTERM leaves time for. */
#define FINAL_MS 6000

struct worker {
    const struct worker_opts *opts;
    int signal_fd, done_fd;
    pid_t master;
    bool stopping;
    struct filter filter;
    uint8_t *patterns;    /* the filter's */
    struct shard *shards; /* opts->n_threads */
    struct schedule schedule;

    bool closing; /* the shards have been asked to close the interval */
    struct interval interval;
    struct push push; /* what they have closed */
};

static void
give_up(int error, const char *doing)
{
    errno = -error;
    fatal(EXIT_FAILURE, "%s", doing);
}

static void
open_descriptors(struct worker *worker)
{
    static const int signals[] = {SIGTERM, SIGINT};

    worker->signal_fd = sig_open(signals, 2);
    if (worker->signal_fd < 0)
        give_up(worker->signal_fd, "cannot receive signals");
    worker->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (worker->done_fd < 0)
        give_up(-errno, "cannot make an eventfd");
}

/* Sockets and memory are shared out evenly; names are not, since any thread may see them all. */
static void
start_shard(struct worker *worker, size_t i, const struct hash_key *key)
{
    const struct worker_opts *opts = worker->opts;
    struct shard_opts shard = {
        .n_sockets = opts->n_sockets / opts->n_threads,
        .table =
            {
                .memory_limit = opts->memory_limit / opts->n_threads,
                .max_metrics = opts->max_metrics,
                .timer_max_samples = opts->timer_max_samples,
                .set_exact_max = opts->set_exact_max,
                .filter = &worker->filter,
                .key = *key,
            },
        .names = opts->names,
        .count_old_drops = opts->n_restarts == 0,
    };
    int error;

    for (size_t j = 0; j < shard.n_sockets; j++)
        shard.sockets[j] = opts->sockets[i * shard.n_sockets + j];
    if ((error = shard_start(&worker->shards[i], &shard, worker->done_fd)) != 0)
        give_up(error, "cannot start an ingest thread");
}

static void
start_shards(struct worker *worker)
{
    struct table *tables[FLUSH_TABLES_MAX];
    struct hash_key key;
    int error;

    worker->shards = calloc(worker->opts->n_threads, sizeof(*worker->shards));
    if (worker->shards == NULL)
        give_up(-ENOMEM, "cannot start the ingest threads");
    if ((error = hash_key_draw(&key)) != 0)
        give_up(error, "cannot draw a key");
    for (size_t i = 0; i < worker->opts->n_threads; i++) {
        start_shard(worker, i, &key);
        tables[i] = &worker->shards[i].table;
    }
    error = flush_init(&worker->push.flush, tables, worker->opts->n_threads, &worker->opts->dialect,
                       &worker->opts->rules);
    if (error != 0)
        give_up(error, "cannot take memory for the flush");
}

static void
make_filter(struct worker *worker)
{
    size_t size = filter_storage_size(&worker->opts->filter);

    worker->patterns = malloc(size + 1);
    if (worker->patterns == NULL)
        give_up(-ENOMEM, "cannot take memory for DROP and ALLOW");
    if (filter_init(&worker->filter, &worker->opts->filter, worker->patterns, size) != 0)
        fatalx(EXIT_FAILURE, "DROP or ALLOW is no list of patterns");
}

static void
init(struct worker *worker, const struct worker_opts *opts)
{
    worker->opts = opts;
    worker->master = getppid();
    open_descriptors(worker);
    make_filter(worker);
    start_shards(worker);
    outlet_init(&worker->push.outlet, opts->pipe_fd);
    worker->push.self_stats = opts->self_stats;
    worker->push.n_restarts = opts->n_restarts;
    schedule_init(&worker->schedule, opts->flush_ms, opts->flush_align, clock_mono_ms(),
                  clock_wall_ms());
}

static void
release(struct worker *worker)
{
    flush_release(&worker->push.flush);
    for (size_t i = 0; i < worker->opts->n_threads; i++)
        shard_join(&worker->shards[i]);
    free(worker->shards);
    free(worker->patterns);
    close(worker->signal_fd);
    close(worker->done_fd);
}

static void
ask_shards(struct worker *worker, enum shard_request request)
{
    for (size_t i = 0; i < worker->opts->n_threads; i++)
        shard_ask(&worker->shards[i], request, &worker->interval);
    worker->closing = true;
}

static bool
shards_are_done(const struct worker *worker)
{
    for (size_t i = 0; i < worker->opts->n_threads; i++) {
        if (!shard_is_done(&worker->shards[i]))
            return false;
    }
    return true;
}

/* An interval is being closed or on its way. */
static bool
is_busy(const struct worker *worker)
{
    return worker->closing || worker->push.state != PUSH_DONE;
}

/* An interval is not closed before the flush of the one before it is done; it then is longer. */
static void
close_if_due(struct worker *worker)
{
    uint64_t mono_ms = clock_mono_ms(), wall_ms = clock_wall_ms();
    bool was_holding = worker->schedule.holding;

    if (is_busy(worker))
        return;
    if (!schedule_due(&worker->schedule, mono_ms, wall_ms)) {
        if (worker->schedule.holding && !was_holding)
            log_warnx("the clock was set back by more than half an interval: the open interval "
                      "goes on until it ends again");
        return;
    }
    worker->push.overruns = schedule_close(&worker->schedule, mono_ms, wall_ms, &worker->interval);
    ask_shards(worker, SHARD_CLOSE);
}

/* Once an interval, and only where names were refused. */
static void
log_culprit(const struct culprit *culprit)
{
    struct name worst = culprit_worst(culprit);

    if (culprit->n_refused > 0)
        log_warnx("%" PRIu64 " lines were refused for want of room (MAX_METRICS, MEMORY_LIMIT), "
                  "most of them under %.*s",
                  culprit->n_refused, (int)worst.len, worst.text);
}

/* What the shards have counted in the interval that they closed. */
static void
gather_stats(struct worker *worker)
{
    struct culprit culprit = {0};

    memset(&worker->push.stats, 0, sizeof(worker->push.stats));
    for (size_t i = 0; i < worker->opts->n_threads; i++) {
        selfstat_add(&worker->push.stats, &worker->shards[i].closed);
        culprit_merge(&culprit, &worker->shards[i].closed_culprit);
    }
    log_culprit(&culprit);
}

/* When all shards have closed the interval, its flush begins. */
static void
begin_if_closed(struct worker *worker)
{
    uint64_t rings;

    if (!worker->closing || !shards_are_done(worker))
        return;
    /* Emptied behind the check, a ring for the last of them is not mistaken for a later one. */
    (void)!read(worker->done_fd, &rings, sizeof(rings));
    gather_stats(worker);
    worker->closing = false;
    push_begin(&worker->push, clock_mono_ms());
}

static void
push_interval(struct worker *worker)
{
    int error = push_step(&worker->push, clock_mono_ms());

    if (error != 0)
        give_up(error, "cannot write to the sender's pipe");
}

/* Only the master may end an interval before its time: a worker that another asked to would flush
 * it under a timestamp that its successor uses once more, and carbon keeps the last. */
static void
read_signals(struct worker *worker)
{
    while (sig_next_from(worker->signal_fd, worker->master) > 0)
        worker->stopping = true;
}

/* Sleeps until a signal, the shards' answer, room in the pipe or deadline_ms. */
static void
wait_for_events(struct worker *worker, uint64_t deadline_ms)
{
    bool waits_for_pipe = worker->push.state == PUSH_BLOCKED;
    struct pollfd slots[] = {
        {.fd = worker->stopping ? -1 : worker->signal_fd, .events = POLLIN},
        {.fd = worker->closing ? worker->done_fd : -1, .events = POLLIN},
        {.fd = waits_for_pipe ? worker->opts->pipe_fd : -1, .events = POLLOUT},
    };
    int timeout = clock_poll_timeout(clock_mono_ms(), deadline_ms);

    if (worker->push.state == PUSH_MORE)
        timeout = 0;
    if (poll(slots, sizeof(slots) / sizeof(slots[0]), timeout) < 0 && errno != EINTR)
        fatal(EXIT_FAILURE, "poll");
}

/* While an interval is on its way, its end is what is waited for, not that of the next. */
static uint64_t
next_deadline(const struct worker *worker)
{
    return is_busy(worker) ? UINT64_MAX : worker->schedule.deadline_ms;
}

static void
worker_run(struct worker *worker)
{
    while (!worker->stopping) {
        wait_for_events(worker, next_deadline(worker));
        read_signals(worker);
        close_if_due(worker);
        begin_if_closed(worker);
        push_interval(worker);
    }
}

/* Goes on until what was asked for has been closed, flushed and written, at most until deadline_ms.
 * Returns whether it was. */
static bool
finish_flush(struct worker *worker, uint64_t deadline_ms)
{
    for (;;) {
        begin_if_closed(worker);
        push_interval(worker);
        if (!is_busy(worker))
            return true;
        if (clock_mono_ms() >= deadline_ms)
            return false;
        wait_for_events(worker, deadline_ms);
    }
}

/* Asked to stop: what the kernel has queued still counts, and the open interval goes out under its
 * own timestamp. */
static int
finish(struct worker *worker)
{
    uint64_t deadline_ms = clock_mono_ms() + FINAL_MS;

    if (finish_flush(worker, deadline_ms)) {
        worker->interval = worker->schedule.open;
        ask_shards(worker, SHARD_STOP);
        if (finish_flush(worker, deadline_ms))
            return 0;
    }
    log_warnx("the sender takes nothing: the last flush is incomplete");
    return -1;
}

int
worker_main(const struct worker_opts *opts)
{
    struct worker *worker = calloc(1, sizeof(*worker));

    if (worker == NULL)
        fatal(EXIT_FAILURE, "cannot start the worker");
    init(worker, opts);
    ready_tell(opts->ready_fd, opts->detach);
    worker_run(worker);
    /* Shards that could not be asked to stop end with the process; until then they use all this. */
    if (finish(worker) == 0) {
        release(worker);
        free(worker);
    }
    return 0;
}
