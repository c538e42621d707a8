/*
 * quota: how much memory the control group that the daemon was put into may have, and settings that
 * keep within. Without that, what grows by what others send would end by the kernel's hand, again
 * and again: memory that outlives a process is not freed by killing it.
 */
#ifndef MASTER_QUOTA_H
#define MASTER_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "master/config.h"

/* Bytes that a group below the mount point of version 2 ("/…", as in /proc/self/cgroup) and those
 * above it allow; UINT64_MAX: as much as there is. */
uint64_t quota_of(const char *mount, const char *group);

/* The same of this process's group. */
uint64_t quota_own(void);

/* Lowers MEMORY_LIMIT, QUEUE_MEMORY and RECEIVE_BUFFER so that all that the daemon takes stays
 * below that many bytes. n_given: sockets that a service manager has opened, 0 where the daemon
 * does. Returns whether one was higher. */
bool quota_fit(struct config *config, size_t n_given, uint64_t bytes);

#endif
