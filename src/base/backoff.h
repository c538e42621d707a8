/*
 * backoff: how long to wait before the next try. Doubles up to a cap, with 10 % of jitter either
 * way so that a fleet does not try in step. Pure: the caller brings time and chance.
 */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
    uint32_t first_ms, cap_ms;
    uint32_t next_ms; /* 0: the next failure waits first_ms */
};

/* Starts over, as after a success. */
void backoff_reset(struct backoff *backoff);

/* Milliseconds to wait after one more failure. chance is any random number. */
uint32_t backoff_fail(struct backoff *backoff, uint32_t chance);

#endif
