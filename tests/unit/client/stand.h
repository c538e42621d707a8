/*
 * stand: the other end of a client: sockets that receive, and a resolver that answers what the test
 * says, or nothing until it is let go.
 */
#ifndef CLIENT_STAND_H
#define CLIENT_STAND_H

#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STAND_PATIENCE_MS 10000
#define STAND_TEXT_MAX    4096
#define STAND_HOST        "metrics.example" /* the name whose answer is planned */

/* What the resolver says of STAND_HOST. */
static struct {
    const char *_Atomic addresses[12]; /* up to the first NULL */
    atomic_uint first_len;             /* of the first of them; 0: as it is */
    atomic_int error;
    atomic_bool hangs; /* in other threads than the test's, until stand_let_go is posted */
    sem_t let_go;
    atomic_uint n_asked;
    atomic_bool had_signals; /* one of the threads that asked would have taken SIGTERM */
    pthread_t tester;
} stand;

static inline void
stand_setup(void)
{
    memset(&stand, 0, sizeof stand);
    sem_init(&stand.let_go, 0, 0);
    stand.tester = pthread_self();
}

/* Threads that nobody joins end before the test does, with all that they hold. */
static inline void
stand_teardown(void)
{
    for (int i = 0; i < STAND_PATIENCE_MS; i++) {
        DIR *tasks = opendir("/proc/self/task");
        int n = 0;
        ck_assert_ptr_nonnull(tasks);
        while (readdir(tasks) != NULL)
            n++;
        closedir(tasks);
        if (n <= 3) /* ".", ".." and this one */
            return;
        sem_post(&stand.let_go);
        poll(NULL, 0, 1);
    }
    ck_abort_msg("a thread does not end");
}

static inline struct addrinfo *
stand_answer(const char *address, const char *service, struct addrinfo *next)
{
    struct {
        struct addrinfo info;
        struct sockaddr_storage storage;
    } *made = calloc(1, sizeof *made);
    struct sockaddr_in *in = (struct sockaddr_in *)&made->storage;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&made->storage;
    bool is_4 = inet_pton(AF_INET, address, &in->sin_addr) == 1;

    if (!is_4)
        ck_assert_int_eq(inet_pton(AF_INET6, address, &in6->sin6_addr), 1);
    made->storage.ss_family = is_4 ? AF_INET : AF_INET6;
    in->sin_port = htons((uint16_t)atoi(service)); /* at the same place in both */
    made->info.ai_family = made->storage.ss_family;
    made->info.ai_addr = (struct sockaddr *)&made->storage;
    made->info.ai_addrlen = is_4 ? sizeof *in : sizeof *in6;
    made->info.ai_next = next;
    return &made->info;
}

int
getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
            struct addrinfo **out)
{
    struct in6_addr binary;
    sigset_t blocked;
    size_t n = 0;

    *out = NULL;
    if (inet_pton(AF_INET, host, &binary) == 1 || inet_pton(AF_INET6, host, &binary) == 1) {
        *out = stand_answer(host, service, NULL);
        return 0;
    }
    if ((hints->ai_flags & AI_NUMERICHOST) != 0 || strcmp(host, STAND_HOST) != 0)
        return EAI_NONAME;
    atomic_fetch_add(&stand.n_asked, 1);
    if (!pthread_equal(pthread_self(), stand.tester)) {
        pthread_sigmask(SIG_BLOCK, NULL, &blocked);
        if (!sigismember(&blocked, SIGTERM))
            stand.had_signals = true;
        if (stand.hangs)
            sem_wait(&stand.let_go);
    }
    if (stand.error != 0)
        return stand.error;
    while (n < sizeof stand.addresses / sizeof stand.addresses[0] && stand.addresses[n] != NULL)
        n++;
    while (n > 0)
        *out = stand_answer(stand.addresses[--n], service, *out);
    if (*out != NULL && stand.first_len != 0)
        (*out)->ai_addrlen = stand.first_len;
    return 0;
}

void
freeaddrinfo(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}

/* A receiver at an address, on that port or (0) a free one, which it says. */
static inline int
stand_receiver(const char *address, unsigned *port)
{
    char service[16];
    snprintf(service, sizeof service, "%u", *port);
    struct addrinfo *list = stand_answer(address, service, NULL);
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    int fd = socket(list->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, list->ai_addr, list->ai_addrlen), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&bound, &len), 0);
    *port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
    freeaddrinfo(list);
    return fd;
}

/* One on a Unix socket; "@name": abstract. */
static inline int
stand_unix_receiver(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, path);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    return fd;
}

/* The next datagram, for which it waits. */
static inline const char *
stand_receive(int fd)
{
    static char text[STAND_TEXT_MAX];
    struct pollfd poller = {.fd = fd, .events = POLLIN};

    ck_assert_int_eq(poll(&poller, 1, STAND_PATIENCE_MS), 1);
    ssize_t len = recv(fd, text, sizeof text - 1, 0);
    ck_assert_int_ge(len, 0);
    text[len] = '\0';
    return text;
}

/* On this machine what was sent is there. */
static inline bool
stand_is_empty(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};

    return poll(&poller, 1, 0) == 0;
}

static inline bool
stand_has_ipv6(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;

    if (fd >= 0)
        close(fd);
    return has;
}

#endif
