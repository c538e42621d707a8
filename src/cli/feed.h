/*
 * feed: `send`, lines of standard input as samples.
 */
#ifndef CLI_FEED_H
#define CLI_FEED_H

struct options;

/* Sends all of standard input and returns the exit status; lines that are no samples are left out,
 * and said at the end. */
int feed_command(const struct options *options);

#endif
