/*
 * top: `top`, a screen that is drawn anew every two seconds.
 */
#ifndef CLI_TOP_H
#define CLI_TOP_H

struct options;

/* Runs until q is pressed; where standard output is no terminal, or with --once, prints once.
 * Returns the exit status. */
int top_command(const struct options *options);

#endif
