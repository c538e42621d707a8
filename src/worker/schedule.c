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

/* Farther away than the next slot, the clock was set back: the interval is held when it is due. */
void
schedule_keep_above(struct schedule *schedule, uint64_t end_ms)
{
    uint64_t more_ms;

    if (schedule->open.end_ms > end_ms)
        return;
    more_ms = end_ms - schedule->open.end_ms + schedule->interval_ms;
    more_ms -= more_ms % schedule->interval_ms;
    schedule->open.end_ms += more_ms;
    if (more_ms > schedule->interval_ms)
        return;
    schedule->open.span_ms += more_ms;
    schedule->deadline_ms += more_ms;
}

void
schedule_resume(struct schedule *schedule, uint64_t interval_ms, bool align,
                const struct interval *open, bool is_other, uint64_t mono_ms, uint64_t wall_ms)
{
    uint64_t left_ms = open->end_ms > wall_ms ? open->end_ms - wall_ms : 0;

    /* Farther away, the clock was set back: the interval is held when it is due. How much of it has
     * passed is in its span. */
    if (!is_other && left_ms > interval_ms * 2)
        left_ms %= interval_ms;
    *schedule = (struct schedule){
        .interval_ms = interval_ms,
        .open = *open,
        .deadline_ms = mono_ms + left_ms,
        .align = align,
        .resumed = is_other || open->end_ms <= wall_ms,
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

/* Closes, as it was, an interval that ended while there was no process, and opens one that begins
 * now. */
static uint64_t
close_resumed(struct schedule *schedule, uint64_t mono_ms, uint64_t wall_ms, struct interval *out)
{
    uint64_t interval_ms = schedule->interval_ms;

    *out = schedule->open;
    schedule_init(schedule, interval_ms, schedule->align, mono_ms, wall_ms);
    schedule_keep_above(schedule, out->end_ms);
    return (schedule->open.end_ms - out->end_ms - 1) / interval_ms;
}

uint64_t
schedule_close(struct schedule *schedule, uint64_t mono_ms, uint64_t wall_ms, struct interval *out)
{
    uint64_t interval_ms = schedule->interval_ms;
    uint64_t end_ms = schedule->open.end_ms;
    uint64_t n_late, n_skipped = 0, n_held;

    assert(mono_ms >= schedule->deadline_ms);
    n_late = (mono_ms - schedule->deadline_ms) / interval_ms;
    if (schedule->resumed && n_late == 0)
        return close_resumed(schedule, mono_ms, wall_ms, out);
    if (wall_ms > end_ms)
        n_skipped = (wall_ms - end_ms) / interval_ms;
    n_held = schedule->holding ? (schedule->open.span_ms - 1) / interval_ms : 0;
    end_ms += n_skipped * interval_ms;
    out->end_ms = end_ms;
    out->span_ms = schedule->open.span_ms + n_late * interval_ms;
    schedule->open = (struct interval){.end_ms = end_ms + interval_ms, .span_ms = interval_ms};
    schedule->deadline_ms = mono_ms + (schedule->open.end_ms - wall_ms);
    schedule->holding = schedule->resumed = false;
    return n_late + n_held > n_skipped ? n_late : n_skipped - n_held;
}
