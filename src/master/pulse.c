/*
 * pulse: owns what counts as no progress. Must not know what is done about it.
 */
#include "master/pulse.h"

void
pulse_begin(struct pulse *pulse, uint64_t beat)
{
    pulse->beat = beat;
    pulse->n_missed = 0;
}

bool
pulse_look(struct pulse *pulse, uint64_t beat)
{
    if (beat == pulse->beat && ++pulse->n_missed < PULSE_PATIENCE)
        return false;
    bool is_stalled = beat == pulse->beat;
    pulse_begin(pulse, beat);
    return is_stalled;
}

bool
pulse_all_moved(struct pulse *pulses, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (pulses[i].beat == pulses[i].told)
            return false;
    }
    for (size_t i = 0; i < n; i++)
        pulses[i].told = pulses[i].beat;
    return true;
}
