/*
 * ready: owns the byte that says so. Must not know who waits for it.
 */
#include "base/ready.h"

#include <stdio.h>
#include <unistd.h>

void
ready_tell(int fd, bool detach)
{
    if (detach) {
        fflush(NULL);
        dup2(STDIN_FILENO, STDOUT_FILENO);
        dup2(STDIN_FILENO, STDERR_FILENO);
    }
    if (fd < 0)
        return;
    (void)!write(fd, "", 1); /* who waited may have gone */
    close(fd);
}
