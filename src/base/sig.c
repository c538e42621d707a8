/*
 * sig: owns what happens to signals in a process. What a signal means is the caller's.
 */
#include "base/sig.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

int
sig_open(const int *signals, size_t n)
{
    sigset_t set;
    int fd;

    sigemptyset(&set);
    for (size_t i = 0; i < n; i++) {
        if (sigaddset(&set, signals[i]) != 0)
            return -errno;
    }
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    /* Last, so that a failure above leaves the mask as it was. It fails for a bad "how" only. */
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return fd;
}

int
sig_next(int fd)
{
    struct signalfd_siginfo info;
    ssize_t n = read(fd, &info, sizeof(info));

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    return n == (ssize_t)sizeof(info) ? (int)info.ssi_signo : -EIO;
}

void
sig_reset(const int *blocked, size_t n)
{
    sigset_t set;

    /* KILL, STOP and libc's own two refuse, which is what they should. */
    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL);
    sigemptyset(&set);
    for (size_t i = 0; i < n; i++)
        sigaddset(&set, blocked[i]);
    /* Last, so that nothing that was held back meets an old handler. */
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
}
