/*
 * sample: owns how a name and a value that are objects become those of libpystatsd. Must not know
 * who logs what cannot be sent.
 */
#define Py_LIMITED_API 0x030a0000
#include <Python.h>

#include <errno.h>
#include <string.h>

#include "client/pystatsd.h"
#include "python/sample.h"

#define VALUE_MAX 512

/* prefix and stat, joined: a new reference, or NULL with an exception set. */
static PyObject *
join(PyObject *prefix, PyObject *stat)
{
    if (!PyUnicode_Check(prefix))
        return PyErr_Format(PyExc_TypeError, "prefix must be a str, not %R", prefix);
    if (!PyUnicode_Check(stat))
        return PyErr_Format(PyExc_TypeError, "behind a prefix a stat must be a str, not %R", stat);
    return PyUnicode_FromFormat("%U.%U", prefix, stat);
}

/* One of what items() gave, in its place with the whole name. */
static int
complete(PyObject *list, Py_ssize_t i, PyObject *prefix)
{
    PyObject *pair = PyList_GetItem(list, i), *name;

    if (!PyTuple_Check(pair) || PyTuple_Size(pair) != 2) {
        PyErr_Format(PyExc_TypeError, "data.items() must be pairs, not %R", pair);
        return -1;
    }
    if (prefix == NULL)
        return 0;
    name = join(prefix, PyTuple_GetItem(pair, 0));
    pair = name != NULL ? Py_BuildValue("(NO)", name, PyTuple_GetItem(pair, 1)) : NULL;
    return pair != NULL ? PyList_SetItem(list, i, pair) : -1;
}

PyObject *
sample_list(PyObject *prefix, PyObject *data)
{
    int has_prefix = PyObject_IsTrue(prefix);
    PyObject *list = has_prefix >= 0 ? PyMapping_Items(data) : NULL;
    Py_ssize_t n = list != NULL ? PyList_Size(list) : 0;

    for (Py_ssize_t i = 0; i < n; i++) {
        if (complete(list, i, has_prefix ? prefix : NULL) < 0) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

int
sample_draw(double sample_rate)
{
    PyObject *module, *number = NULL;
    double drawn = -1;

    if (!(sample_rate < 1) || sample_rate <= 0)
        return !(sample_rate < 1);
    module = PyImport_ImportModule("random");
    if (module != NULL)
        number = PyObject_CallMethod(module, "random", NULL);
    if (number != NULL)
        drawn = PyFloat_AsDouble(number);
    Py_XDECREF(number);
    Py_XDECREF(module);
    return PyErr_Occurred() ? -1 : drawn <= sample_rate;
}

/* The text as the library takes it, or NULL, without an exception. */
static const char *
utf8_of(PyObject *text)
{
    Py_ssize_t size;
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, &size);

    if (utf8 == NULL)
        PyErr_Clear();
    return utf8 != NULL && strlen(utf8) == (size_t)size ? utf8 : NULL;
}

static int
send_texts(struct pystatsd_client *client, PyObject *name, PyObject *value, double sample_rate)
{
    const char *name_text = utf8_of(name), *value_text = utf8_of(value);
    const char *bar = value_text != NULL ? strchr(value_text, '|') : NULL;
    char number[VALUE_MAX];

    if (name_text == NULL || value_text == NULL)
        return -EILSEQ;
    if (bar == NULL)
        return -EINVAL;
    if ((size_t)(bar - value_text) >= sizeof(number))
        return -EMSGSIZE;
    memcpy(number, value_text, (size_t)(bar - value_text));
    number[bar - value_text] = '\0';
    return pystatsd_send_sampled(client, name_text, number, bar + 1, sample_rate, NULL);
}

/* The end of the line, which some write themselves, is the datagram's. */
static PyObject *
text_of_value(PyObject *value)
{
    PyObject *text = PyObject_Str(value);
    PyObject *line = text != NULL ? PyObject_CallMethod(text, "rstrip", "s", "\r\n") : NULL;

    Py_XDECREF(text);
    return line;
}

int
sample_send(struct pystatsd_client *client, PyObject *pair, double sample_rate)
{
    PyObject *name = PyObject_Str(PyTuple_GetItem(pair, 0));
    PyObject *value = name != NULL ? text_of_value(PyTuple_GetItem(pair, 1)) : NULL;
    int error = -EINVAL;

    /* More often than always is always. */
    if (value != NULL)
        error = send_texts(client, name, value, sample_rate < 1 ? sample_rate : 1);
    Py_XDECREF(value);
    Py_XDECREF(name);
    return error;
}

const char *
sample_error(int error)
{
    switch (-error) {
    case EILSEQ: return "there is a NUL or half a surrogate pair in it";
    case EINVAL: return "it has no name, or no value and type";
    case EMSGSIZE: return "it is too long";
    default: return strerror(-error);
    }
}
