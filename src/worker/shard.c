/*
 * shard: see shard.h. The request word is the only thing two threads write; all else changes hands
 * with it.
 */
#include "worker/shard.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

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

    /* It cannot fail but when it is rung already. */
    if (write(fd, &one, sizeof(one)) != sizeof(one))
        return;
}

static void
count_drops(struct shard *shard, bool tell)
{
    for (size_t i = 0; i < shard->opts.n_sockets; i++) {
        uint32_t drops = ingest_drops(shard->opts.sockets[i]);

        if (tell)
            shard->stats.udp_drops += drops - shard->drops_seen[i];
        shard->drops_seen[i] = drops;
    }
}

/* Reads one socket until it is empty or its turn is over. Returns whether it was empty. */
static bool
read_socket(struct shard *shard, int fd)
{
    for (int i = 0; i < BATCHES_PER_TURN; i++) {
        int n = ingest_read(&shard->ingest, fd);

        if (n <= 0)
            return true;
        lines_apply(&shard->lines, shard->ingest.datagrams, (size_t)n, clock_wall_ms());
        if (n < INGEST_BATCH)
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

static void
close_interval(struct shard *shard)
{
    count_drops(shard, true);
    table_close(&shard->table, &shard->interval);
    shard->closed = shard->stats;
    shard->closed.memory_used = shard->table.arena.used;
    shard->closed_culprit = shard->culprit;
    memset(&shard->stats, 0, sizeof(shard->stats));
    memset(&shard->culprit, 0, sizeof(shard->culprit));
}

/* What the kernel has queued was received, and counts. */
static void
drain(struct shard *shard)
{
    uint64_t until_ms = clock_mono_ms() + DRAIN_MS;

    while (!read_sockets(shard) && clock_mono_ms() < until_ms)
        ;
}

/* Returns whether the thread goes on. */
static bool
serve_request(struct shard *shard)
{
    enum shard_request request = request_of(shard);
    uint64_t rings;

    if (request == SHARD_NOTHING)
        return true;
    if (read(shard->wake_fd, &rings, sizeof(rings)) != sizeof(rings))
        return true; /* it is about to ring */
    if (request == SHARD_STOP)
        drain(shard);
    close_interval(shard);
    __atomic_store_n(&shard->request, SHARD_NOTHING, __ATOMIC_RELEASE);
    ring(shard->done_fd);
    return request != SHARD_STOP;
}

static void *
shard_run(void *argument)
{
    struct shard *shard = argument;
    struct pollfd slots[SHARD_SOCKETS_MAX + 1];
    nfds_t n = 0;

    for (; n < shard->opts.n_sockets; n++)
        slots[n] = (struct pollfd){.fd = shard->opts.sockets[n], .events = POLLIN};
    slots[n++] = (struct pollfd){.fd = shard->wake_fd, .events = POLLIN};
    do {
        (void)poll(slots, n, -1);
        table_tidy(&shard->table);
        read_sockets(shard);
    } while (serve_request(shard));
    return NULL;
}

static int
init(struct shard *shard, const struct shard_opts *opts, int done_fd)
{
    int error;

    memset(shard, 0, sizeof(*shard));
    shard->opts = *opts;
    shard->done_fd = done_fd;
    shard->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (shard->wake_fd < 0)
        return -errno;
    if ((error = ingest_init(&shard->ingest)) != 0 ||
        (error = table_init(&shard->table, &opts->table)) != 0)
        return error;
    lines_init(&shard->lines, &shard->table, &shard->stats, &shard->culprit, &opts->names);
    if (!opts->count_old_drops)
        count_drops(shard, false);
    return 0;
}

static void
release(struct shard *shard)
{
    if (shard->wake_fd >= 0)
        close(shard->wake_fd);
    table_release(&shard->table);
    ingest_release(&shard->ingest);
}

int
shard_start(struct shard *shard, const struct shard_opts *opts, int done_fd)
{
    int error = init(shard, opts, done_fd);

    if (error == 0)
        error = -pthread_create(&shard->thread, NULL, shard_run, shard);
    if (error != 0)
        release(shard);
    return error;
}

void
shard_ask(struct shard *shard, enum shard_request request, const struct interval *interval)
{
    shard->interval = *interval;
    __atomic_store_n(&shard->request, request, __ATOMIC_RELEASE);
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
    release(shard);
}
