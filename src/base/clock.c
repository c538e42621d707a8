/*
 * clock: reads the two clocks. Whoever needs a false one takes the time as an argument instead.
 */
#include "base/clock.h"

#include <limits.h>
#include <time.h>

static uint64_t
read_us(clockid_t id)
{
    struct timespec now = {0};

    /* It cannot fail: both clocks exist on every Linux. */
    (void)clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t
clock_mono_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

uint64_t
clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

uint64_t
clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

int
clock_poll_timeout(uint64_t now_ms, uint64_t deadline_ms)
{
    if (deadline_ms == UINT64_MAX)
        return -1;
    if (deadline_ms <= now_ms)
        return 0;
    return deadline_ms - now_ms > INT_MAX ? INT_MAX : (int)(deadline_ms - now_ms);
}
