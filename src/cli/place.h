/*
 * place: where the daemon's admin socket is.
 */
#ifndef CLI_PLACE_H
#define CLI_PLACE_H

#include <stddef.h>

#define PLACE_MAX 108 /* of a Unix socket's path, with its NUL */

/* The path: named (--socket) if it is not NULL, else PYSTATSD_ADMIN_SOCKET of the environment, else
 * ADMIN_SOCKET as the file has it, else /run/pystatsd/admin.sock. Returns 0, or -1 where it is too
 * long for a socket. */
int place_find(const char *named, const char *file, char out[PLACE_MAX]);

#endif
