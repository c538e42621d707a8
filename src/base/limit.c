/*
 * limit: counts within one window. Knows no clock; the caller brings the time.
 */
#include "base/limit.h"

bool
limit_allow(struct limit *limit, uint32_t max, uint64_t window_ms, uint64_t now_ms,
            uint64_t *out_suppressed)
{
    uint64_t window_start_ms = now_ms - now_ms % window_ms;

    if (limit->window_start_ms != window_start_ms) {
        limit->window_start_ms = window_start_ms;
        limit->n_allowed = 0;
    }
    if (limit->n_allowed >= max) {
        limit->n_suppressed++;
        return false;
    }
    limit->n_allowed++;
    *out_suppressed = limit->n_suppressed;
    limit->n_suppressed = 0;
    return true;
}
