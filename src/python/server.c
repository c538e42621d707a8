/*
 * server: owns the class Server, which has py-statsd's arguments and attributes, and runs
 * libpystatsd's server with them. Must not know how that is done.
 */
#define Py_LIMITED_API 0x030a0000
#include <Python.h>
#include <structmember.h>

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "client/pystatsd.h"
#include "python/arguments.h"
#include "python/types.h"

enum kind { KIND_TEXT, KIND_NUMBER, KIND_PERCENTILE, KIND_FLAG };

typedef void (*any_function)(void);

/* An argument of Server(), an attribute of that name, and what becomes of it. */
struct setting {
    enum kind kind;
    const char *text; /* the default of a text, NULL: None */
    long number;      /* that of all others */
    size_t offset;    /* in struct pystatsd_server_options */
};

struct server {
    PyObject_HEAD;
    PyObject *attributes; /* a dict: what is set there is what serve() takes */
    atomic_bool stop;
    bool serving;
};

/* One serve(). */
struct serving {
    struct server *server;
    PyThreadState *thread; /* of who waits, without the interpreter's lock */
};

enum { N_SETTINGS = 17 };

static const struct signature signature = {
    "Server",
    0,
    {"pct_threshold", "debug", "transport", "ganglia_host", "ganglia_port", "ganglia_spoof_host",
     "ganglia_max_length", "gmetric_exec", "gmetric_options", "graphite_host", "graphite_port",
     "global_prefix", "flush_interval", "no_aggregate_counters", "counters_prefix", "timers_prefix",
     "expire"},
};

/* In the same order. */
static const struct setting settings[N_SETTINGS] = {
    {KIND_PERCENTILE, NULL, 90, offsetof(struct pystatsd_server_options, pct_threshold)},
    {KIND_FLAG, NULL, 0, offsetof(struct pystatsd_server_options, debug)},
    {KIND_TEXT, "graphite", 0, offsetof(struct pystatsd_server_options, transport)},
    {KIND_TEXT, "localhost", 0, offsetof(struct pystatsd_server_options, ganglia_host)},
    {KIND_NUMBER, NULL, 8649, offsetof(struct pystatsd_server_options, ganglia_port)},
    {KIND_TEXT, "statsd:statsd", 0, offsetof(struct pystatsd_server_options, ganglia_spoof_host)},
    {KIND_NUMBER, NULL, 100, offsetof(struct pystatsd_server_options, ganglia_max_length)},
    {KIND_TEXT, "/usr/bin/gmetric", 0, offsetof(struct pystatsd_server_options, gmetric_exec)},
    {KIND_TEXT, "-d", 0, offsetof(struct pystatsd_server_options, gmetric_options)},
    {KIND_TEXT, "localhost", 0, offsetof(struct pystatsd_server_options, graphite_host)},
    {KIND_NUMBER, NULL, 2003, offsetof(struct pystatsd_server_options, graphite_port)},
    {KIND_TEXT, NULL, 0, offsetof(struct pystatsd_server_options, global_prefix)},
    {KIND_NUMBER, NULL, 10000, offsetof(struct pystatsd_server_options, flush_interval)},
    {KIND_FLAG, NULL, 0, offsetof(struct pystatsd_server_options, no_aggregate_counters)},
    {KIND_TEXT, "stats", 0, offsetof(struct pystatsd_server_options, counters_prefix)},
    {KIND_TEXT, "stats.timers", 0, offsetof(struct pystatsd_server_options, timers_prefix)},
    {KIND_NUMBER, NULL, 0, offsetof(struct pystatsd_server_options, expire)},
};

/* ---- attributes */

static PyObject *
default_of(const struct setting *setting)
{
    switch (setting->kind) {
    case KIND_TEXT:
        return setting->text != NULL ? PyUnicode_FromString(setting->text) : Py_NewRef(Py_None);
    case KIND_FLAG: return PyBool_FromLong(setting->number);
    case KIND_NUMBER:
    case KIND_PERCENTILE: break;
    }
    return PyLong_FromLong(setting->number);
}

static int
server_init(PyObject *self, PyObject *args, PyObject *keywords)
{
    PyObject *given[N_SETTINGS];
    int failed = arguments_take(&signature, args, keywords, given);

    for (size_t i = 0; failed == 0 && i < N_SETTINGS; i++) {
        PyObject *value = given[i] != NULL ? Py_NewRef(given[i]) : default_of(&settings[i]);
        failed = value == NULL ? -1 : PyObject_SetAttrString(self, signature.names[i], value);
        Py_XDECREF(value);
    }
    return failed;
}

/* The attributes may hold anything, the server itself too. */
static int
server_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct server *)object)->attributes);
    return 0;
}

static int
server_clear(PyObject *object)
{
    Py_CLEAR(((struct server *)object)->attributes);
    return 0;
}

static void
server_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(object);
    (void)server_clear(object);
    release(object);
    Py_DECREF(type);
}

/* ---- options. Their texts are borrowed from objects that held has a reference to. */

static int
hold(PyObject *held, PyObject *text, const char **out)
{
    *out = NULL;
    if (text != NULL && PyList_Append(held, text) == 0)
        *out = PyUnicode_AsUTF8AndSize(text, NULL);
    return *out != NULL ? 0 : -1;
}

static int
take_text(const char *name, PyObject *value, PyObject *held, const char **out)
{
    if (!PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be a str, not %R", name, value);
        return -1;
    }
    return hold(held, value, out);
}

static int
take_number(const char *name, PyObject *value, long least, long most, unsigned *out)
{
    long number = PyLong_AsLong(value);

    if (number == -1 && PyErr_Occurred())
        return -1;
    if (number < least || number > most) {
        PyErr_Format(PyExc_ValueError, "%s must be %ld to %ld, not %ld", name, least, most, number);
        return -1;
    }
    *out = (unsigned)number;
    return 0;
}

static int
take_percentile(PyObject *value, PyObject *held, const char **out)
{
    PyObject *text = PyObject_Str(value);
    int result = hold(held, text, out);

    Py_XDECREF(text);
    return result;
}

static int
take_value(size_t i, PyObject *value, PyObject *held, struct pystatsd_server_options *out)
{
    const struct setting *setting = &settings[i];
    void *field = (char *)out + setting->offset;
    const char *name = signature.names[i];

    switch (setting->kind) {
    case KIND_TEXT: return take_text(name, value, held, field);
    case KIND_PERCENTILE: return take_percentile(value, held, field);
    case KIND_NUMBER: return take_number(name, value, setting->number != 0, INT_MAX, field);
    case KIND_FLAG: break;
    }
    *(int *)field = PyObject_IsTrue(value);
    return *(int *)field < 0 ? -1 : 0;
}

/* A default is left to the server, which knows it as well. */
static int
take_setting(PyObject *self, size_t i, PyObject *held, struct pystatsd_server_options *out)
{
    PyObject *value = PyObject_GetAttrString(self, signature.names[i]);
    PyObject *usual = default_of(&settings[i]);
    int result = -1;

    if (value != NULL && usual != NULL)
        result = PyObject_RichCompareBool(value, usual, Py_EQ);
    if (result == 0)
        result = take_value(i, value, held, out);
    else if (result > 0)
        result = 0;
    Py_XDECREF(usual);
    Py_XDECREF(value);
    return result;
}

/* What is Ganglia's may be anything where the transport, which is taken before, is another one. */
static bool
is_for(const char *name, const char *transport)
{
    bool is_ganglia_s = strncmp(name, "ganglia_", 8) == 0 || strncmp(name, "gmetric_", 8) == 0;

    return !is_ganglia_s || (transport != NULL && strncmp(transport, "ganglia", 7) == 0);
}

static int
take_options(PyObject *self, PyObject *const given[2], PyObject *held,
             struct pystatsd_server_options *out)
{
    if (given[0] != NULL && take_text("hostname", given[0], held, &out->hostname) < 0)
        return -1;
    if (given[1] != NULL && take_number("port", given[1], 1, 65535, &out->port) < 0)
        return -1;
    for (size_t i = 0; i < N_SETTINGS; i++) {
        if (is_for(signature.names[i], out->transport) && take_setting(self, i, held, out) < 0)
            return -1;
    }
    return 0;
}

/* ---- serving */

static int
is_to_stop(void *stop_with)
{
    struct serving *serving = stop_with;
    int raised;

    if (atomic_load(&serving->server->stop))
        return 1;
    PyEval_RestoreThread(serving->thread);
    raised = PyErr_CheckSignals(); /* what a handler raised, serve() raises when all has ended */
    serving->thread = PyEval_SaveThread();
    return raised != 0;
}

/* The exception that a result of pystatsd_server_run is, None where it is fine. */
static PyObject *
judge(int result)
{
    if (PyErr_Occurred())
        return NULL;
    if (result == 0)
        return Py_NewRef(Py_None);
    if (result > 0)
        return PyErr_Format(PyExc_RuntimeError,
                            "pystatsd-server ended with status %d; standard error says why",
                            result);
    errno = -result;
    return PyErr_SetFromErrno(PyExc_OSError);
}

static PyObject *
serve(struct server *self, struct pystatsd_server_options *options)
{
    struct serving serving = {.server = self};
    int result;

    if (self->serving)
        return PyErr_Format(PyExc_RuntimeError, "this Server is already serving");
    self->serving = true;
    options->stop = is_to_stop;
    options->stop_with = &serving;
    serving.thread = PyEval_SaveThread();
    result = pystatsd_server_run(options);
    PyEval_RestoreThread(serving.thread);
    atomic_store(&self->stop, false);
    self->serving = false;
    return judge(result);
}

static PyObject *
server_serve(PyObject *self, PyObject *args, PyObject *keywords)
{
    static const struct signature serve_signature = {"serve", 0, {"hostname", "port"}};
    struct pystatsd_server_options options = {0};
    PyObject *given[2], *held, *result = NULL;

    if (arguments_take(&serve_signature, args, keywords, given) < 0)
        return NULL;
    held = PyList_New(0);
    if (held != NULL && take_options(self, given, held, &options) == 0)
        result = serve((struct server *)self, &options);
    Py_XDECREF(held);
    return result;
}

static PyObject *
server_stop(PyObject *self, PyObject *none)
{
    (void)none;
    atomic_store(&((struct server *)self)->stop, true);
    return Py_NewRef(Py_None);
}

/* ---- the class */

static char server_doc[] =
    "Server(pct_threshold=90, debug=False, transport='graphite', ganglia_host='localhost',\n"
    "       ganglia_port=8649, ganglia_spoof_host='statsd:statsd', ganglia_max_length=100,\n"
    "       gmetric_exec='/usr/bin/gmetric', gmetric_options='-d',\n"
    "       graphite_host='localhost', graphite_port=2003, global_prefix=None,\n"
    "       flush_interval=10000, no_aggregate_counters=False, counters_prefix='stats',\n"
    "       timers_prefix='stats.timers', expire=0)\n\n"
    "A StatsD server that sends to Graphite's carbon.";
static const char serve_doc[] =
    "serve($self, hostname='', port=8125)\n--\n\n"
    "Runs pystatsd-server, until stop() is called or a signal's handler raises, as Ctrl-C does;\n"
    "then it sends what it has, ends, and the exception is raised.";
static const char stop_doc[] = "stop($self)\n--\n\n"
                               "Ends serve(), which another thread is in, or is about to call.";

static PyMemberDef members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(struct server, attributes), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef methods[] = {
    {"serve", (PyCFunction)(any_function)server_serve, METH_VARARGS | METH_KEYWORDS, serve_doc},
    {"stop", server_stop, METH_NOARGS, stop_doc},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, server_doc},           {Py_tp_init, server_init},   {Py_tp_dealloc, server_dealloc},
    {Py_tp_traverse, server_traverse}, {Py_tp_clear, server_clear}, {Py_tp_members, members},
    {Py_tp_methods, methods},          {Py_tp_getset, getset},      {0, NULL},
};

PyObject *
server_type(void)
{
    static PyType_Spec spec = {
        .name = "pystatsd.Server",
        .basicsize = sizeof(struct server),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
        .slots = slots,
    };

    return PyType_FromSpec(&spec);
}
