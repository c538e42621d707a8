/*
 * progress: how far `send` is: the bar, and how fast it may go.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
    uint64_t done, total; /* bytes of the file */
    uint64_t n_lines;
    double seconds; /* since the start */
};

/* How long to wait, in nanoseconds, so that after seconds no more than bytes have gone out: a
 * burst that any receive buffer holds, and then a pace that a server keeps up with. */
uint64_t progress_ahead_ns(uint64_t bytes, double seconds);

/* One line of at most columns bytes, without an end: a bar, per cent, lines, and how long it will
 * take. */
void progress_format(const struct progress *progress, unsigned columns, char *out, size_t size);

#endif
