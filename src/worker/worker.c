/*
 * worker: the loop that closes the shards' intervals on time and brings them to the pipe.
 * worker_run shows the data's way, behind what shard_run reads.
 */
#include "worker/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_event.h"
#include "base/ready.h"
#include "base/sig.h"
#include "worker/admin.h"
#include "worker/cycle.h"

/* What SIGTERM leaves time for. */
#define FINAL_MS 6000
/* The main thread looks after the others so often. */
#define LOOK_MS 250
/* How long samples have their turn between two steps of a flush of the open interval. */
#define PARTIAL_MS 1

struct worker {
    const struct worker_opts *opts;
    int signal_fd, done_fd;
    pid_t master;
    bool stopping;
    bool ended; /* the shards have been asked to end */
    struct filter filter;
    uint8_t *patterns; /* the filter's */
    struct cycle cycle;
    struct desk desk;
    struct admin *admin; /* NULL: nobody can ask */
    uint64_t *beats;     /* of the shards, when all had beaten last */
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
init(struct worker *worker, const struct worker_opts *opts)
{
    int error;

    worker->opts = opts;
    worker->master = getppid();
    open_descriptors(worker);
    make_filter(worker);
    worker->beats = calloc(opts->n_threads, sizeof(*worker->beats));
    if (worker->beats == NULL)
        give_up(-ENOMEM, "cannot start the worker");
    if ((error = cycle_open(&worker->cycle, opts, &worker->filter, worker->done_fd)) != 0)
        give_up(error, "cannot go on with the metrics, or begin anew");
}

/* Only where somebody can ask is there a thread to answer. */
static void
start_admin(struct worker *worker)
{
    int error;

    if (worker->opts->admin_fd < 0 && worker->opts->console_fd < 0)
        return;
    worker->admin = calloc(1, sizeof(*worker->admin));
    if (worker->admin == NULL)
        give_up(-ENOMEM, "cannot start the worker");
    if ((error = desk_init(&worker->desk, worker->opts, &worker->cycle.hold)) != 0)
        give_up(error, "cannot make an eventfd");
    worker->cycle.desk = &worker->desk;
    desk_tell(&worker->desk, &worker->cycle.facts);
    if ((error = admin_start(worker->admin, &worker->desk)) != 0)
        give_up(error, "cannot start a thread for those who ask");
}

/* Before the shards end, which it looks at. */
static void
stop_admin(struct worker *worker)
{
    if (worker->admin == NULL)
        return;
    admin_stop(worker->admin);
    free(worker->admin);
    worker->admin = NULL;
    worker->cycle.desk = NULL;
    desk_release(&worker->desk);
}

static void
release(struct worker *worker)
{
    cycle_release(&worker->cycle);
    free(worker->beats);
    free(worker->patterns);
    close(worker->signal_fd);
    close(worker->done_fd);
}

static void
push_interval(struct worker *worker)
{
    int error = cycle_push(&worker->cycle);

    if (error != 0)
        give_up(error, "cannot write to the sender's pipe");
}

/* Only the master may end an interval before its time: a worker that another asked to would flush
 * it under a timestamp that its successor uses once more, and carbon keeps the last. Who has sent a
 * signal does not tell: the master's is lost where one of the same number is still pending. */
static void
read_signals(struct worker *worker)
{
    while (sig_next(worker->signal_fd) > 0)
        worker->stopping =
            board_get(&worker->opts->board->master.is_stopping) != 0 || getppid() != worker->master;
}

/* The process gets on while all of its threads do, those that have ended aside. */
static void
beat(struct worker *worker, bool shards_run)
{
    for (size_t i = 0; i < worker->opts->n_threads && shards_run; i++) {
        if (__atomic_load_n(&worker->cycle.shards[i].beat, __ATOMIC_RELAXED) == worker->beats[i])
            return;
    }
    for (size_t i = 0; i < worker->opts->n_threads; i++)
        worker->beats[i] = __atomic_load_n(&worker->cycle.shards[i].beat, __ATOMIC_RELAXED);
    board_count(&worker->opts->board->beats[BOARD_WORKER]);
}

/* Sleeps until a signal, an answer of the shards' or the sender's, room in the pipe, deadline_ms,
 * or the next look at the threads. */
static void
wait_for_events(struct worker *worker, uint64_t deadline_ms)
{
    enum push_state state = worker->cycle.push.state;
    bool waits_for_shards =
        worker->cycle.store->state.phase == STORE_CLOSING || worker->cycle.halting;
    struct pollfd slots[] = {
        {.fd = worker->stopping ? -1 : worker->signal_fd, .events = POLLIN},
        {.fd = waits_for_shards ? worker->done_fd : -1, .events = POLLIN},
        {.fd = state == PUSH_BLOCKED ? worker->opts->pipe_fd : -1, .events = POLLOUT},
        {.fd = state != PUSH_DONE ? worker->opts->ack_fd : -1, .events = POLLIN},
        {.fd = worker->admin != NULL ? worker->desk.main_fd : -1, .events = POLLIN},
    };
    uint64_t now_ms = clock_mono_ms(), look_ms = now_ms + LOOK_MS, rings;
    int timeout = clock_poll_timeout(now_ms, deadline_ms < look_ms ? deadline_ms : look_ms);

    if (state == PUSH_SENDING || state == PUSH_CLEARING)
        timeout = worker->cycle.part.is_sent && worker->cycle.part.is_busy ? PARTIAL_MS : 0;
    if (poll(slots, sizeof(slots) / sizeof(slots[0]), timeout) < 0 && errno != EINTR)
        fatal(EXIT_FAILURE, "poll");
    if (slots[3].revents != 0)
        (void)!read(worker->opts->ack_fd, &rings, sizeof(rings));
    if (slots[4].revents != 0)
        (void)!read(worker->desk.main_fd, &rings, sizeof(rings));
    beat(worker, waits_for_shards || !worker->ended);
}

/* While an interval is on its way, its end is what is waited for, not that of the next; a part of
 * one is not waited for. */
static uint64_t
next_deadline(const struct worker *worker)
{
    const struct cycle *cycle = &worker->cycle;
    uint64_t deadline_ms = cycle->schedule.deadline_ms, look_ms;

    if (cycle->part.wanted_ms != 0) {
        look_ms = clock_mono_ms() + PART_LOOK_MS;
        return look_ms < deadline_ms ? look_ms : deadline_ms;
    }
    return cycle_is_busy(cycle) && !cycle->part.is_sent ? UINT64_MAX : deadline_ms;
}

static void
worker_run(struct worker *worker)
{
    while (!worker->stopping) {
        wait_for_events(worker, next_deadline(worker));
        read_signals(worker);
        log_tick();
        cycle_close_if_due(&worker->cycle);
        cycle_begin_if_closed(&worker->cycle);
        push_interval(worker);
        if (worker->admin != NULL)
            desk_tell(&worker->desk, &worker->cycle.facts);
    }
}

/* Goes on until what was begun has been closed, flushed, committed and cleared, at most until
 * deadline_ms. Returns whether it was. */
static bool
finish_flush(struct worker *worker, uint64_t deadline_ms)
{
    for (;;) {
        cycle_begin_if_closed(&worker->cycle);
        push_interval(worker);
        if (!cycle_is_busy(&worker->cycle))
            return true;
        if (clock_mono_ms() >= deadline_ms)
            return false;
        wait_for_events(worker, deadline_ms);
    }
}

/* Asked to stop: what the kernel has queued still counts, and the open interval goes out under its
 * own timestamp. */
static void
finish(struct worker *worker)
{
    uint64_t deadline_ms = clock_mono_ms() + FINAL_MS;
    bool is_flushed = finish_flush(worker, deadline_ms);

    if (is_flushed) {
        stop_admin(worker);
        cycle_end(&worker->cycle);
        worker->ended = true;
        is_flushed = finish_flush(worker, deadline_ms);
    }
    cycle_tell_ledger(&worker->cycle, &worker->opts->board->ledger);
    if (!is_flushed)
        log_warnx("the sender takes nothing: the last flush is incomplete%s",
                  worker->opts->keep_open ? "; the next start goes on with it"
                                          : "; its rest is lost");
}

static bool
shards_have_ended(const struct worker *worker)
{
    for (size_t i = 0; i < worker->opts->n_threads; i++) {
        if (!worker->cycle.ending || !shard_is_done(&worker->cycle.shards[i]))
            return false;
    }
    return true;
}

int
worker_main(const struct worker_opts *opts)
{
    struct worker *worker = calloc(1, sizeof(*worker));

    if (worker == NULL)
        fatal(EXIT_FAILURE, "cannot start the worker");
    init(worker, opts);
    board_count(&opts->board->beats[BOARD_WORKER]);
    start_admin(worker);
    ready_tell(opts->ready_fd, opts->detach);
    worker_run(worker);
    finish(worker);
    /* Shards that could not be asked to stop end with the process; until then they use all this. */
    if (!shards_have_ended(worker))
        _exit(0);
    release(worker);
    free(worker);
    return 0;
}
