/*
 * calls: the system calls that a disk answers, put in the place of the real ones by the linker
 * (--wrap). The test says which of the calls to come fails, or is the process's last. Syncing is
 * left out: what it is for cannot be tried here, and the tests are many.
 */
#ifndef SENDER_CALLS_H
#define SENDER_CALLS_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

static struct {
    unsigned at;   /* which call from now on, from 1; 0: none */
    int error;     /* it fails with this; 0: the process is killed before it */
    bool for_ever; /* all calls behind it fail, too */
    unsigned n_syncs;
    void (*on_openat)(const char *name); /* called before */
} calls;

int __real_openat(int dir_fd, const char *name, int flags, ...);
int __wrap_openat(int dir_fd, const char *name, int flags, ...);
ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
ssize_t __real_pread(int fd, void *bytes, size_t len, off_t offset);
ssize_t __wrap_pread(int fd, void *bytes, size_t len, off_t offset);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int old_fd, const char *old_name, int new_fd, const char *new_name);
int __wrap_renameat(int old_fd, const char *old_name, int new_fd, const char *new_name);
int __real_unlinkat(int dir_fd, const char *name, int flags);
int __wrap_unlinkat(int dir_fd, const char *name, int flags);

/* Whether the call at hand fails. */
static bool
calls_strike(void)
{
    if (calls.at == 0 || (calls.at > 1 && calls.at--))
        return false;
    if (!calls.for_ever)
        calls.at = 0;
    if (calls.error == 0)
        raise(SIGKILL);
    errno = calls.error;
    return true;
}

int
__wrap_openat(int dir_fd, const char *name, int flags, ...)
{
    va_list rest;
    int mode;

    va_start(rest, flags);
    mode = (flags & O_CREAT) != 0 ? va_arg(rest, int) : 0;
    va_end(rest);
    if (calls.on_openat != NULL)
        calls.on_openat(name);
    return calls_strike() ? -1 : __real_openat(dir_fd, name, flags, mode);
}

/* It writes in two pieces, so that a file can be left half written. */
ssize_t
__wrap_write(int fd, const void *bytes, size_t len)
{
    return calls_strike() ? -1 : __real_write(fd, bytes, len > 1 ? len / 2 : len);
}

ssize_t
__wrap_pread(int fd, void *bytes, size_t len, off_t offset)
{
    return calls_strike() ? -1 : __real_pread(fd, bytes, len > 1 ? len / 2 : len, offset);
}

int
__wrap_fdatasync(int fd)
{
    calls.n_syncs++;
    return calls_strike() || fcntl(fd, F_GETFD) < 0 ? -1 : 0;
}

int
__wrap_fsync(int fd)
{
    return __wrap_fdatasync(fd);
}

int
__wrap_renameat(int old_fd, const char *old_name, int new_fd, const char *new_name)
{
    return calls_strike() ? -1 : __real_renameat(old_fd, old_name, new_fd, new_name);
}

int
__wrap_unlinkat(int dir_fd, const char *name, int flags)
{
    return calls_strike() ? -1 : __real_unlinkat(dir_fd, name, flags);
}

#endif
