/*
 * module: owns the Python module pystatsd, which has the names of py-statsd's package.
 */
#define Py_LIMITED_API 0x030a0000
#include <Python.h>

#include <stdio.h>
#include <stdlib.h>

#include "client/pystatsd.h"
#include "python/types.h"

PyMODINIT_FUNC PyInit_pystatsd(void);

/* Adds value, which it takes and which may be NULL. */
static int
add(PyObject *module, const char *name, PyObject *value)
{
    int result = value != NULL ? PyModule_AddObjectRef(module, name, value) : -1;

    Py_XDECREF(value);
    return result;
}

/* "1.0.0" as (1, 0, 0), without what may be behind that. */
static PyObject *
version_tuple(void)
{
    int numbers[3] = {0};

    (void)sscanf(pystatsd_version(), "%d.%d.%d", &numbers[0], &numbers[1], &numbers[2]);
    return Py_BuildValue("(iii)", numbers[0], numbers[1], numbers[2]);
}

/* What importlib wants to know of every module. */
static PyObject *
make_spec(PyObject *name)
{
    PyObject *machinery = PyImport_ImportModule("importlib.machinery"), *spec = NULL;

    if (machinery != NULL)
        spec = PyObject_CallMethod(machinery, "ModuleSpec", "OO", name, Py_None);
    Py_XDECREF(machinery);
    return spec;
}

/* "from pystatsd.statsd import Client" works with py-statsd, and so it does here. */
static PyObject *
add_part(PyObject *module, const char *part, const char *class_name)
{
    PyObject *name = PyUnicode_FromFormat("pystatsd.%s", part);
    PyObject *submodule = name != NULL ? PyImport_AddModuleObject(name) : NULL; /* borrowed */
    int result = -1;

    if (submodule != NULL)
        result = add(submodule, class_name, PyObject_GetAttrString(module, class_name));
    if (result == 0)
        result = add(submodule, "__spec__", make_spec(name));
    if (result == 0)
        result = PyModule_AddObjectRef(module, part, submodule);
    Py_XDECREF(name);
    return result == 0 ? submodule : NULL;
}

/* path, and what is behind the program in sys.argv. */
static PyObject *
server_words(const char *path)
{
    PyObject *argv = PySys_GetObject("argv"); /* borrowed */
    PyObject *rest = argv != NULL ? PySequence_GetSlice(argv, 1, PY_SSIZE_T_MAX) : PyList_New(0);
    PyObject *words = rest != NULL ? Py_BuildValue("[s]", path) : NULL, *all = NULL;

    if (words != NULL)
        all = PySequence_InPlaceConcat(words, rest);
    Py_XDECREF(words);
    Py_XDECREF(rest);
    return all;
}

/* py-statsd's program. */
static PyObject *
run_server(PyObject *self, PyObject *none)
{
    const char *named = secure_getenv("PYSTATSD_SERVER");
    const char *path = named != NULL ? named : SERVER_PATH;
    PyObject *words = server_words(path), *os = PyImport_ImportModule("os"), *result = NULL;

    (void)self;
    (void)none;
    if (words != NULL && os != NULL)
        result = PyObject_CallMethod(os, "execv", "sO", path, words);
    Py_XDECREF(os);
    Py_XDECREF(words);
    return result;
}

static int
fill(PyObject *module)
{
    static PyMethodDef functions[] = {
        {"run_server", run_server, METH_NOARGS,
         "run_server()\n--\n\nBecomes pystatsd-server, with the arguments in sys.argv."},
        {NULL, NULL, 0, NULL},
    };
    PyObject *server;

    if (add(module, "Client", client_type()) < 0 || add(module, "Server", server_type()) < 0 ||
        add(module, "VERSION", version_tuple()) < 0 ||
        add(module, "__version__", PyUnicode_FromString(pystatsd_version())) < 0)
        return -1;
    if (add_part(module, "statsd", "Client") == NULL)
        return -1;
    server = add_part(module, "server", "Server");
    return server != NULL ? PyModule_AddFunctions(server, functions) : -1;
}

PyMODINIT_FUNC
PyInit_pystatsd(void)
{
    static PyModuleDef_Slot slots[] = {{Py_mod_exec, fill}, {0, NULL}};
    static PyModuleDef definition = {
        .m_base = PyModuleDef_HEAD_INIT,
        .m_name = "pystatsd",
        .m_doc = "A StatsD client and server: from pystatsd import Client, Server",
        .m_slots = slots,
    };

    return PyModuleDef_Init(&definition);
}
