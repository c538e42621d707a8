/*
 * methods: owns what Client's methods make of names and values, before self.send(). Must not know
 * how that sends.
 */
#define Py_LIMITED_API 0x030a0000
#include <Python.h>

#include "python/arguments.h"
#include "python/methods.h"

/* self.send(data, sample_rate); takes data, which may be NULL. */
static PyObject *
call_send(PyObject *self, PyObject *data, PyObject *sample_rate)
{
    PyObject *result = NULL;

    if (data != NULL && sample_rate != NULL)
        result = PyObject_CallMethod(self, "send", "OO", data, sample_rate);
    else if (data != NULL)
        result = PyObject_CallMethod(self, "send", "Oi", data, 1);
    Py_XDECREF(data);
    return result;
}

/* format % value, as Python writes it, of a tuple too. */
static PyObject *
write_value(const char *format, PyObject *value)
{
    PyObject *template = PyUnicode_FromString(format);
    PyObject *text = template != NULL ? PyUnicode_Format(template, value) : NULL;

    Py_XDECREF(template);
    return text;
}

static PyObject *
send_value(PyObject *self, PyObject *stat, const char *format, PyObject *value,
           PyObject *sample_rate)
{
    PyObject *text = write_value(format, value);

    return text != NULL ? call_send(self, Py_BuildValue("{ON}", stat, text), sample_rate) : NULL;
}

PyObject *
methods_timing(PyObject *self, PyObject *args, PyObject *keywords)
{
    static const struct signature signature = {"timing", 2, {"stat", "time", "sample_rate"}};
    PyObject *given[3];

    if (arguments_take(&signature, args, keywords, given) < 0)
        return NULL;
    return send_value(self, given[0], "%f|ms", given[1], given[2]);
}

/* What time.time() says. -1 with an exception set, and maybe without. */
static double
now_s(void)
{
    PyObject *module = PyImport_ImportModule("time"), *now = NULL;
    double seconds = -1;

    if (module != NULL)
        now = PyObject_CallMethod(module, "time", NULL);
    if (now != NULL)
        seconds = PyFloat_AsDouble(now);
    Py_XDECREF(now);
    Py_XDECREF(module);
    return seconds;
}

PyObject *
methods_timing_since(PyObject *self, PyObject *args, PyObject *keywords)
{
    static const struct signature signature = {"timing_since", 2, {"stat", "start", "sample_rate"}};
    PyObject *given[3], *elapsed, *whole, *result = NULL;
    double start;

    if (arguments_take(&signature, args, keywords, given) < 0)
        return NULL;
    start = PyFloat_AsDouble(given[1]);
    if (PyErr_Occurred())
        return NULL;
    elapsed = PyFloat_FromDouble((now_s() - start) * 1000000);
    whole = elapsed != NULL && !PyErr_Occurred() ? PyNumber_Long(elapsed) : NULL;
    if (whole != NULL && given[2] != NULL)
        result = PyObject_CallMethod(self, "timing", "OOO", given[0], whole, given[2]);
    else if (whole != NULL)
        result = PyObject_CallMethod(self, "timing", "OO", given[0], whole);
    Py_XDECREF(whole);
    Py_XDECREF(elapsed);
    return result;
}

PyObject *
methods_gauge(PyObject *self, PyObject *args, PyObject *keywords)
{
    static const struct signature signature = {"gauge", 2, {"stat", "value", "sample_rate"}};
    PyObject *given[3];

    if (arguments_take(&signature, args, keywords, given) < 0)
        return NULL;
    return send_value(self, given[0], "%f|g", given[1], given[2]);
}

/* {stat: text} for one name or for each of several; takes text. */
static PyObject *
make_data(PyObject *stats, PyObject *text)
{
    PyObject *data = PyDict_New();
    Py_ssize_t n = PyList_Check(stats) || PyTuple_Check(stats) ? PySequence_Size(stats) : -1;
    int failed = data == NULL || text == NULL;

    if (!failed && n < 0)
        failed = PyDict_SetItem(data, stats, text);
    for (Py_ssize_t i = 0; !failed && i < n; i++) {
        PyObject *stat = PySequence_GetItem(stats, i);
        failed = stat == NULL || PyDict_SetItem(data, stat, text) < 0;
        Py_XDECREF(stat);
    }
    Py_XDECREF(text);
    if (failed)
        Py_CLEAR(data);
    return data;
}

PyObject *
methods_update_stats(PyObject *self, PyObject *args, PyObject *keywords)
{
    static const struct signature signature = {
        "update_stats", 2, {"stats", "delta", "sample_rate"}};
    PyObject *given[3];

    if (arguments_take(&signature, args, keywords, given) < 0)
        return NULL;
    return call_send(self, make_data(given[0], write_value("%s|c", given[1])), given[2]);
}

static PyObject *
add(const struct signature *signature, int delta, PyObject *self, PyObject *args,
    PyObject *keywords)
{
    PyObject *given[2];

    if (arguments_take(signature, args, keywords, given) < 0)
        return NULL;
    if (given[1] == NULL)
        return PyObject_CallMethod(self, "update_stats", "Oi", given[0], delta);
    return PyObject_CallMethod(self, "update_stats", "OiO", given[0], delta, given[1]);
}

PyObject *
methods_increment(PyObject *self, PyObject *args, PyObject *keywords)
{
    static const struct signature signature = {"increment", 1, {"stats", "sample_rate"}};

    return add(&signature, 1, self, args, keywords);
}

PyObject *
methods_decrement(PyObject *self, PyObject *args, PyObject *keywords)
{
    static const struct signature signature = {"decrement", 1, {"stats", "sample_rate"}};

    return add(&signature, -1, self, args, keywords);
}
