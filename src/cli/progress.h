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

/* How long to wait, in nanoseconds, now that bytes more have gone out: after a burst that any
 * receive buffer holds, a pace that a server keeps up with. *due_s, 0 at the start, is when it may
 * go on, of the same clock as now_s. */
uint64_t progress_pace(double *due_s, uint64_t bytes, double now_s);

/* One line of at most columns bytes, without an end: a bar, per cent, lines, and how long it will
 * take. */
void progress_format(const struct progress *progress, unsigned columns, char *out, size_t size);

#endif
