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
#include "base/fault.h"
#include "base/log.h"
#include "base/ready.h"
#include "base/sig.h"
#include "worker/inherit.h"
#include "worker/push.h"
#include "worker/schedule.h"
#include "worker/shard.h"
#include "worker/store.h"

/* What SIGTERM leaves time for. */
#define FINAL_MS 6000
/* The main thread looks after the others so often. */
#define LOOK_MS 250

struct worker {
    const struct worker_opts *opts;
    int signal_fd, done_fd;
    pid_t master;
    bool stopping;
    struct filter filter;
    uint8_t *patterns; /* the filter's */
    struct store_map map;
    struct store *store;  /* the map's */
    struct shard *shards; /* opts->n_threads */
    struct schedule schedule;
    uint64_t *beats; /* of the shards, when all had beaten last */

    bool halting; /* the shards have been asked to halt, and the interval stays open */
    struct push push;
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
take_over(struct worker *worker)
{
    const struct worker_opts *opts = worker->opts;
    struct inherit_opts inherit_opts = {
        .worker = opts,
        .filter = &worker->filter,
        .done_fd = worker->done_fd,
        .wall_ms = clock_wall_ms(),
    };
    int error;

    worker->shards = calloc(opts->n_threads, sizeof(*worker->shards));
    worker->beats = calloc(opts->n_threads, sizeof(*worker->beats));
    if (worker->shards == NULL || worker->beats == NULL)
        give_up(-ENOMEM, "cannot start the ingest threads");
    if ((error = inherit(&worker->map, worker->shards, &inherit_opts)) != 0)
        give_up(error, "cannot take memory for the metrics");
    worker->store = worker->map.store;
}

static void
init_push(struct worker *worker)
{
    const struct worker_opts *opts = worker->opts;
    struct flush_opts flush = {
        .n_tables = opts->n_threads,
        .dialect = &opts->dialect,
        .rules = &opts->rules,
        .max_samples = opts->timer_max_samples,
        .undo = &worker->store->undo,
    };
    int error;

    for (size_t i = 0; i < opts->n_threads; i++)
        flush.tables[i] = &store_region(&worker->map, i)->table;
    if ((error = flush_init(&worker->push.flush, &flush)) != 0)
        give_up(error, "cannot take memory for the flush");
    outlet_init(&worker->push.outlet, opts->pipe_fd);
    worker->push.board = opts->board;
    worker->push.self_stats = opts->self_stats;
    worker->push.n_restarts = opts->n_restarts;
}

/* How the open interval stands is the successor's to know, too. */
static void
keep_open_interval(struct worker *worker)
{
    struct store_state state = worker->store->state;

    state.open = worker->schedule.open;
    store_set(worker->store, &state);
}

/* What was open goes on; what is new begins where no timestamp was used. */
static void
init_schedule(struct worker *worker)
{
    const struct worker_opts *opts = worker->opts;
    const struct store_state *state = &worker->store->state;
    uint64_t mono_ms = clock_mono_ms(), wall_ms = clock_wall_ms();

    if (state->open.end_ms != 0) {
        schedule_resume(&worker->schedule, opts->flush_ms, opts->flush_align, &state->open, mono_ms,
                        wall_ms);
        return;
    }
    schedule_init(&worker->schedule, opts->flush_ms, opts->flush_align, mono_ms, wall_ms);
    schedule_keep_above(&worker->schedule, worker->map.floor_ms);
    keep_open_interval(worker);
}

/* A flush that was on its way is sent again, or what was made of it is cleared. */
static void begin_flush(struct worker *worker, bool is_open);

static void
resume_flush(struct worker *worker)
{
    if (worker->store->state.phase == STORE_SENDING)
        begin_flush(worker, false);
    else if (worker->store->state.phase == STORE_CLEARING)
        push_clear(&worker->push);
}

static void
init(struct worker *worker, const struct worker_opts *opts)
{
    worker->opts = opts;
    worker->master = getppid();
    open_descriptors(worker);
    make_filter(worker);
    take_over(worker);
    init_push(worker);
    init_schedule(worker);
    resume_flush(worker);
    for (size_t i = 0; i < opts->n_threads; i++) {
        int error = shard_start(&worker->shards[i]);

        if (error != 0)
            give_up(error, "cannot start an ingest thread");
    }
}

static void
release(struct worker *worker)
{
    flush_release(&worker->push.flush);
    for (size_t i = 0; i < worker->opts->n_threads; i++)
        shard_join(&worker->shards[i]);
    store_close(&worker->map);
    free(worker->shards);
    free(worker->beats);
    free(worker->patterns);
    close(worker->signal_fd);
    close(worker->done_fd);
}

static void
ask_shards(struct worker *worker, enum shard_request request)
{
    for (size_t i = 0; i < worker->opts->n_threads; i++)
        shard_ask(&worker->shards[i], request);
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
    return worker->store->state.phase != STORE_COLLECTING || worker->halting ||
           worker->push.state != PUSH_DONE;
}

static void
close_interval(struct worker *worker, const struct interval *interval, uint64_t overruns,
               enum shard_request request)
{
    struct store_state state = worker->store->state;

    state.phase = STORE_CLOSING;
    state.closed = *interval;
    state.overruns = overruns;
    state.open = worker->schedule.open;
    store_set(worker->store, &state);
    fault_point("worker_closing");
    ask_shards(worker, request);
}

/* An interval is not closed before the flush of the one before it is done; it then is longer. */
static void
close_if_due(struct worker *worker)
{
    uint64_t mono_ms = clock_mono_ms(), wall_ms = clock_wall_ms(), overruns;
    bool was_holding = worker->schedule.holding;
    struct interval interval;

    if (is_busy(worker) || mono_ms < worker->schedule.deadline_ms)
        return;
    if (schedule_due(&worker->schedule, mono_ms, wall_ms)) {
        overruns = schedule_close(&worker->schedule, mono_ms, wall_ms, &interval);
        close_interval(worker, &interval, overruns, SHARD_CLOSE);
        return;
    }
    keep_open_interval(worker);
    if (!was_holding)
        log_warnx("the clock was set back by more than half an interval: the open interval goes on "
                  "until it ends again");
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

static void
gather_culprits(const struct worker *worker)
{
    struct culprit culprit = {0};

    for (size_t i = 0; i < worker->opts->n_threads; i++)
        culprit_merge(&culprit, &worker->shards[i].closed_culprit);
    log_culprit(&culprit);
}

/* Sends what state says: the closed interval, or what there is of the open one. */
static void
begin_flush(struct worker *worker, bool is_open)
{
    const struct store_state *state = &worker->store->state;
    struct push_job job = {
        .flush_id = (uint64_t)worker->store->epoch << 32 | state->flush,
        .interval = is_open ? state->open : state->closed,
        .is_open = is_open,
        .overruns = is_open ? 0 : state->overruns,
    };

    for (size_t i = 0; i < worker->opts->n_threads; i++) {
        const struct store_region *region = store_region(&worker->map, i);

        selfstat_add(&job.stats, is_open ? &region->stats : &region->closed);
    }
    push_begin(&worker->push, &job, clock_mono_ms());
}

/* When all shards have closed the interval, or have halted, its flush begins. */
static void
begin_if_closed(struct worker *worker)
{
    struct store_state state = worker->store->state;
    uint64_t rings;

    if ((state.phase != STORE_CLOSING && !worker->halting) || !shards_are_done(worker))
        return;
    /* Emptied behind the check, a ring for the last of them is not mistaken for a later one. */
    (void)!read(worker->done_fd, &rings, sizeof(rings));
    state.flush++;
    if (!worker->halting) {
        state.phase = STORE_SENDING;
        state.number++;
    }
    store_set(worker->store, &state);
    fault_point("worker_closed");
    gather_culprits(worker);
    begin_flush(worker, worker->halting);
    worker->halting = false;
}

static void
note_phase(struct worker *worker, enum store_phase phase)
{
    struct store_state state = worker->store->state;

    state.phase = phase;
    store_set(worker->store, &state);
}

static void
push_interval(struct worker *worker)
{
    int error = push_step(&worker->push, clock_mono_ms());

    if (error != 0)
        give_up(error, "cannot write to the sender's pipe");
    if (worker->push.state == PUSH_COMMITTED) {
        note_phase(worker, STORE_CLEARING);
        push_clear(&worker->push);
    }
    if (worker->push.state == PUSH_DONE && worker->store->state.phase == STORE_CLEARING)
        note_phase(worker, STORE_COLLECTING);
}

/* Only the master may end an interval before its time: a worker that another asked to would flush
 * it under a timestamp that its successor uses once more, and carbon keeps the last. */
static void
read_signals(struct worker *worker)
{
    while (sig_next_from(worker->signal_fd, worker->master) > 0)
        worker->stopping = true;
}

/* The process gets on while all of its threads do. */
static void
beat(struct worker *worker)
{
    for (size_t i = 0; i < worker->opts->n_threads; i++) {
        if (__atomic_load_n(&worker->shards[i].beat, __ATOMIC_RELAXED) == worker->beats[i])
            return;
    }
    for (size_t i = 0; i < worker->opts->n_threads; i++)
        worker->beats[i] = __atomic_load_n(&worker->shards[i].beat, __ATOMIC_RELAXED);
    board_count(&worker->opts->board->beats[BOARD_WORKER]);
}

/* Sleeps until a signal, an answer of the shards' or the sender's, room in the pipe, deadline_ms,
 * or the next look at the threads. */
static void
wait_for_events(struct worker *worker, uint64_t deadline_ms)
{
    enum push_state state = worker->push.state;
    bool waits_for_shards = worker->store->state.phase == STORE_CLOSING || worker->halting;
    struct pollfd slots[] = {
        {.fd = worker->stopping ? -1 : worker->signal_fd, .events = POLLIN},
        {.fd = waits_for_shards ? worker->done_fd : -1, .events = POLLIN},
        {.fd = state == PUSH_BLOCKED ? worker->opts->pipe_fd : -1, .events = POLLOUT},
        {.fd = state != PUSH_DONE ? worker->opts->ack_fd : -1, .events = POLLIN},
    };
    uint64_t now_ms = clock_mono_ms(), look_ms = now_ms + LOOK_MS, rings;
    int timeout = clock_poll_timeout(now_ms, deadline_ms < look_ms ? deadline_ms : look_ms);

    if (state == PUSH_SENDING || state == PUSH_CLEARING)
        timeout = 0;
    if (poll(slots, sizeof(slots) / sizeof(slots[0]), timeout) < 0 && errno != EINTR)
        fatal(EXIT_FAILURE, "poll");
    if (slots[3].revents != 0)
        (void)!read(worker->opts->ack_fd, &rings, sizeof(rings));
    beat(worker);
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

/* Goes on until what was begun has been closed, flushed, committed and cleared, at most until
 * deadline_ms. Returns whether it was. */
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

/* What has been received in all, for the sender's last line. */
static void
tell_ledger(const struct worker *worker)
{
    struct selfstat sum = {0};

    for (size_t i = 0; i < worker->opts->n_threads; i++) {
        selfstat_add(&sum, &store_region(&worker->map, i)->total);
        selfstat_add(&sum, &store_region(&worker->map, i)->stats);
    }
    worker->opts->board->ledger = (struct board_ledger){
        .lines = sum.lines,
        .applied = sum.verdicts[TABLE_APPLIED],
        .filtered = sum.verdicts[TABLE_FILTERED],
        .bad = selfstat_bad(&sum),
        .refused = selfstat_refused(&sum),
        .udp_drops = sum.udp_drops,
        .quarantined = sum.quarantined,
    };
}

/* Asked to stop: what the kernel has queued still counts, and the open interval goes out under its
 * own timestamp. Where a successor may go on with it, it stays open; else it is closed, and the
 * rest of its time is another one's. */
static int
finish(struct worker *worker)
{
    uint64_t deadline_ms = clock_mono_ms() + FINAL_MS;
    bool is_flushed;

    is_flushed = finish_flush(worker, deadline_ms);
    if (!is_flushed) {
        log_warnx("the sender takes nothing: the flush at hand is not done");
    } else if (worker->opts->keep_open) {
        worker->halting = true;
        ask_shards(worker, SHARD_HALT);
        is_flushed = finish_flush(worker, deadline_ms);
    } else {
        close_interval(worker, &worker->schedule.open, 0, SHARD_STOP);
        is_flushed = finish_flush(worker, deadline_ms);
    }
    tell_ledger(worker);
    if (!is_flushed)
        log_warnx("the last flush is incomplete%s",
                  worker->opts->keep_open ? "; the next start goes on with it" : "");
    return is_flushed ? 0 : -1;
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
