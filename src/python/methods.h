/*
 * methods: py-statsd's ways to say what happened. As there, each of them ends in self.send(), so
 * that a class that overrides it sees all. They take a self, a tuple and a dict or NULL, and return
 * None, or NULL with an exception set.
 */
#ifndef PYTHON_METHODS_H
#define PYTHON_METHODS_H

struct _object; /* a PyObject */

/* timing(stat, time, sample_rate=1) */
struct _object *methods_timing(struct _object *self, struct _object *args,
                               struct _object *keywords);

/* timing_since(stat, start, sample_rate=1), in microseconds */
struct _object *methods_timing_since(struct _object *self, struct _object *args,
                                     struct _object *keywords);

/* gauge(stat, value, sample_rate=1) */
struct _object *methods_gauge(struct _object *self, struct _object *args, struct _object *keywords);

/* increment(stats, sample_rate=1) */
struct _object *methods_increment(struct _object *self, struct _object *args,
                                  struct _object *keywords);

/* decrement(stats, sample_rate=1) */
struct _object *methods_decrement(struct _object *self, struct _object *args,
                                  struct _object *keywords);

/* update_stats(stats, delta, sample_rate=1) */
struct _object *methods_update_stats(struct _object *self, struct _object *args,
                                     struct _object *keywords);

#endif
