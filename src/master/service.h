/*
 * service: what a service manager is told, and what it hands over. Without one (no NOTIFY_SOCKET,
 * no LISTEN_FDS) every call does nothing.
 * The sole user of libsystemd.
 */
#ifndef MASTER_SERVICE_H
#define MASTER_SERVICE_H

#include <stdint.h>

#define SERVICE_FDS_MAX 512
/* The number of a descriptor that the service manager has opened itself. */
#define SERVICE_OWN (-1)

/* A descriptor that is handed over. */
struct service_fd {
    int fd;
    int number; /* with which it was given to be kept, or SERVICE_OWN */
};

/* The daemon serves; also ends a reload. With one line of text for `systemctl status`, at most 255
 * bytes of it. */
void service_ready(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A reload begins. */
void service_reloading(void);

/* The daemon was asked to stop. With a line of text, too. */
void service_stopping(const char *status);

/* How long at most to be silent so that a service manager that watches never thinks the daemon
 * dead: half of the time it waits. 0: none watches. */
uint64_t service_watchdog_ms(void);

/* The daemon gets on. */
void service_alive(void);

/* The descriptors that the service manager hands over at start: its own, in the order of its unit,
 * and those that an earlier process of the service gave it to keep. To be called once, before
 * another descriptor is opened. Returns how many, or -errno: -E2BIG where there are too many. */
int service_take(struct service_fd out[SERVICE_FDS_MAX]);

/* Gives it a descriptor to keep beside ours, for the next process of the service, under a number
 * from 0 on that none of those that it keeps has. */
void service_keep(int fd, int number);

/* It is to close what it keeps under that number, which it does a little later. */
void service_drop(int number);

#endif
