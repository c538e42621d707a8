/*
 * pulse: whether a process gets on, by a word of its own that changes as long as it does. Pure: it
 * counts looks, not time, so that whoever looks can be stopped for long without finding fault.
 */
#ifndef MASTER_PULSE_H
#define MASTER_PULSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Between two looks. */
#define PULSE_MS 500
/* Looks in a row that find the word as it was: then the process is stalled. */
#define PULSE_PATIENCE 10

struct pulse {
    uint64_t beat;     /* as the last look found it */
    unsigned n_missed; /* looks since it was last found changed */
    uint64_t told;     /* beat when pulse_all_moved was last true */
};

/* A new process, whose word is beat before it has done anything. */
void pulse_begin(struct pulse *pulse, uint64_t beat);

/* One look. True where the process is stalled; then its patience begins anew. */
bool pulse_look(struct pulse *pulse, uint64_t beat);

/* Whether the looks have found each of n words changed since this was last so. */
bool pulse_all_moved(struct pulse *pulses, size_t n);

#endif
