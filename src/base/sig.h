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

/* What a new child starts with: every signal at its default, the n signals blocked, so that none of
 * them ends it before it has seen to them, and all others not. */
void sig_reset(const int *blocked, size_t n);

#endif
