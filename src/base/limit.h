/*
 * limit: how many times in a stretch of time, as a second, something may be said.
 */
#ifndef BASE_LIMIT_H
#define BASE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialised: nothing said yet. */
struct limit {
    uint64_t window_start_ms;
    uint32_t n_allowed;
    uint64_t n_suppressed; /* since the last call that was allowed */
};

/* True where fewer than max calls were allowed in the window that holds now_ms, of those that
 * follow each other from 0 on. When it is true, *out_suppressed is how many were not since the last
 * one that was. */
bool limit_allow(struct limit *limit, uint32_t max, uint64_t window_ms, uint64_t now_ms,
                 uint64_t *out_suppressed);

#endif
