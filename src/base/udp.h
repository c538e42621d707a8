/*
 * udp: bound UDP sockets, opened or taken over. All are non-blocking and close-on-exec.
 */
#ifndef BASE_UDP_H
#define BASE_UDP_H

#include "base/net.h"

/* A UDP socket bound to address, IPv6 only where that is its family. Returns it or -errno:
 * -EADDRINUSE where somebody has the address. */
int udp_open(const struct net_address *address);

/* One more beside a bound UDP socket, on the same address, which they share from now on, the kernel
 * spreading the peers over all of them. Returns it or -errno. */
int udp_twin(int fd);

/* What a socket is bound to. Returns 0, or -errno and nothing that is an address. */
int udp_address(int fd, struct net_address *out);

/* Makes a socket that another program opened like one of udp_open's, and gives what it is bound to.
 * Returns 0, or -errno: -EPROTOTYPE where it is no bound UDP socket of IPv4 or IPv6. */
int udp_adopt(int fd, struct net_address *out);

#endif
