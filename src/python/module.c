/*
 * module: owns the Python module pystatsd, which has the names of py-statsd's package.
 */
#define Py_LIMITED_API 0x030a0000
#include <Python.h>

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

/* "from pystatsd.statsd import Client" works with py-statsd, and so it does here. */
static int
add_part(PyObject *module, const char *part, const char *class_name)
{
    PyObject *name = PyUnicode_FromFormat("pystatsd.%s", part);
    PyObject *submodule = name != NULL ? PyImport_AddModuleObject(name) : NULL; /* borrowed */
    int result = -1;

    if (submodule != NULL)
        result = add(submodule, class_name, PyObject_GetAttrString(module, class_name));
    if (result == 0)
        result = PyModule_AddObjectRef(module, part, submodule);
    Py_XDECREF(name);
    return result;
}

static int
fill(PyObject *module)
{
    if (add(module, "Client", client_type()) < 0 || add(module, "Server", server_type()) < 0 ||
        add(module, "__version__", PyUnicode_FromString(pystatsd_version())) < 0)
        return -1;
    if (add_part(module, "statsd", "Client") < 0 || add_part(module, "server", "Server") < 0)
        return -1;
    return 0;
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
