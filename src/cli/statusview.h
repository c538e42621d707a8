/*
 * statusview: the daemon's status as one screen, and as JSON.
 */
#ifndef CLI_STATUSVIEW_H
#define CLI_STATUSVIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/facts.h"

#define STATUSVIEW_TITLE_MAX 160

/* At most 24 lines of at most columns bytes where there is no more than one problem. */
void statusview_print(FILE *out, const struct facts *facts, unsigned columns, bool colour);

/* One object: the daemon's keys, numbers as numbers, what it does not know as null, and "problems"
 * as an array. */
void statusview_print_json(FILE *out, const struct facts *facts);

/* "pystatsd 1.0.0 is ok, up 2h 5m" */
void statusview_title(const struct facts *facts, char out[STATUSVIEW_TITLE_MAX]);

#endif
