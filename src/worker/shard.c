/*
 * shard: see shard.h. The request word is the only thing two threads write; all else changes hands
 * with it.
 */
#include "worker/shard.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "worker/quarantine.h"

/* How much is read before requests get their turn. */
#define BATCHES_PER_TURN 16
#define DRAIN_MS         1000

static enum shard_request
request_of(const struct shard *shard)
{
    return __atomic_load_n(&shard->request, __ATOMIC_ACQUIRE);
}

static void
ring(int fd)
{
    uint64_t one = 1;
    ssize_t n;

    do
        n = write(fd, &one, sizeof(one));
    while (n < 0 && errno == EINTR);
    /* Rung already, it may be full; else who waits for it would wait for ever. */
    if (n < 0 && errno != EAGAIN)
        fatal(EXIT_FAILURE, "cannot ring another thread");
}

static void
beat(struct shard *shard)
{
    __atomic_store_n(&shard->beat, shard->beat + 1, __ATOMIC_RELAXED);
}

/* What the sockets have dropped since it was counted last, by whatever process; of a socket that
 * nobody has seen, since it was opened or taken over. Noted. */
static void
count_drops(struct shard *shard)
{
    struct store_region *region = shard->region;

    undo_note(&region->undo, region->drops, sizeof(region->drops));
    for (size_t i = 0; i < shard->opts.n_sockets; i++) {
        struct store_drops *drops = &region->drops[i];
        uint64_t cookie = ingest_cookie(shard->opts.sockets[i]);
        uint32_t n = ingest_drops(shard->opts.sockets[i]);

        if (drops->cookie != cookie)
            *drops = (struct store_drops){.cookie = cookie, .seen = shard->opts.told_drops[i]};
        region->stats.udp_drops += n - (uint32_t)drops->seen;
        drops->seen = n;
    }
}

/* Deals with the n datagrams in hand. */
static void
apply_hand(struct shard *shard, int n)
{
    uint64_t now_ms = clock_wall_ms();

    lines_apply(&shard->lines, (size_t)n, now_ms);
    ingest_done(&shard->ingest);
    shard->seen_ms = now_ms;
}

static void
serve_call(struct shard *shard)
{
    const struct shard_call *call = __atomic_load_n(&shard->call, __ATOMIC_ACQUIRE);

    if (call == NULL)
        return;
    __atomic_store_n(&shard->call, NULL, __ATOMIC_RELAXED);
    call->run(shard, call->argument);
}

/* Reads one socket until it is empty or its turn is over. Returns whether it was empty. */
static bool
read_socket(struct shard *shard, int fd)
{
    for (int i = 0; i < BATCHES_PER_TURN; i++) {
        int n = ingest_read(&shard->ingest, fd);

        if (n <= 0)
            return true;
        apply_hand(shard, n);
        serve_call(shard);
        if (n < HAND_DATAGRAMS)
            return true;
    }
    return false;
}

static bool
read_sockets(struct shard *shard)
{
    bool empty = true;

    for (size_t i = 0; i < shard->opts.n_sockets; i++) {
        if (!read_socket(shard, shard->opts.sockets[i]))
            empty = false;
    }
    return empty;
}

/* Its statistics change hands with the interval, all at once. */
static void
close_interval(struct shard *shard)
{
    struct store_region *region = shard->region;
    struct undo *undo = &region->undo;

    table_close(&region->table);
    fault_point("worker_close");
    undo_note(undo, &region->stats, 3 * sizeof(region->stats));
    undo_note(undo, &region->stats_check, 3 * sizeof(region->stats_check));
    count_drops(shard);
    region->closed = region->stats;
    region->closed.memory_used = region->table.arena.used;
    region->closed_check = selfstat_check(&region->closed);
    selfstat_add(&region->total, &region->stats);
    region->total_check = selfstat_check(&region->total);
    region->stats = (struct selfstat){0};
    region->stats_check = 0;
    undo_commit(undo);
    shard->closed_culprit = shard->culprit;
    shard->culprit = (struct culprit){0};
}

/* What the interval that stays open has dropped, and what it takes, is known, too. */
static void
halt(struct shard *shard)
{
    struct store_region *region = shard->region;

    undo_note(&region->undo, &region->stats, sizeof(region->stats));
    undo_note(&region->undo, &region->stats_check, sizeof(region->stats_check));
    count_drops(shard);
    region->stats.memory_used = region->table.arena.used;
    region->stats_check = selfstat_check(&region->stats);
    undo_commit(&region->undo);
}

/* What the kernel has queued was received, and counts. */
static void
drain(struct shard *shard)
{
    uint64_t until_ms = clock_mono_ms() + DRAIN_MS;

    while (!read_sockets(shard) && clock_mono_ms() < until_ms)
        beat(shard);
}

/* Returns whether the thread goes on. */
static bool
serve_request(struct shard *shard)
{
    enum shard_request request = request_of(shard);

    serve_call(shard);
    if (request == SHARD_NOTHING)
        return true;
    if (request != SHARD_CLOSE)
        drain(shard);
    if (request == SHARD_HALT)
        halt(shard);
    else
        close_interval(shard);
    __atomic_store_n(&shard->request, SHARD_NOTHING, __ATOMIC_RELEASE);
    ring(shard->opts.done_fd);
    return request == SHARD_CLOSE;
}

static void *
shard_run(void *argument)
{
    struct shard *shard = argument;
    struct pollfd slots[STORE_SOCKETS_MAX + 1];
    uint64_t rings;
    nfds_t n = 0;

    for (; n < shard->opts.n_sockets; n++)
        slots[n] = (struct pollfd){.fd = shard->opts.sockets[n], .events = POLLIN};
    slots[n++] = (struct pollfd){.fd = shard->wake_fd, .events = POLLIN};
    do {
        (void)poll(slots, n, SHARD_BEAT_MS);
        /* Emptied before it is looked what it was rung for. */
        if (slots[n - 1].revents != 0)
            (void)!read(shard->wake_fd, &rings, sizeof(rings));
        fault_point("worker_turn");
        beat(shard);
        table_tidy(&shard->region->table);
        read_sockets(shard);
    } while (serve_request(shard));
    return NULL;
}

void
shard_init(struct shard *shard, const struct shard_opts *opts, struct store_region *region,
           uint64_t now_ms)
{
    char *slots = (char *)region + region->table.arena.reserved - HAND_SLOTS;
    int n;

    memset(shard, 0, sizeof(*shard));
    shard->opts = *opts;
    shard->region = region;
    shard->wake_fd = -1;
    ingest_init(&shard->ingest, &region->hand, slots);
    lines_init(&shard->lines, region, &shard->ingest, &shard->culprit, &opts->names);
    n = ingest_resume(&shard->ingest);
    lines_settle(&shard->lines, (size_t)n);
    quarantine_judge(region, &shard->ingest, n, opts->crashed, opts->quarantine_fd);
    lines_apply(&shard->lines, (size_t)n, now_ms);
    ingest_done(&shard->ingest);
}

void
shard_close_now(struct shard *shard)
{
    close_interval(shard);
}

int
shard_start(struct shard *shard)
{
    int error;

    shard->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (shard->wake_fd < 0)
        return -errno;
    error = -pthread_create(&shard->thread, NULL, shard_run, shard);
    if (error != 0)
        close(shard->wake_fd);
    return error;
}

void
shard_ask(struct shard *shard, enum shard_request request)
{
    __atomic_store_n(&shard->request, request, __ATOMIC_RELEASE);
    ring(shard->wake_fd);
}

void
shard_post(struct shard *shard, const struct shard_call *call)
{
    __atomic_store_n(&shard->call, call, __ATOMIC_RELEASE);
    ring(shard->wake_fd);
}

bool
shard_is_done(const struct shard *shard)
{
    return request_of(shard) == SHARD_NOTHING;
}

void
shard_join(struct shard *shard)
{
    pthread_join(shard->thread, NULL);
    close(shard->wake_fd);
}
