/*
 * schedule: when an interval ends and what its timestamp is. Deadlines are on the monotonic clock,
 * timestamps come from the wall clock; both are arguments, so a day can pass in a test.
 *
 * A timestamp is the end of its interval and grows with every one. Where the wall clock was set
 * back over half an interval, the open one goes on until the clock has reached its end again; where
 * it was set forward, slots are left out, and counted.
 */
#ifndef WORKER_SCHEDULE_H
#define WORKER_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "metric/flush.h"

struct schedule {
    uint64_t interval_ms;
    struct interval open; /* as it will be when nothing unusual happens */
    uint64_t deadline_ms; /* monotonic */
    bool align;
    bool holding; /* the wall clock was set back */
    bool resumed; /* the open interval was another process's, and is closed as it was */
};

/* Opens the first interval. Aligned, it ends at a multiple of interval_ms (of the wall clock) and
 * is shorter than the others, or, where that is less than a tenth of one, longer. */
void schedule_init(struct schedule *schedule, uint64_t interval_ms, bool align, uint64_t mono_ms,
                   uint64_t wall_ms);

/* The same behind an interval that has been flushed: no timestamp is below that of the first, and
 * none is that of another flush. */
void schedule_keep_above(struct schedule *schedule, uint64_t end_ms);

/* Goes on with the interval that another process had open, in the place of schedule_init. Where its
 * end has passed it is due at once, and closed as it was; so it is at its end where is_other: it
 * was opened with other settings than these. */
void schedule_resume(struct schedule *schedule, uint64_t interval_ms, bool align,
                     const struct interval *open, bool is_other, uint64_t mono_ms,
                     uint64_t wall_ms);

/* Whether the open interval is to be closed. Where the wall clock was set back it is not, and the
 * deadline is moved. */
bool schedule_due(struct schedule *schedule, uint64_t mono_ms, uint64_t wall_ms);

/* Ends the open interval, which must be due, gives it and opens the next. Intervals that could not
 * be closed in time are part of it: its span is a multiple. Returns how many those are, or, where
 * they are more, how many slots are left out that it was not held for. */
uint64_t schedule_close(struct schedule *schedule, uint64_t mono_ms, uint64_t wall_ms,
                        struct interval *out);

#endif
