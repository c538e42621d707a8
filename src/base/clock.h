/*
 * clock: the two clocks. Schedules run on the monotonic one, timestamps come from the wall clock.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC. */
uint64_t clock_mono_ms(void);

/* Microseconds of the same. */
uint64_t clock_mono_us(void);

/* Milliseconds of CLOCK_REALTIME since 1970. */
uint64_t clock_wall_ms(void);

/* The timeout for poll(2) until deadline_ms: 0 when it has passed, -1 for UINT64_MAX (none). */
int clock_poll_timeout(uint64_t now_ms, uint64_t deadline_ms);

#endif
