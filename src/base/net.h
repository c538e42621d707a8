/*
 * net: addresses and sockets, without a word of what they carry. All sockets are non-blocking and
 * close-on-exec.
 */
#ifndef BASE_NET_H
#define BASE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define NET_ADDRESSES_MAX 16
/* "[v6]:port" and a NUL. */
#define NET_TEXT_MAX 64

struct net_address {
    socklen_t len;
    struct sockaddr_storage storage;
};

/* The addresses of host (a name or a literal; "" or NULL: every local address, for listening) and
 * port, for SOCK_DGRAM or SOCK_STREAM, at most NET_ADDRESSES_MAX. May ask the resolver and take
 * as long as it takes. Returns how many, or a negative EAI_ code for gai_strerror(3). */
int net_lookup(const char *host, uint16_t port, int socktype,
               struct net_address out[NET_ADDRESSES_MAX]);

/* Whether two addresses of IPv4 or IPv6 are the same, the port included. */
bool net_same(const struct net_address *a, const struct net_address *b);

/* The port of an address of IPv4 or IPv6; 0: none. */
uint16_t net_port(const struct net_address *address);

/* Asks for a receive buffer of size bytes, by force where privileged. Returns what the kernel
 * granted (it counts its own overhead in, so twice the request is usual), or -errno. */
long net_set_receive_buffer(int fd, size_t size);

/* A TCP socket whose connection to address is under way or there: poll for POLLOUT, then read
 * SO_ERROR. Returns it or -errno. */
int net_tcp_connect(const struct net_address *address);

/* SO_ERROR of fd, cleared by the call: 0 or an errno. */
int net_socket_error(int fd);

/* "192.0.2.1:2003" or "[2001:db8::1]:2003" with a NUL. */
void net_format(const struct net_address *address, char out[NET_TEXT_MAX]);

/* The same of a host's name or literal, cut to size bytes with the NUL. */
void net_format_host(const char *host, uint16_t port, char *out, size_t size);

#endif
