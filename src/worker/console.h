/*
 * console: the management console of Etsy's statsd, to the byte. What comes in one piece is one
 * command; the connection stays for the next.
 */
#ifndef WORKER_CONSOLE_H
#define WORKER_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

#include "worker/reply.h"

/* Begins the answer to the len bytes that came, of which there may be any; they are changed.
 * Returns false where the connection is to be closed without one: it was told to, or speaks HTTP,
 * which a browser can be made to. */
bool console_begin(struct reply *reply, char *text, size_t len);

#endif
