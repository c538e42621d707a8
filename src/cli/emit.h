/*
 * emit: the commands that send one sample, and the client that all that send make. Each command
 * returns the exit status.
 */
#ifndef CLI_EMIT_H
#define CLI_EMIT_H

struct options;
struct pystatsd_client;

/* A client as options say, which collects up to so many bytes. Returns 0, or -1 after one line on
 * stderr. */
int emit_open(const struct options *options, unsigned buffer_bytes, struct pystatsd_client **out);

/* One line on stderr for what a call of the client returned. */
void emit_complain(const struct options *options, int error);

/* increment NAME [N] and decrement NAME [N] */
int emit_count(const struct options *options);

/* timing NAME MS */
int emit_timing(const struct options *options);

/* gauge NAME VALUE */
int emit_gauge(const struct options *options);

/* set NAME MEMBER */
int emit_set(const struct options *options);

#endif
