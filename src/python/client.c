/*
 * client: owns the class Client, which is py-statsd's: its making, its attributes and its send().
 * The bytes and the socket are libpystatsd's.
 */
#define Py_LIMITED_API 0x030a0000
#include <Python.h>
#include <structmember.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "client/pystatsd.h"
#include "python/arguments.h"
#include "python/methods.h"
#include "python/types.h"

#define WITH_KEYWORDS (METH_VARARGS | METH_KEYWORDS)

typedef void (*any_function)(void);

struct client {
    PyObject_HEAD;
    struct pystatsd_client *client; /* NULL before __init__ */
    PyObject *host, *port, *addr, *prefix;
    int error; /* of the last sample, 0 or -errno: a lasting one is logged once */
};

/* ---- its making */

/* (address, port) as socket.sendto() takes it, IPv4 where there is one. */
static PyObject *
look_up(PyObject *host, PyObject *port)
{
    PyObject *socket = PyImport_ImportModule("socket"), *address, *info, *addr = NULL;

    if (socket == NULL)
        return NULL;
    address = PyObject_CallMethod(socket, "gethostbyname", "O", host);
    if (address != NULL) {
        addr = Py_BuildValue("(NO)", address, port);
    } else if (PyErr_ExceptionMatches(PyExc_OSError)) {
        PyErr_Clear();
        info = PyObject_CallMethod(socket, "getaddrinfo", "OO", host, port);
        if (info != NULL) {
            PyObject *first = PySequence_GetItem(info, 0);
            addr = first != NULL ? PySequence_GetItem(first, 4) : NULL;
            Py_XDECREF(first);
            Py_DECREF(info);
        }
    }
    Py_DECREF(socket);
    return addr;
}

static int
open_client(struct client *self)
{
    struct pystatsd_options options = {.host = PyUnicode_AsUTF8AndSize(self->host, NULL)};
    long port = PyLong_AsLong(self->port);
    PyThreadState *thread;
    int error;

    if (options.host == NULL || (port == -1 && PyErr_Occurred()))
        return -1;
    if (port < 1 || port > 65535) {
        PyErr_Format(PyExc_ValueError, "port must be 1 to 65535, not %ld", port);
        return -1;
    }
    options.port = (unsigned)port;
    thread = PyEval_SaveThread();
    error = pystatsd_client_new(&options, &self->client);
    PyEval_RestoreThread(thread);
    if (error == 0)
        return 0;
    errno = -error;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

static void
clear(struct client *self)
{
    pystatsd_client_free(self->client);
    self->client = NULL;
    Py_CLEAR(self->host);
    Py_CLEAR(self->port);
    Py_CLEAR(self->addr);
    Py_CLEAR(self->prefix);
}

static int
client_init(PyObject *object, PyObject *args, PyObject *keywords)
{
    static const struct signature signature = {"Client", 0, {"host", "port", "prefix"}};
    struct client *self = (struct client *)object;
    PyObject *given[3];

    if (arguments_take(&signature, args, keywords, given) < 0)
        return -1;
    if (given[0] != NULL && !PyUnicode_Check(given[0])) {
        PyErr_SetString(PyExc_TypeError, "host must be a str");
        return -1;
    }
    clear(self);
    self->host = given[0] != NULL ? Py_NewRef(given[0]) : PyUnicode_FromString("localhost");
    self->port = given[1] != NULL ? PyNumber_Long(given[1]) : PyLong_FromLong(PYSTATSD_PORT);
    self->prefix = Py_NewRef(given[2] != NULL ? given[2] : Py_None);
    if (self->host == NULL || self->port == NULL)
        return -1;
    self->addr = look_up(self->host, self->port);
    return self->addr != NULL ? open_client(self) : -1;
}

static void
client_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    clear((struct client *)object);
    release(object);
    Py_DECREF(type);
}

static PyObject *
client_repr(PyObject *object)
{
    struct client *self = (struct client *)object;

    return PyUnicode_FromFormat("<pystatsd.statsd.Client addr=%S prefix=%S>",
                                self->addr != NULL ? self->addr : Py_None,
                                self->prefix != NULL ? self->prefix : Py_None);
}

/* ---- sending */

static const char *
text_of_error(int error)
{
    switch (-error) {
    case EILSEQ: return "there is a NUL or half a surrogate pair in it";
    case EINVAL: return "it has no name, or no value and type";
    case EMSGSIZE: return "it is too long";
    default: return strerror(-error);
    }
}

/* What cannot be sent is said in the log, as py-statsd does, but once: until something can be sent
 * again, or fails otherwise. A server that is away is no matter, as there. Never raises. */
static void
note(struct client *self, PyObject *stat, int error)
{
    PyObject *logging, *logger = NULL, *done = NULL;

    if (error == -ECONNREFUSED)
        error = 0;
    if (error == self->error)
        return;
    self->error = error;
    if (error == 0)
        return;
    logging = PyImport_ImportModule("logging");
    if (logging != NULL)
        logger = PyObject_CallMethod(logging, "getLogger", "s", "pystatsd.client");
    if (logger != NULL)
        done = PyObject_CallMethod(logger, "error", "sOs", "cannot send %.100r: %s", stat,
                                   text_of_error(error));
    if (done == NULL)
        PyErr_Clear();
    Py_XDECREF(done);
    Py_XDECREF(logger);
    Py_XDECREF(logging);
}

/* The text as the library takes it, or NULL, without an exception. */
static const char *
text_of(PyObject *text)
{
    Py_ssize_t size;
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, &size);

    if (utf8 == NULL)
        PyErr_Clear();
    return utf8 != NULL && strlen(utf8) == (size_t)size ? utf8 : NULL;
}

/* Sends name with a value as "5|c", or with more fields as "5|c|#tag:1", whose turn it is. Returns
 * 0 or -errno. */
static int
send_text(struct client *self, PyObject *name, PyObject *value, double sample_rate)
{
    const char *name_text = text_of(name), *value_text = text_of(value);
    const char *bar = value_text != NULL ? strchr(value_text, '|') : NULL;
    char number[512];

    if (name_text == NULL || value_text == NULL)
        return -EILSEQ;
    if (bar == NULL)
        return -EINVAL;
    if ((size_t)(bar - value_text) >= sizeof(number))
        return -EMSGSIZE;
    memcpy(number, value_text, (size_t)(bar - value_text));
    number[bar - value_text] = '\0';
    return pystatsd_send_sampled(self->client, name_text, number, bar + 1, sample_rate, NULL);
}

/* prefix and stat, joined: a new reference, or NULL with an exception set. */
static PyObject *
join(PyObject *prefix, PyObject *stat)
{
    if (!PyUnicode_Check(stat))
        return PyErr_Format(PyExc_TypeError, "a stat must be a str, not %R", stat);
    if (prefix == NULL || prefix == Py_None)
        return Py_NewRef(stat);
    if (!PyUnicode_Check(prefix))
        return PyErr_Format(PyExc_TypeError, "prefix must be a str, not %R", prefix);
    return PyUnicode_GetLength(prefix) == 0 ? Py_NewRef(stat)
                                            : PyUnicode_FromFormat("%U.%U", prefix, stat);
}

/* One of the dict that send() takes. Returns 0, or -1 with an exception set. */
static int
send_one(struct client *self, PyObject *stat, PyObject *value, double sample_rate)
{
    PyObject *name;

    if (!PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "a value must be a str, not %R", value);
        return -1;
    }
    name = join(self->prefix, stat);
    if (name == NULL)
        return -1;
    note(self, name, send_text(self, name, value, sample_rate));
    Py_DECREF(name);
    return 0;
}

/* Chooses all of a dict, or nothing: by random.random(), as py-statsd does, so that its seed
 * counts. Returns 1 or 0, or -1 with an exception set. */
static int
draw(double sample_rate)
{
    PyObject *module, *number = NULL;
    double drawn = -1;

    if (sample_rate <= 0 || sample_rate >= 1)
        return sample_rate > 0;
    module = PyImport_ImportModule("random");
    if (module != NULL)
        number = PyObject_CallMethod(module, "random", NULL);
    if (number != NULL)
        drawn = PyFloat_AsDouble(number);
    Py_XDECREF(number);
    Py_XDECREF(module);
    return PyErr_Occurred() ? -1 : drawn <= sample_rate;
}

static PyObject *
client_send(PyObject *object, PyObject *args, PyObject *keywords)
{
    static const struct signature signature = {"send", 1, {"data", "sample_rate"}};
    struct client *self = (struct client *)object;
    PyObject *given[2], *stat, *value;
    double sample_rate = 1;
    Py_ssize_t at = 0;
    int drawn;

    if (arguments_take(&signature, args, keywords, given) < 0)
        return NULL;
    if (given[1] != NULL)
        sample_rate = PyFloat_AsDouble(given[1]);
    if (PyErr_Occurred())
        return NULL;
    if (!PyDict_Check(given[0]) || self->client == NULL) {
        PyErr_SetString(PyExc_TypeError, self->client == NULL ? "Client.__init__() was not called"
                                                              : "data must be a dict");
        return NULL;
    }
    /* More often than always is always, less often than never is never. */
    drawn = draw(sample_rate);
    while (drawn > 0 && PyDict_Next(given[0], &at, &stat, &value)) {
        if (send_one(self, stat, value, sample_rate < 1 ? sample_rate : 1) < 0)
            return NULL;
    }
    if (drawn < 0)
        return NULL;
    return Py_NewRef(Py_None);
}

/* ---- the class */

static char client_doc_text[] =
    "Client(host='localhost', port=8125, prefix=None)\n--\n\n"
    "Sends metrics to a StatsD server by UDP. Nothing ever comes back: whether the server\n"
    "is there makes no difference, and what cannot be sent is logged, never raised.";
static const char timing_doc[] = "timing($self, stat, time, sample_rate=1)\n--\n\n"
                                 "How long something took, in milliseconds.";
static const char timing_since_doc[] =
    "timing_since($self, stat, start, sample_rate=1)\n--\n\n"
    "How long it is since start, a time.time(). It is sent in MICROSECONDS, but marked as\n"
    "\"ms\", as py-statsd always did; timing() leaves the unit to you.";
static const char gauge_doc[] = "gauge($self, stat, value, sample_rate=1)\n--\n\n"
                                "A value that stays until it is set again.";
static const char increment_doc[] = "increment($self, stats, sample_rate=1)\n--\n\n"
                                    "Adds 1 to a counter, or to each of a list of them.";
static const char decrement_doc[] = "decrement($self, stats, sample_rate=1)\n--\n\n"
                                    "Takes 1 from a counter, or from each of a list of them.";
static const char incr_doc[] = "incr($self, stats, sample_rate=1)\n--\n\nThe same as increment().";
static const char decr_doc[] = "decr($self, stats, sample_rate=1)\n--\n\nThe same as decrement().";
static const char update_stats_doc[] = "update_stats($self, stats, delta, sample_rate=1)\n--\n\n"
                                       "Adds a number to a counter, or to each of a list of them.";
static const char send_doc[] =
    "send($self, data, sample_rate=1)\n--\n\n"
    "Sends a dict of names and values such as {'hits': '5|c'}, a datagram each.\n"
    "With a sample rate below 1 all of them or none, at random, and marked so.";

static PyMemberDef members[] = {
    {"host", T_OBJECT, offsetof(struct client, host), READONLY, "as given"},
    {"port", T_OBJECT, offsetof(struct client, port), READONLY, "as given"},
    {"addr", T_OBJECT, offsetof(struct client, addr), READONLY, "(address, port)"},
    {"prefix", T_OBJECT, offsetof(struct client, prefix), 0, "before every name, or None"},
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef table[] = {
    {"timing", (PyCFunction)(any_function)methods_timing, WITH_KEYWORDS, timing_doc},
    {"timing_since", (PyCFunction)(any_function)methods_timing_since, WITH_KEYWORDS,
     timing_since_doc},
    {"gauge", (PyCFunction)(any_function)methods_gauge, WITH_KEYWORDS, gauge_doc},
    {"increment", (PyCFunction)(any_function)methods_increment, WITH_KEYWORDS, increment_doc},
    {"incr", (PyCFunction)(any_function)methods_increment, WITH_KEYWORDS, incr_doc},
    {"decrement", (PyCFunction)(any_function)methods_decrement, WITH_KEYWORDS, decrement_doc},
    {"decr", (PyCFunction)(any_function)methods_decrement, WITH_KEYWORDS, decr_doc},
    {"update_stats", (PyCFunction)(any_function)methods_update_stats, WITH_KEYWORDS,
     update_stats_doc},
    {"send", (PyCFunction)(any_function)client_send, WITH_KEYWORDS, send_doc},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, client_doc_text},
    {Py_tp_init, client_init},
    {Py_tp_dealloc, client_dealloc},
    {Py_tp_repr, client_repr},
    {Py_tp_members, members},
    {Py_tp_methods, table},
    {0, NULL},
};

PyObject *
client_type(void)
{
    static PyType_Spec spec = {
        .name = "pystatsd.Client",
        .basicsize = sizeof(struct client),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
        .slots = slots,
    };

    return PyType_FromSpec(&spec);
}
