/*
 * udp: owns the system calls that make UDP sockets. Keeps no state, logs nothing.
 */
#include "base/udp.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

static int
fail_closed(int fd)
{
    int error = errno;

    close(fd);
    return -error;
}

/* As it says whether a socket of IPv6 takes IPv4 as well. */
static int
open_bound(const struct net_address *address, int v6_only, int share)
{
    int fd = socket(address->storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (address->storage.ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only)) != 0)
        return fail_closed(fd);
    if (share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &share, sizeof(share)) != 0)
        return fail_closed(fd);
    if (bind(fd, (const struct sockaddr *)&address->storage, address->len) != 0)
        return fail_closed(fd);
    return fd;
}

int
udp_open(const struct net_address *address)
{
    /* Else [::] would take 0.0.0.0 as well, and the second of the two could not be bound. */
    return open_bound(address, 1, 0);
}

int
udp_address(int fd, struct net_address *out)
{
    *out = (struct net_address){.len = sizeof(out->storage)};
    return getsockname(fd, (struct sockaddr *)&out->storage, &out->len) != 0 ? -errno : 0;
}

int
udp_twin(int fd)
{
    const int on = 1;
    struct net_address address;
    int error = udp_address(fd, &address), v6_only = 1;
    socklen_t len = sizeof(v6_only);

    if (error != 0)
        return error;
    if (address.storage.ss_family == AF_INET6 &&
        getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &len) != 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
        return -errno;
    return open_bound(&address, v6_only, on);
}

/* An int option of the socket's own level; -1 where there is none. */
static int
option(int fd, int name)
{
    int value;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

int
udp_adopt(int fd, struct net_address *out)
{
    int domain = option(fd, SO_DOMAIN), flags, error;

    if (option(fd, SO_TYPE) != SOCK_DGRAM || option(fd, SO_PROTOCOL) != IPPROTO_UDP ||
        (domain != AF_INET && domain != AF_INET6))
        return -EPROTOTYPE;
    if ((error = udp_address(fd, out)) != 0)
        return error;
    if (net_port(out) == 0)
        return -EPROTOTYPE;
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return -errno;
    return 0;
}
