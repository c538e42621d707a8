/*
 * client: owns a client from pystatsd_client_new to pystatsd_client_free, and the samples that it
 * collects. Must not know how a sample is written.
 */
#include "client/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "client/clean.h"

#define RESOLVE_S     60
#define RANDOM_STEP   UINT64_C(0x9e3779b97f4a7c15)
#define PORT_MAX      65535
#define NS_A_MS       1000000
#define RANDOM_BITS   53 /* of a double */
#define RANDOM_UNUSED (64 - RANDOM_BITS)

const char *
pystatsd_version(void)
{
    return PYSTATSD_VERSION;
}

/* Coarse: the time of the last tick, which costs next to nothing. */
static uint64_t
clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NS_A_MS;
}

/* Parent and child are not to choose the same samples. */
static void
seed(struct pystatsd_client *client)
{
    uint64_t random = 0;

    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        random = (uint64_t)getpid() * RANDOM_STEP ^ (uint64_t)(uintptr_t)client ^ clock_ms();
    client->random = random;
}

bool
client_draw(struct pystatsd_client *client, double sample_rate)
{
    if (sample_rate >= 1)
        return true;
    /* splitmix64, which has no bad seeds. */
    uint64_t z = client->random += RANDOM_STEP;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (double)(z >> RANDOM_UNUSED) * 0x1p-53 < sample_rate;
}

/* What a datagram's failure means to what is in it: where it can never go it is lost. */
static int
flush(struct pystatsd_client *client)
{
    if (client->len == 0)
        return 0;
    int error = peer_send(&client->peer, client->text, client->len);
    if (error == 0 || error == -EMSGSIZE)
        client->len = 0;
    return error;
}

char *
client_line(struct pystatsd_client *client)
{
    return client->text + client->len + (client->len > 0);
}

static bool
is_due(const struct pystatsd_client *client)
{
    return client->len > 0 && client->buffer_ms > 0 &&
           clock_ms() - client->since_ms >= client->buffer_ms;
}

/* Behind the others, which it is known to fit behind. */
static void
append(struct pystatsd_client *client, size_t line_len)
{
    if (client->len > 0)
        client->text[client->len++] = '\n';
    else if (client->buffer_ms > 0)
        client->since_ms = clock_ms();
    client->len += line_len;
}

int
client_take(struct pystatsd_client *client, size_t line_len)
{
    char *line = client_line(client);

    if ((size_t)(line - client->text) + line_len > client->buffer_bytes) {
        int error = flush(client);
        if (client->len > 0)
            return error; /* there is no room */
        if (line_len > client->buffer_bytes)
            return peer_send(&client->peer, line, line_len);
        memmove(client->text, line, line_len);
    }
    append(client, line_len);
    if (is_due(client))
        flush(client); /* this sample is buffered all the same */
    return 0;
}

int
pystatsd_flush(struct pystatsd_client *client)
{
    if (client == NULL)
        return -EINVAL;
    pthread_mutex_lock(&client->mutex);
    int error = flush(client);
    pthread_mutex_unlock(&client->mutex);
    return error;
}

int
pystatsd_flush_due(struct pystatsd_client *client)
{
    if (client == NULL)
        return -EINVAL;
    pthread_mutex_lock(&client->mutex);
    int error = is_due(client) ? flush(client) : 0;
    pthread_mutex_unlock(&client->mutex);
    return error;
}

/* The parent sends what was buffered. */
static void
on_child(struct forks_member *member)
{
    struct pystatsd_client *client =
        (struct pystatsd_client *)((char *)member - offsetof(struct pystatsd_client, forks));

    client->len = 0;
    seed(client);
    peer_forked(&client->peer);
}

int
client_check_reserved(void *const reserved[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (reserved[i] != NULL)
            return -EINVAL;
    }
    return 0;
}

static int
check(const struct pystatsd_options *options)
{
    if (options->port > PORT_MAX || options->buffer_bytes > PYSTATSD_DATAGRAM_MAX)
        return -EINVAL;
    if (options->unix_path != NULL && options->unix_path[0] == '\0')
        return -EINVAL;
    return client_check_reserved(options->reserved,
                                 sizeof options->reserved / sizeof options->reserved[0]);
}

/* A clean copy with room for one byte more, or no copy of nothing. */
static int
copy_clean(const char *raw, size_t (*clean)(const char *, char *, size_t), char **out,
           size_t *out_len)
{
    size_t max = raw == NULL ? 0 : strlen(raw);

    if (max == 0)
        return 0;
    if ((*out = malloc(max + 1)) == NULL)
        return -ENOMEM;
    *out_len = clean(raw, *out, max);
    return *out_len > 0 ? 0 : -EINVAL;
}

static int
init_peer(struct peer *peer, const struct pystatsd_options *options)
{
    uint64_t resolve_s = options->resolve_s > 0 ? options->resolve_s : RESOLVE_S;

    if (options->unix_path != NULL)
        return peer_init_unix(peer, options->unix_path);
    return peer_init(peer, options->host != NULL ? options->host : "localhost",
                     options->port > 0 ? options->port : PYSTATSD_PORT, resolve_s * 1000);
}

static int
init(struct pystatsd_client *client, const struct pystatsd_options *options)
{
    int error = check(options);

    if (error == 0)
        error = copy_clean(options->prefix, clean_name, &client->prefix, &client->prefix_len);
    if (error == 0)
        error = copy_clean(options->tags, clean_tags, &client->tags, &client->tags_len);
    if (error == 0)
        error = init_peer(&client->peer, options);
    if (error != 0)
        return error;
    if (client->prefix_len > 0)
        client->prefix[client->prefix_len++] = '.';
    client->buffer_bytes = options->buffer_bytes;
    client->buffer_ms = options->buffer_ms;
    seed(client);
    return forks_join(&client->forks);
}

/* But for what only a client that is whole has. */
static void
release(struct pystatsd_client *client)
{
    peer_release(&client->peer);
    free(client->prefix);
    free(client->tags);
    pthread_mutex_destroy(&client->mutex);
    free(client);
}

int
pystatsd_client_new(const struct pystatsd_options *options, struct pystatsd_client **out)
{
    static const struct pystatsd_options defaults;
    struct pystatsd_client *client = calloc(1, sizeof *client);

    if (client == NULL)
        return -ENOMEM;
    client->peer.fd = -1;
    client->forks.mutex = &client->mutex;
    client->forks.on_child = on_child;
    pthread_mutex_init(&client->mutex, NULL);
    int error = init(client, options != NULL ? options : &defaults);
    if (error != 0) {
        release(client);
        return error;
    }
    *out = client;
    return 0;
}

void
pystatsd_client_free(struct pystatsd_client *client)
{
    if (client == NULL)
        return;
    forks_leave(&client->forks);
    flush(client);
    release(client);
}
