/*
 * backoff: the arithmetic of the next wait. Knows neither clock nor random numbers.
 */
#include "base/backoff.h"

void
backoff_reset(struct backoff *backoff)
{
    backoff->next_ms = 0;
}

static uint32_t
jitter(uint32_t wait_ms, uint32_t chance)
{
    uint64_t tenth_ms = wait_ms / 10;
    uint64_t jittered_ms = wait_ms - tenth_ms + chance % (2 * tenth_ms + 1);

    return jittered_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)jittered_ms;
}

uint32_t
backoff_fail(struct backoff *backoff, uint32_t chance)
{
    uint32_t wait_ms = backoff->next_ms != 0 ? backoff->next_ms : backoff->first_ms;

    if (wait_ms > backoff->cap_ms)
        wait_ms = backoff->cap_ms;
    backoff->next_ms = wait_ms > backoff->cap_ms / 2 ? backoff->cap_ms : wait_ms * 2;
    return jitter(wait_ms, chance);
}
