/*
 * stopwatch: `time NAME COMMAND…`.
 */
#ifndef CLI_STOPWATCH_H
#define CLI_STOPWATCH_H

#include <stddef.h>

struct options;

/* Runs the command and sends how long it took. Returns the command's exit status, 128 and its
 * signal, or as a shell would 127 where there is no such command and 126 where it cannot be run;
 * these two send nothing. A sample that cannot be sent is one line on stderr. */
int stopwatch_command(const struct options *options);

/* Runs argv, NULL-terminated, to its end, and hands on what asks us to end. Returns the exit status
 * as above; *out_ms is how long it took, negative where it was not run. */
int stopwatch_run(char *const argv[], double *out_ms);

#endif
