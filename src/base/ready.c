/*
 * ready: owns the byte that says so. Must not know who waits for it.
 */
#include "base/ready.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

void
ready_tell(int fd, bool detach)
{
    ssize_t n;

    if (detach) {
        fflush(NULL);
        dup2(STDIN_FILENO, STDOUT_FILENO);
        dup2(STDIN_FILENO, STDERR_FILENO);
    }
    if (fd < 0)
        return;
    do
        n = write(fd, "", 1);
    while (n < 0 && errno == EINTR);
    /* Who waited may have gone; who still does would wait for ever. */
    if (n < 0 && errno != EPIPE)
        fatal(EXIT_FAILURE, "cannot say that it is ready");
    close(fd);
}
