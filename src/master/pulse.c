/*
 * pulse: owns what counts as no progress. Must not know what is done about it.
 */
#include "master/pulse.h"

void
pulse_begin(struct pulse *pulse, uint64_t beat)
{
    *pulse = (struct pulse){.beat = beat};
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
