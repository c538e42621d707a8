/*
 * progress: owns the arithmetic of a transfer. Knows no clock and no file. Pure.
 */
#include "cli/progress.h"

#include <string.h>

#include "cli/human.h"

/* Linux counts a datagram of 1,432 bytes as 2,304, and its default receive buffer is 212,992: 92
 * of them. A server that does nothing for 15 ms loses none of these, and reads many times as fast
 * on average. */
#define BYTES_PER_SECOND 7.0e6
#define BURST_BYTES      11456 /* 8 datagrams */
#define BAR_MAX          40

uint64_t
progress_pace(double *due_s, uint64_t bytes, double now_s)
{
    double earliest_s = now_s - BURST_BYTES / BYTES_PER_SECOND;

    if (*due_s < earliest_s)
        *due_s = earliest_s;
    *due_s += (double)bytes / BYTES_PER_SECOND;
    return *due_s > now_s ? (uint64_t)((*due_s - now_s) * 1e9) : 0;
}

void
progress_format(const struct progress *progress, unsigned columns, char *out, size_t size)
{
    double share = progress->total > 0 ? (double)progress->done / (double)progress->total : 1;
    double rate = progress->seconds > 0 ? (double)progress->n_lines / progress->seconds : 0;
    char lines[HUMAN_MAX], speed[HUMAN_MAX], left[HUMAN_MAX], numbers[160], bar[BAR_MAX + 1];
    size_t width, full;

    share = share > 1 ? 1 : share;
    human_count((double)progress->n_lines, lines);
    human_count(rate, speed);
    human_age(share > 0 ? progress->seconds / share * (1 - share) : -1, left);
    snprintf(numbers, sizeof(numbers), " %3.0f%%  %s lines, %s/s, %s left", share * 100, lines,
             speed, left);
    width = columns > strlen(numbers) + 2 ? columns - strlen(numbers) - 2 : 0;
    width = width > BAR_MAX ? BAR_MAX : width;
    full = (size_t)(share * (double)width + 0.5);
    memset(bar, '#', full);
    memset(bar + full, '-', width - full);
    bar[width] = '\0';
    if (size > columns + 1)
        size = columns + 1;
    if (width > 0)
        snprintf(out, size, "[%s]%s", bar, numbers);
    else
        snprintf(out, size, "%s", numbers);
}
