/*
 * client: owns the class Client, which is py-statsd's: its making, its attributes and its send().
 * Copies share what they send through. The bytes and the socket are libpystatsd's.
 */
#define Py_LIMITED_API 0x030a0000
#include <Python.h>
#include <structmember.h>

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "client/pystatsd.h"
#include "python/arguments.h"
#include "python/methods.h"
#include "python/sample.h"
#include "python/types.h"

#define WITH_KEYWORDS (METH_VARARGS | METH_KEYWORDS)
#define SENDER        "pystatsd.client"

typedef void (*any_function)(void);

struct client {
    PyObject_HEAD;
    PyObject *attributes; /* a dict, of py-statsd's and whatever else is set */
    PyObject *references; /* the weak ones */
    PyObject *sender;     /* a capsule around the library's client; NULL before __init__ */
    int error;            /* of the last sample, 0 or -errno: a lasting one is logged once */
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

/* A name that is empty means to py-statsd what its address does to the kernel: this machine. */
static PyObject *
text_of_host(PyObject *host, PyObject *addr)
{
    if (PyObject_Size(host) == 0)
        return PySequence_GetItem(addr, 0);
    return PyUnicode_Check(host) ? Py_NewRef(host)
                                 : PyUnicode_FromEncodedObject(host, "utf-8", NULL);
}

static void
free_sender(PyObject *capsule)
{
    pystatsd_client_free(PyCapsule_GetPointer(capsule, SENDER));
}

/* A new capsule, or NULL with an exception set. */
static PyObject *
open_sender(PyObject *host, PyObject *port)
{
    struct pystatsd_options options = {.host = PyUnicode_AsUTF8AndSize(host, NULL)};
    long number = PyLong_AsLong(port);
    struct pystatsd_client *client;
    PyThreadState *thread;
    PyObject *capsule;
    int error;

    if (options.host == NULL || (number == -1 && PyErr_Occurred()))
        return NULL;
    if (number < 1 || number > 65535)
        return PyErr_Format(PyExc_ValueError, "port must be 1 to 65535, not %ld", number);
    options.port = (unsigned)number;
    thread = PyEval_SaveThread();
    error = pystatsd_client_new(&options, &client);
    PyEval_RestoreThread(thread);
    if (error != 0) {
        errno = -error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    capsule = PyCapsule_New(client, SENDER, free_sender);
    if (capsule == NULL)
        pystatsd_client_free(client);
    return capsule;
}

/* Sets an attribute to a value, which it takes and which may be NULL. */
static int
set(PyObject *object, const char *name, PyObject *value)
{
    int result = value != NULL ? PyObject_SetAttrString(object, name, value) : -1;

    Py_XDECREF(value);
    return result;
}

static PyObject *
get_logger(void)
{
    PyObject *logging = PyImport_ImportModule("logging"), *logger = NULL;

    if (logging != NULL)
        logger = PyObject_CallMethod(logging, "getLogger", "s", "pystatsd.client");
    Py_XDECREF(logging);
    return logger;
}

/* As given, but for the port, and in py-statsd's order. */
static int
set_attributes(PyObject *object, PyObject *host, PyObject *port, PyObject *addr, PyObject *prefix)
{
    if (set(object, "host", Py_NewRef(host)) < 0 || set(object, "port", Py_NewRef(port)) < 0 ||
        set(object, "addr", Py_NewRef(addr)) < 0 || set(object, "prefix", Py_NewRef(prefix)) < 0)
        return -1;
    return set(object, "log", get_logger());
}

/* Takes sender, which may be NULL. */
static int
take_sender(struct client *self, PyObject *sender)
{
    PyObject *before = self->sender;

    if (sender == NULL)
        return -1;
    self->sender = sender;
    self->error = 0;
    Py_XDECREF(before);
    return 0;
}

static int
client_init(PyObject *object, PyObject *args, PyObject *keywords)
{
    static const struct signature signature = {"Client", 0, {"host", "port", "prefix"}};
    PyObject *given[3], *host, *port, *addr = NULL, *text = NULL;
    int result = -1;

    if (arguments_take(&signature, args, keywords, given) < 0)
        return -1;
    host = given[0] != NULL ? Py_NewRef(given[0]) : PyUnicode_FromString("localhost");
    port = given[1] != NULL ? PyNumber_Long(given[1]) : PyLong_FromLong(PYSTATSD_PORT);
    if (host != NULL && port != NULL)
        addr = look_up(host, port);
    if (addr != NULL)
        text = text_of_host(host, addr);
    if (text != NULL)
        result = take_sender((struct client *)object, open_sender(text, port));
    if (result == 0)
        result = set_attributes(object, host, port, addr, given[2] != NULL ? given[2] : Py_None);
    Py_XDECREF(text);
    Py_XDECREF(addr);
    Py_XDECREF(port);
    Py_XDECREF(host);
    return result;
}

/* Both send through one socket, as with py-statsd. */
static PyObject *
client_copy(PyObject *object, PyObject *none)
{
    PyTypeObject *type = Py_TYPE(object);
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    struct client *self = (struct client *)object;
    struct client *copy = (struct client *)allocate(type, 0);

    (void)none;
    if (copy == NULL)
        return NULL;
    copy->sender = Py_XNewRef(self->sender);
    if (self->attributes != NULL && (copy->attributes = PyDict_Copy(self->attributes)) == NULL)
        Py_CLEAR(copy);
    return (PyObject *)copy;
}

static int
client_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct client *)object)->attributes);
    return 0;
}

static int
client_clear(PyObject *object)
{
    Py_CLEAR(((struct client *)object)->attributes);
    return 0;
}

static void
client_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    struct client *self = (struct client *)object;

    PyObject_GC_UnTrack(object);
    if (self->references != NULL)
        PyObject_ClearWeakRefs(object);
    (void)client_clear(object);
    Py_CLEAR(self->sender);
    release(object);
    Py_DECREF(type);
}

static PyObject *
client_repr(PyObject *object)
{
    PyObject *addr = PyObject_GetAttrString(object, "addr");
    PyObject *prefix = addr != NULL ? PyObject_GetAttrString(object, "prefix") : NULL;
    PyObject *text = NULL;

    if (prefix != NULL)
        text = PyUnicode_FromFormat("<pystatsd.statsd.Client addr=%S prefix=%S>", addr, prefix);
    Py_XDECREF(prefix);
    Py_XDECREF(addr);
    return text;
}

/* ---- sending */

/* What cannot be sent is said in the log, as py-statsd does, but once: until something can be sent
 * again, or fails otherwise. A server that is away is no matter, as there. Never raises. */
static void
note(struct client *self, PyObject *stat, int error)
{
    PyObject *logger, *done = NULL;

    if (error == -ECONNREFUSED)
        error = 0;
    if (error == self->error)
        return;
    self->error = error;
    if (error == 0)
        return;
    logger = PyObject_GetAttrString((PyObject *)self, "log");
    if (logger != NULL)
        done = PyObject_CallMethod(logger, "error", "sOs", "cannot send %.100r: %s", stat,
                                   sample_error(error));
    if (done == NULL)
        PyErr_Clear();
    Py_XDECREF(done);
    Py_XDECREF(logger);
}

/* Returns 0, or -1 with an exception set that is none of the sample's, such as Ctrl-C. */
static int
send_all(struct client *self, PyObject *list, double sample_rate)
{
    PyObject *sender = Py_NewRef(self->sender); /* what is called may be anything */
    struct pystatsd_client *client = PyCapsule_GetPointer(sender, SENDER);
    bool failed = false;

    for (Py_ssize_t i = 0; !failed && i < PyList_Size(list); i++) {
        PyObject *pair = PyList_GetItem(list, i);
        int error = sample_send(client, pair, sample_rate);
        failed = PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception);
        if (failed)
            break;
        PyErr_Clear();
        note(self, PyTuple_GetItem(pair, 0), error);
    }
    Py_DECREF(sender);
    return failed ? -1 : 0;
}

static PyObject *
client_send(PyObject *object, PyObject *args, PyObject *keywords)
{
    static const struct signature signature = {"send", 1, {"data", "sample_rate"}};
    struct client *self = (struct client *)object;
    PyObject *given[2], *prefix, *list;
    double sample_rate = 1;
    int result;

    if (arguments_take(&signature, args, keywords, given) < 0)
        return NULL;
    if (self->sender == NULL)
        return PyErr_Format(PyExc_TypeError, "Client.__init__() was not called");
    if (given[1] != NULL)
        sample_rate = PyFloat_AsDouble(given[1]);
    if (PyErr_Occurred())
        return NULL;
    prefix = PyObject_GetAttrString(object, "prefix");
    list = prefix != NULL ? sample_list(prefix, given[0]) : NULL;
    Py_XDECREF(prefix);
    if (list == NULL)
        return NULL;
    result = sample_draw(sample_rate);
    if (result > 0)
        result = send_all(self, list, sample_rate);
    Py_DECREF(list);
    return result == 0 ? Py_NewRef(Py_None) : NULL;
}

/* ---- the class */

static char client_doc_text[] =
    "Client(host='localhost', port=8125, prefix=None)\n--\n\n"
    "Sends metrics to a StatsD server by UDP. Nothing ever comes back: whether the server\n"
    "is there makes no difference, and what cannot be sent is logged.";
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
    {"__dictoffset__", T_PYSSIZET, offsetof(struct client, attributes), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct client, references), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
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
    {"__copy__", client_copy, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, client_doc_text},    {Py_tp_init, client_init},
    {Py_tp_dealloc, client_dealloc}, {Py_tp_traverse, client_traverse},
    {Py_tp_clear, client_clear},     {Py_tp_repr, client_repr},
    {Py_tp_members, members},        {Py_tp_getset, getset},
    {Py_tp_methods, table},          {0, NULL},
};

PyObject *
client_type(void)
{
    static PyType_Spec spec = {
        .name = "pystatsd.Client",
        .basicsize = sizeof(struct client),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
        .slots = slots,
    };

    return PyType_FromSpec(&spec);
}
