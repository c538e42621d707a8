/*
 * erase: the console's commands that delete: names, one by one, or "FOLDER.*" for all below it.
 */
#ifndef WORKER_ERASE_H
#define WORKER_ERASE_H

#include "worker/reply.h"
#include "worker/view.h"

/* Begins the answer for the words of arguments, which single blanks divide; NULL: none. Returns
 * NULL, or why not. */
const char *erase_begin(struct reply *reply, enum metric_type type, const char *arguments);

#endif
