/*
 * verdict: the daemon's state as a monitoring plugin says it.
 */
#ifndef CLI_VERDICT_H
#define CLI_VERDICT_H

#include <stdio.h>

#include "cli/facts.h"

enum verdict { VERDICT_OK, VERDICT_WARNING, VERDICT_CRITICAL, VERDICT_UNKNOWN };

/* What the daemon says of its state; unknown where it says nothing that is one. */
enum verdict verdict_of(const struct facts *facts);

/* "OK", "WARNING", … */
const char *verdict_name(enum verdict verdict);

/* One line: the verdict, why, and the numbers: `OK - … | lines_per_s=12 …`. */
void verdict_print(FILE *out, const struct facts *facts);

#endif
