/*
 * limit: how many times a second something may be said.
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

/* True where fewer than per_second calls were allowed in the second that holds now_ms. When it is
 * true, *out_suppressed is how many were not since the last one that was. */
bool limit_allow(struct limit *limit, uint32_t per_second, uint64_t now_ms,
                 uint64_t *out_suppressed);

#endif
