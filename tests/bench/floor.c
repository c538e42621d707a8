/*
 * floor: the least that any receiver of UDP pays. It asks the kernel for datagrams in batches, as
 * the daemon does and with the same receive buffer, and throws them away.
 *
 * First prints its port, on SIGTERM what it saw, both as JSON. Must not look into a datagram.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

#define BATCH        64
#define DATAGRAM_MAX 65536
#define RCVBUF       (16 << 20)
#define LOOK_UP_US   100000 /* a signal between the look at it and the wait costs no more */

static volatile sig_atomic_t stopping;

static void
on_stop(int number)
{
    (void)number;
    stopping = 1;
}

static int
open_socket(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {.tv_usec = LOOK_UP_US};
    socklen_t len = sizeof(address);
    int rcvbuf = RCVBUF;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        err(1, "socket");
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof(rcvbuf)) != 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf)) != 0)
        err(1, "SO_RCVBUF");
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0)
        err(1, "SO_RCVTIMEO");
    printf("{\"port\": %u}\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void
lay_out(struct mmsghdr headers[BATCH], struct iovec iov[BATCH])
{
    char *slots = mmap(NULL, (size_t)BATCH * DATAGRAM_MAX, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (slots == MAP_FAILED)
        err(1, "mmap");
    for (size_t i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){slots + i * DATAGRAM_MAX, DATAGRAM_MAX};
        headers[i].msg_hdr.msg_iov = &iov[i];
        headers[i].msg_hdr.msg_iovlen = 1;
    }
}

/* Reads until it is asked to stop and nothing is left in the queue. */
static void
receive(int fd, uint64_t *datagrams, uint64_t *bytes)
{
    static struct mmsghdr headers[BATCH];
    static struct iovec iov[BATCH];
    int n = 0;

    lay_out(headers, iov);
    while (!stopping || n > 0) {
        n = recvmmsg(fd, headers, BATCH, stopping ? MSG_DONTWAIT : MSG_WAITFORONE, NULL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            err(1, "recvmmsg");
        for (int i = 0; i < n; i++)
            *bytes += headers[i].msg_len;
        if (n > 0)
            *datagrams += (uint64_t)n;
    }
}

static double
seconds(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

int
main(void)
{
    struct sigaction action = {.sa_handler = on_stop};
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof(info);
    uint64_t datagrams = 0, bytes = 0;
    struct rusage usage;
    int fd;

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    fd = open_socket();
    receive(fd, &datagrams, &bytes);
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) != 0)
        err(1, "SO_MEMINFO");
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"datagrams\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"drops\": %" PRIu32
           ", \"rcvbuf\": %" PRIu32 ", \"user_seconds\": %.6f, \"system_seconds\": %.6f}\n",
           datagrams, bytes, info[SK_MEMINFO_DROPS], info[SK_MEMINFO_RCVBUF],
           seconds(&usage.ru_utime), seconds(&usage.ru_stime));
    return 0;
}
