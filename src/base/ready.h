/*
 * ready: how a child tells its parent that it serves.
 */
#ifndef BASE_READY_H
#define BASE_READY_H

#include <stdbool.h>

/* Writes one byte to fd and closes it; -1: nobody waits. With detach, stdout and stderr first
 * become what stdin is, so that no terminal is held any more. */
void ready_tell(int fd, bool detach);

#endif
