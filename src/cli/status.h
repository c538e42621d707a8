/*
 * status: `status`, in its three forms.
 */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

struct options;

/* Asks, prints, and returns the exit status; with --check that of a monitoring plugin. */
int status_command(const struct options *options);

#endif
