/*
 * privdrop: from root to USER, for good.
 */
#ifndef MASTER_PRIVDROP_H
#define MASTER_PRIVDROP_H

#include <stdbool.h>
#include <sys/types.h>

/* Whom privdrop would make of this process: its own ids where it is not root. Ends the process like
 * privdrop where there is no such user or group. */
void privdrop_find(const char *user, const char *group, uid_t *out_uid, gid_t *out_gid);

/* Becomes user, with group alone ("": the user's), no capability and none to be had, and verifies
 * it. Where the process is not root it stays who it is, without capabilities and new privileges,
 * and the result is false. Ends the process with EX_CONFIG and one line in the log where it cannot
 * be done. */
bool privdrop(const char *user, const char *group);

#endif
