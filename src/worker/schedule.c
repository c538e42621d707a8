/*
 * schedule: see schedule.h. Pure.
 */
#include "worker/schedule.h"

#include <assert.h>

void
schedule_init(struct schedule *schedule, uint64_t interval_ms, bool align, uint64_t mono_ms,
              uint64_t wall_ms)
{
    uint64_t left_ms = align ? interval_ms - wall_ms % interval_ms : interval_ms;

    if (left_ms < interval_ms / 10)
        left_ms += interval_ms;
    *schedule = (struct schedule){
        .interval_ms = interval_ms,
        .open = {.end_ms = wall_ms + left_ms, .span_ms = left_ms},
        .deadline_ms = mono_ms + left_ms,
        .align = align,
    };
}

void
schedule_keep_above(struct schedule *schedule, uint64_t end_ms)
{
    uint64_t more_ms;

    if (schedule->open.end_ms > end_ms)
        return;
    more_ms = end_ms - schedule->open.end_ms + schedule->interval_ms;
    more_ms -= more_ms % schedule->interval_ms;
    schedule->open.end_ms += more_ms;
    schedule->open.span_ms += more_ms;
    schedule->deadline_ms += more_ms;
}

void
schedule_resume(struct schedule *schedule, uint64_t interval_ms, bool align,
                const struct interval *open, uint64_t mono_ms, uint64_t wall_ms)
{
    uint64_t left_ms = open->end_ms > wall_ms ? open->end_ms - wall_ms : 0;

    /* Farther away, the clock was set back: the interval is held when it is due. */
    if (left_ms > interval_ms * 2)
        left_ms = interval_ms * 2;
    *schedule = (struct schedule){
        .interval_ms = interval_ms,
        .open = *open,
        .deadline_ms = mono_ms + left_ms,
        .align = align,
        .resumed = left_ms == 0,
    };
}

/* Waits until the wall clock is where the open interval ends, one interval at most: meanwhile it
 * may have been set forward again. */
static void
hold(struct schedule *schedule, uint64_t mono_ms, uint64_t wall_ms)
{
    uint64_t interval_ms = schedule->interval_ms;
    uint64_t wait_ms = schedule->open.end_ms - wall_ms;
    uint64_t late_ms = mono_ms - schedule->deadline_ms;
    uint64_t moved_ms =
        wait_ms <= interval_ms ? late_ms + wait_ms : (late_ms / interval_ms + 1) * interval_ms;

    schedule->holding = true;
    schedule->open.span_ms += (moved_ms + interval_ms / 2) / interval_ms * interval_ms;
    schedule->deadline_ms += moved_ms;
}

bool
schedule_due(struct schedule *schedule, uint64_t mono_ms, uint64_t wall_ms)
{
    if (mono_ms < schedule->deadline_ms)
        return false;
    if (wall_ms + schedule->interval_ms / 2 < schedule->open.end_ms) {
        hold(schedule, mono_ms, wall_ms);
        return false;
    }
    return true;
}

uint64_t
schedule_close(struct schedule *schedule, uint64_t mono_ms, uint64_t wall_ms, struct interval *out)
{
    uint64_t interval_ms = schedule->interval_ms;
    uint64_t end_ms = schedule->open.end_ms;
    uint64_t overrun;

    assert(mono_ms >= schedule->deadline_ms);
    if (schedule->resumed) {
        *out = schedule->open;
        schedule_init(schedule, interval_ms, schedule->align, mono_ms, wall_ms);
        schedule_keep_above(schedule, out->end_ms);
        return 0;
    }
    overrun = (mono_ms - schedule->deadline_ms) / interval_ms;
    if (wall_ms > end_ms)
        end_ms += (wall_ms - end_ms) / interval_ms * interval_ms;
    out->end_ms = end_ms;
    out->span_ms = schedule->open.span_ms + overrun * interval_ms;
    schedule->open = (struct interval){.end_ms = end_ms + interval_ms, .span_ms = interval_ms};
    schedule->deadline_ms = mono_ms + (schedule->open.end_ms - wall_ms);
    schedule->holding = false;
    return overrun;
}
