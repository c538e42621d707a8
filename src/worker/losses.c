/*
 * losses: see losses.h. Knows nothing of what becomes of the interval.
 */
#include "worker/losses.h"

#include <inttypes.h>
#include <sys/socket.h>
#include <syslog.h>

#include "base/log_event.h"
#include "worker/said.h"

/* The kernel says twice what was asked for. */
static int
receive_buffer(int fd)
{
    int size = 0;
    socklen_t len = sizeof(size);

    (void)getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &len);
    return size / 2;
}

static void
log_drops(const struct worker_opts *opts, uint64_t n_dropped)
{
    if (n_dropped > 0)
        log_event(&(struct log_event){.level = LOG_WARNING, .limit = said_limit(opts, SAID_DROPS)},
                  "the kernel dropped %" PRIu64
                  " datagrams in an interval: raise RECEIVE_BUFFER (now "
                  "%d bytes) and net.core.rmem_max",
                  n_dropped, receive_buffer(opts->sockets[0]));
}

void
losses_log(const struct worker_opts *opts, const struct shard *shards)
{
    struct culprit culprit = {0};
    uint64_t n_dropped = 0;

    for (size_t i = 0; i < opts->n_threads; i++) {
        culprit_merge(&culprit, &shards[i].closed_culprit);
        n_dropped += shards[i].region->closed.udp_drops;
    }
    log_drops(opts, n_dropped);
    culprit_log(&culprit, said_limit(opts, SAID_REFUSED));
}
