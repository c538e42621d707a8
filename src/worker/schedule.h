/*
 * schedule: when an interval ends and what its timestamp is. Deadlines are on the monotonic clock,
 * timestamps come from the wall clock; both are arguments, so a day can pass in a test.
 *
 * A timestamp is the end of its interval and grows with every one. Where the wall clock was set
 * back over half an interval, the open one goes on until the clock has reached its end again; where
 * it was set forward, slots are left out.
 */
#ifndef WORKER_SCHEDULE_H
#define WORKER_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "metric/table.h"

struct schedule {
    uint64_t interval_ms;
    struct interval open; /* as it will be when nothing unusual happens */
    uint64_t deadline_ms; /* monotonic */
    bool holding;         /* the wall clock was set back */
};

/* Opens the first interval. Aligned, it ends at a multiple of interval_ms (of the wall clock) and
 * is shorter than the others, or, where that is less than a tenth of one, longer. */
void schedule_init(struct schedule *schedule, uint64_t interval_ms, bool align, uint64_t mono_ms,
                   uint64_t wall_ms);

/* Whether the open interval is to be closed. Where the wall clock was set back it is not, and the
 * deadline is moved. */
bool schedule_due(struct schedule *schedule, uint64_t mono_ms, uint64_t wall_ms);

/* Ends the open interval, which must be due, gives it and opens the next. Intervals that could not
 * be closed in time are part of it: its span is a multiple. Returns how many those are. */
uint64_t schedule_close(struct schedule *schedule, uint64_t mono_ms, uint64_t wall_ms,
                        struct interval *out);

#endif
