/*
 * types: the classes of the Python module.
 */
#ifndef PYTHON_TYPES_H
#define PYTHON_TYPES_H

struct _object; /* a PyObject */

/* The class Client: a new reference, or NULL with an exception set. */
struct _object *client_type(void);

/* The class Server: the same. */
struct _object *server_type(void);

#endif
