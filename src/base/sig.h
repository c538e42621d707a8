/*
 * sig: signals arrive as bytes of a descriptor, never as handlers.
 */
#ifndef BASE_SIG_H
#define BASE_SIG_H

#include <signal.h>
#include <stddef.h>

/* Blocks the n signals and returns a non-blocking signalfd(2) for them, or -errno. */
int sig_open(const int *signals, size_t n);

/* The next pending signal, 0 when there is none, or -errno. */
int sig_next(int fd);

/* Unblocks all signals and sets them to their default: what a new child starts with. */
void sig_reset(void);

#endif
