/*
 * command: what can be asked on ADMIN_SOCKET: a line "COMMAND[ ARGUMENT]" a connection. The answer
 * is "ok" or "error TEXT" on a line, and lines of text behind it.
 */
#ifndef WORKER_COMMAND_H
#define WORKER_COMMAND_H

#include <stdbool.h>

#include "worker/reply.h"

struct command {
    const char *name;
    const char *argument; /* how help shows it: "", "NAME", "[GLOB]" */
    const char *help;     /* what it is for, a line */
    /* Begins the answer, for an argument without outer blanks, "" for none, which is gone
     * afterwards. Returns NULL, or what is wrong with the request. */
    const char *(*begin)(struct reply *reply, const char *argument);
    bool takes_line; /* the argument is all behind one blank, be it blanks or nothing */
};

/* Ends with one without a name. */
extern const struct command commands[];

/* Begins the answer to a line, without its newline, len bytes of which there may be any. */
void command_begin(struct reply *reply, char *line, size_t len);

#endif
