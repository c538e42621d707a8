/*
 * pulse: whether a process gets on, by a word of its own that changes as long as it does. Pure: it
 * counts looks, not time, so that whoever looks can be stopped for long without finding fault.
 */
#ifndef MASTER_PULSE_H
#define MASTER_PULSE_H

#include <stdbool.h>
#include <stdint.h>

/* Between two looks. */
#define PULSE_MS 500
/* Looks in a row that find the word as it was: then the process is stalled. */
#define PULSE_PATIENCE 10

struct pulse {
    uint64_t beat;     /* as the last look found it */
    unsigned n_missed; /* looks since it was last found changed */
};

/* A new process, whose word is beat before it has done anything. */
void pulse_begin(struct pulse *pulse, uint64_t beat);

/* One look. True where the process is stalled; then its patience begins anew. */
bool pulse_look(struct pulse *pulse, uint64_t beat);

#endif
