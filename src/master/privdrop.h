/*
 * privdrop: from root to USER, for good.
 */
#ifndef MASTER_PRIVDROP_H
#define MASTER_PRIVDROP_H

#include <stdbool.h>

/* Becomes user, with group alone ("": the user's), no capability and none to be had, and verifies
 * it. Where the process is not root it stays who it is, without capabilities and new privileges,
 * and the result is false. Ends the process with EX_CONFIG and one line in the log where it cannot
 * be done. */
bool privdrop(const char *user, const char *group);

#endif
