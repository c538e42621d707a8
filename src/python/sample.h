/*
 * sample: a name and a value as a Client's send() takes them.
 */
#ifndef PYTHON_SAMPLE_H
#define PYTHON_SAMPLE_H

struct _object; /* a PyObject */
struct pystatsd_client;

/* What a dict, or whatever has items(), holds: a list of tuples of a name, behind the prefix, and a
 * value. As with py-statsd no prefix is anything that is not true, and behind one a name must be a
 * str. A new reference, or NULL with an exception set. */
struct _object *sample_list(struct _object *prefix, struct _object *data);

/* Chooses all of such a list, or nothing: by random.random(), as py-statsd does, so that its seed
 * counts. 1 or 0, or -1 with an exception set. */
int sample_draw(double sample_rate);

/* Sends one of them, or what str() makes of it. A value is "5|c", with more fields behind that if
 * need be: "5|c|#tag:1". 0 or -errno; an exception is set where str() has raised. */
int sample_send(struct pystatsd_client *client, struct _object *pair, double sample_rate);

/* What such an error says. */
const char *sample_error(int error);

#endif
