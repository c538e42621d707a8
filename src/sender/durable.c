/*
 * durable: see durable.h. Knows nothing of what it writes.
 */
#include "sender/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fault.h"

static int
write_all(int fd, const struct iovec *part)
{
    const uint8_t *at = part->iov_base;
    size_t left = part->iov_len;

    while (left > 0) {
        ssize_t n = write(fd, at, left);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        at += n;
        left -= (size_t)n;
    }
    return 0;
}

/* Fills the new file and lets go of it. */
static int
fill(int fd, const struct durable *file, const struct iovec *parts, int n)
{
    int status = 0;

    fault_point(file->fault_points[DURABLE_WRITE]);
    for (int i = 0; i < n && status == 0; i++)
        status = write_all(fd, &parts[i]);
    fault_point(file->fault_points[DURABLE_SYNC]);
    if (status == 0 && fdatasync(fd) != 0)
        status = -errno;
    close(fd);
    return status;
}

int
durable_put(const struct durable *file, const struct iovec *parts, int n)
{
    int fd, status;

    fault_point(file->fault_points[DURABLE_CREATE]);
    fd = openat(file->dir_fd, file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                0600);
    if (fd < 0)
        return -errno;
    status = fill(fd, file, parts, n);
    fault_point(file->fault_points[DURABLE_RENAME]);
    if (status == 0 && renameat(file->dir_fd, file->temporary, file->dir_fd, file->name) != 0)
        status = -errno;
    if (status != 0) {
        unlinkat(file->dir_fd, file->temporary, 0);
        return status;
    }
    fault_point(file->fault_points[DURABLE_SYNC_DIRECTORY]);
    return fsync(file->dir_fd) == 0 ? 0 : -errno;
}
