/*
 * lookup: owns the questions to the resolver, and the thread of each that nobody waits for. Must
 * not know what the addresses are for.
 */
#include "client/lookup.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_TEXT_MAX 12

/* Shared by whoever asked and the thread; the last of them frees it. */
struct lookup {
    atomic_uint n_owners;
    atomic_bool is_done; /* the two below are set */
    int error;
    struct lookup_addresses found;
    unsigned port;
    char host[];
};

static int
error_of(int gai_error)
{
    switch (gai_error) {
    case 0: return 0;
    case EAI_AGAIN: return -EAGAIN;
    case EAI_MEMORY: return -ENOMEM;
    case EAI_SYSTEM: return errno > 0 ? -errno : -EHOSTUNREACH;
    default: return -EHOSTUNREACH;
    }
}

/* A family's addresses, in the resolver's order. */
static void
append(const struct addrinfo *list, int family, struct lookup_addresses *out)
{
    for (; list != NULL && out->n < LOOKUP_ADDRESSES_MAX; list = list->ai_next) {
        if (list->ai_family == family && list->ai_addrlen <= sizeof out->at[0]) {
            memcpy(&out->at[out->n], list->ai_addr, list->ai_addrlen);
            out->lens[out->n++] = list->ai_addrlen;
        }
    }
}

static int
ask(const char *host, unsigned port, int flags, struct lookup_addresses *out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = flags | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char service[PORT_TEXT_MAX];

    snprintf(service, sizeof service, "%u", port);
    int error = error_of(getaddrinfo(host, service, &hints, &list));
    if (error != 0)
        return error;
    out->n = 0;
    append(list, AF_INET, out);
    append(list, AF_INET6, out);
    freeaddrinfo(list);
    return out->n > 0 ? 0 : -EHOSTUNREACH;
}

bool
lookup_numeric(const char *host, unsigned port, struct lookup_addresses *out)
{
    return ask(host, port, AI_NUMERICHOST, out) == 0;
}

int
lookup_now(const char *host, unsigned port, struct lookup_addresses *out)
{
    return ask(host, port, 0, out);
}

static void
drop(struct lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->n_owners, 1) == 1)
        free(lookup);
}

static void *
run(void *argument)
{
    struct lookup *lookup = argument;

    lookup->error = lookup_now(lookup->host, lookup->port, &lookup->found);
    atomic_store(&lookup->is_done, true);
    drop(lookup);
    return NULL;
}

/* The thread is nobody's: the program's signals are not for it, and nobody joins it. */
static int
start_thread(struct lookup *lookup)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_t thread;

    int error = pthread_attr_init(&attributes);
    if (error != 0)
        return -error;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &attributes, run, lookup);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -error;
}

int
lookup_start(const char *host, unsigned port, struct lookup **out)
{
    size_t size = strlen(host) + 1;
    struct lookup *lookup = calloc(1, sizeof *lookup + size);

    if (lookup == NULL)
        return -ENOMEM;
    lookup->port = port;
    memcpy(lookup->host, host, size);
    atomic_init(&lookup->n_owners, 2);
    int error = start_thread(lookup);
    if (error != 0)
        free(lookup);
    else
        *out = lookup;
    return error;
}

bool
lookup_finish(struct lookup *lookup, struct lookup_addresses *out, int *out_error)
{
    if (!atomic_load(&lookup->is_done))
        return false;
    *out_error = lookup->error;
    if (lookup->error == 0)
        *out = lookup->found;
    drop(lookup);
    return true;
}

void
lookup_abandon(struct lookup *lookup)
{
    if (lookup != NULL)
        drop(lookup);
}

void
lookup_forget(struct lookup *lookup)
{
    free(lookup);
}
