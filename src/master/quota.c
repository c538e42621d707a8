/*
 * quota: see quota.h. Owns what share of the memory is whose. Must not know what it is used for.
 */
#include "master/quota.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/net.h"

#define MOUNT "/sys/fs/cgroup"

/* Of a whole; an eighth remains for the processes themselves. */
#define TABLE_SHARE 2
/* Twice: a flush is put together beside those that wait. */
#define QUEUE_SHARE 8
/* For each socket the kernel takes twice what is asked for. */
#define SOCKET_SHARE 16
/* Those of one family, or of two. */
#define ADDRESSES 2

/* "max" is no number. */
static uint64_t
read_limit(const char *path)
{
    FILE *file = fopen(path, "re");
    uint64_t bytes;

    if (file == NULL)
        return UINT64_MAX;
    if (fscanf(file, "%" SCNu64, &bytes) != 1)
        bytes = UINT64_MAX;
    fclose(file);
    return bytes;
}

uint64_t
quota_of(const char *mount, const char *group)
{
    uint64_t least = UINT64_MAX;
    int len = (int)strlen(group);
    char path[PATH_MAX];

    for (;;) {
        uint64_t bytes;

        (void)snprintf(path, sizeof(path), "%s%.*s/memory.max", mount, len, group);
        bytes = read_limit(path);
        if (bytes < least)
            least = bytes;
        if (len == 0)
            return least;
        do
            len--;
        while (len > 0 && group[len] != '/');
    }
}

uint64_t
quota_own(void)
{
    static const char unified[] = "0::";
    FILE *file = fopen("/proc/self/cgroup", "re");
    uint64_t bytes = UINT64_MAX;
    char line[PATH_MAX];

    if (file == NULL)
        return bytes;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, unified, strlen(unified)) != 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        bytes = quota_of(MOUNT, line + strlen(unified));
    }
    fclose(file);
    return bytes;
}

static uint64_t
lower(uint64_t value, uint64_t most, bool *out_changed)
{
    if (value <= most)
        return value;
    *out_changed = true;
    return most;
}

/* How many addresses each thread may have a socket for: a name may have many, and is not asked
 * about here. */
static uint64_t
most_addresses(const char *host, size_t n_given)
{
    uint8_t address[sizeof(struct in6_addr)];

    if (n_given > NET_ADDRESSES_MAX)
        return NET_ADDRESSES_MAX;
    if (n_given > ADDRESSES)
        return n_given;
    if (n_given > 0 || host[0] == '\0' || inet_pton(AF_INET, host, address) == 1 ||
        inet_pton(AF_INET6, host, address) == 1)
        return ADDRESSES;
    return NET_ADDRESSES_MAX;
}

bool
quota_fit(struct config *config, size_t n_given, uint64_t bytes)
{
    struct worker_opts *worker = &config->worker;
    uint64_t n_addresses = most_addresses(config->master.listen_address, n_given);
    bool changed = false;

    worker->memory_limit = (size_t)lower(worker->memory_limit, bytes / TABLE_SHARE, &changed);
    config->sender.queue_memory =
        (size_t)lower(config->sender.queue_memory, bytes / QUEUE_SHARE, &changed);
    config->master.receive_buffer =
        lower(config->master.receive_buffer,
              bytes / SOCKET_SHARE / (worker->n_threads * n_addresses), &changed);
    return changed;
}
