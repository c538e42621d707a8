/*
 * arguments: what a Python function was called with, by position and by name.
 */
#ifndef PYTHON_ARGUMENTS_H
#define PYTHON_ARGUMENTS_H

#include <stddef.h>

#define ARGUMENTS_MAX 20

struct _object; /* a PyObject */

struct signature {
    const char *function; /* for complaints */
    size_t n_required;    /* the first of them */
    const char *names[ARGUMENTS_MAX];
};

/* Puts what args (a tuple) and keywords (a dict or NULL) hold into out, in the order of the
 * signature, NULL where it was not given; the references are borrowed. Returns 0, or -1 with a
 * TypeError set where something is missing, twice there or unknown. */
int arguments_take(const struct signature *signature, struct _object *args,
                   struct _object *keywords, struct _object *out[]);

#endif
