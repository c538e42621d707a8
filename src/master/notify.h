/*
 * notify: one datagram to the service manager, in the way of sd_notify(3), which would wait where
 * the manager does not read.
 */
#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H

/* Sends assignments, and a descriptor beside them unless that is -1. Returns 0, also where no
 * manager is there (no NOTIFY_SOCKET) or none listens any more, or -EAGAIN where it has no room
 * now. */
int notify_send(const char *text, int fd);

#endif
