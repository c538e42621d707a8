/*
 * durable: a file that is there whole, even after the power has gone, or not at all.
 */
#ifndef SENDER_DURABLE_H
#define SENDER_DURABLE_H

#include <sys/uio.h>

/* What is done, in this order. */
enum durable_step {
    DURABLE_CREATE,
    DURABLE_WRITE,
    DURABLE_SYNC,
    DURABLE_RENAME,
    DURABLE_SYNC_DIRECTORY,
    DURABLE_STEPS,
};

struct durable {
    int dir_fd; /* not of O_PATH: it is synced */
    const char *name;
    const char *temporary;                   /* in the same directory */
    const char *fault_points[DURABLE_STEPS]; /* one before each step */
};

/* Writes n parts under the temporary name, which must be free, syncs, renames to the name, whatever
 * has it, and syncs the directory. A link is never followed. Returns 0 or -errno: then the
 * temporary name is free again, and the name is only taken where the directory's sync failed. */
int durable_put(const struct durable *file, const struct iovec *parts, int n);

#endif
