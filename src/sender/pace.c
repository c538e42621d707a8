/*
 * pace: see pace.h.
 */
#include "sender/pace.h"

#define TIMES 4
/* Until there were two flushes. */
#define INTERVAL_MS 10000

void
pace_init(struct pace *pace)
{
    *pace = (struct pace){.interval_ms = INTERVAL_MS};
}

void
pace_live(struct pace *pace, uint64_t n_lines, uint64_t now_ms)
{
    if (pace->live_ms != 0)
        pace->interval_ms = now_ms - pace->live_ms;
    pace->live_ms = now_ms;
    pace->live_lines = n_lines;
}

void
pace_sent(struct pace *pace, uint64_t n_lines, uint64_t now_ms)
{
    uint64_t share_ms = pace->interval_ms / TIMES;

    if (pace->due_ms < now_ms)
        pace->due_ms = now_ms;
    if (n_lines < pace->live_lines)
        share_ms = share_ms * n_lines / pace->live_lines;
    pace->due_ms += share_ms;
}
