/*
 * limit: counts within one second. Knows no clock; the caller brings the time.
 */
#include "base/limit.h"

bool
limit_allow(struct limit *limit, uint32_t per_second, uint64_t now_ms, uint64_t *out_suppressed)
{
    uint64_t window_start_ms = now_ms - now_ms % 1000;

    if (limit->window_start_ms != window_start_ms) {
        limit->window_start_ms = window_start_ms;
        limit->n_allowed = 0;
    }
    if (limit->n_allowed >= per_second) {
        limit->n_suppressed++;
        return false;
    }
    limit->n_allowed++;
    *out_suppressed = limit->n_suppressed;
    limit->n_suppressed = 0;
    return true;
}
