/*
 * net: owns the system calls that make sockets and the ways addresses are written. Knows nothing
 * of protocols above TCP, keeps no state, logs nothing.
 */
#include "base/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool
same_v4(const struct net_address *a, const struct net_address *b)
{
    struct sockaddr_in x, y;

    memcpy(&x, &a->storage, sizeof(x));
    memcpy(&y, &b->storage, sizeof(y));
    return x.sin_port == y.sin_port && x.sin_addr.s_addr == y.sin_addr.s_addr;
}

static bool
same_v6(const struct net_address *a, const struct net_address *b)
{
    struct sockaddr_in6 x, y;

    memcpy(&x, &a->storage, sizeof(x));
    memcpy(&y, &b->storage, sizeof(y));
    return x.sin6_port == y.sin6_port && x.sin6_scope_id == y.sin6_scope_id &&
           memcmp(&x.sin6_addr, &y.sin6_addr, sizeof(x.sin6_addr)) == 0;
}

bool
net_same(const struct net_address *a, const struct net_address *b)
{
    if (a->storage.ss_family != b->storage.ss_family)
        return false;
    return a->storage.ss_family == AF_INET6 ? same_v6(a, b) : same_v4(a, b);
}

uint16_t
net_port(const struct net_address *address)
{
    struct sockaddr_in in;

    memcpy(&in, &address->storage, sizeof(in)); /* the port is at the same place in both families */
    return ntohs(in.sin_port);
}

static bool
is_known(const struct net_address *known, int n, const struct net_address *address)
{
    for (int i = 0; i < n; i++) {
        if (net_same(&known[i], address))
            return true;
    }
    return false;
}

/* A name may stand in several lines of /etc/hosts, and then its addresses come as often. */
static int
collect(const struct addrinfo *list, struct net_address out[NET_ADDRESSES_MAX])
{
    int n = 0;

    for (; list != NULL && n < NET_ADDRESSES_MAX; list = list->ai_next) {
        struct net_address address = {.len = list->ai_addrlen};

        if (address.len > sizeof(address.storage))
            continue;
        memcpy(&address.storage, list->ai_addr, address.len);
        if (!is_known(out, n, &address))
            out[n++] = address;
    }
    return n;
}

int
net_lookup(const char *host, uint16_t port, int socktype, struct net_address out[NET_ADDRESSES_MAX])
{
    bool any = host == NULL || host[0] == '\0';
    struct addrinfo *list = NULL;
    struct addrinfo hints = {
        .ai_flags = AI_NUMERICSERV | (any ? AI_PASSIVE : 0),
        .ai_family = AF_UNSPEC,
        .ai_socktype = socktype,
    };
    char service[8];
    int error, n;

    snprintf(service, sizeof(service), "%u", (unsigned)port);
    error = getaddrinfo(any ? NULL : host, service, &hints, &list);
    if (error != 0)
        return error;
    n = collect(list, out);
    freeaddrinfo(list);
    return n > 0 ? n : EAI_NONAME;
}

long
net_set_receive_buffer(int fd, size_t size)
{
    int wanted = size > INT_MAX / 2 ? INT_MAX / 2 : (int)size;
    int granted = 0;
    socklen_t len = sizeof(granted);

    /* By force, rmem_max is no bound; without the right to, as much as it allows. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof(wanted)) != 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof(wanted)) != 0)
        return -errno;
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &len) != 0)
        return -errno;
    return granted;
}

int
net_tcp_connect(const struct net_address *address)
{
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address->storage, address->len) != 0 &&
        errno != EINPROGRESS && errno != EINTR) {
        int error = errno;

        close(fd);
        return -error;
    }
    return fd;
}

int
net_socket_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 ? errno : error;
}

static void
format_v4(const struct net_address *address, char out[NET_TEXT_MAX])
{
    struct sockaddr_in in;
    char host[INET_ADDRSTRLEN] = "";

    memcpy(&in, &address->storage, sizeof(in));
    inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host));
    snprintf(out, NET_TEXT_MAX, "%s:%u", host, (unsigned)ntohs(in.sin_port));
}

static void
format_v6(const struct net_address *address, char out[NET_TEXT_MAX])
{
    struct sockaddr_in6 in6;
    char host[INET6_ADDRSTRLEN] = "";

    memcpy(&in6, &address->storage, sizeof(in6));
    inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof(host));
    snprintf(out, NET_TEXT_MAX, "[%s]:%u", host, (unsigned)ntohs(in6.sin6_port));
}

void
net_format(const struct net_address *address, char out[NET_TEXT_MAX])
{
    if (address->storage.ss_family == AF_INET)
        format_v4(address, out);
    else if (address->storage.ss_family == AF_INET6)
        format_v6(address, out);
    else
        snprintf(out, NET_TEXT_MAX, "unknown");
}

void
net_format_host(const char *host, uint16_t port, char *out, size_t size)
{
    bool is_v6 = strchr(host, ':') != NULL;

    snprintf(out, size, "%s%s%s:%u", is_v6 ? "[" : "", host, is_v6 ? "]" : "", (unsigned)port);
}
