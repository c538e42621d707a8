/*
 * arguments: owns how what a caller gave finds its parameters, as for functions that are written in
 * Python. Must not know what any of it means.
 */
#define Py_LIMITED_API 0x030a0000
#include <Python.h>

#include "python/arguments.h"

static Py_ssize_t
count(const struct signature *signature)
{
    Py_ssize_t n = 0;

    while (n < ARGUMENTS_MAX && signature->names[n] != NULL)
        n++;
    return n;
}

static int
take_positions(const struct signature *signature, PyObject *args, Py_ssize_t n, PyObject *out[])
{
    Py_ssize_t n_args = PyTuple_Size(args);

    if (n_args > n) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %zd arguments (%zd given)",
                     signature->function, n, n_args);
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++)
        out[i] = i < n_args ? PyTuple_GetItem(args, i) : NULL;
    return 0;
}

static int
take_keyword(const struct signature *signature, PyObject *key, PyObject *value, Py_ssize_t n,
             PyObject *out[])
{
    for (Py_ssize_t i = 0; i < n; i++) {
        if (PyUnicode_CompareWithASCIIString(key, signature->names[i]) != 0)
            continue;
        if (out[i] != NULL) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%U'",
                         signature->function, key);
            return -1;
        }
        out[i] = value;
        return 0;
    }
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'",
                 signature->function, key);
    return -1;
}

int
arguments_take(const struct signature *signature, PyObject *args, PyObject *keywords,
               PyObject *out[])
{
    Py_ssize_t n = count(signature), at = 0;
    PyObject *key, *value;

    if (take_positions(signature, args, n, out) < 0)
        return -1;
    while (keywords != NULL && PyDict_Next(keywords, &at, &key, &value)) {
        if (take_keyword(signature, key, value, n, out) < 0)
            return -1;
    }
    for (size_t i = 0; i < signature->n_required; i++) {
        if (out[i] == NULL) {
            PyErr_Format(PyExc_TypeError, "%s() missing required argument: '%s'",
                         signature->function, signature->names[i]);
            return -1;
        }
    }
    return 0;
}
