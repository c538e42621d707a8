/*
 * folder: a directory in which a process works that has no privileges any more.
 */
#ifndef MASTER_FOLDER_H
#define MASTER_FOLDER_H

#include <sys/types.h>

#include "master/config.h"

/* Makes the directory where it is missing, for that user and group, with that mode whatever the
 * umask is. One that is there stays as it is. Returns 0 or -errno. */
int folder_make(const char *path, mode_t mode, uid_t uid, gid_t gid);

/* Opens the directory, to which the process must be allowed to write by now. Returns the
 * descriptor or -errno. */
int folder_open(const char *path);

/* What an operator may do about an errno of one, to be told behind it: "" where nobody knows. */
const char *folder_advice(int error);

/* The directory of a file, whose path is absolute and shorter than CONFIG_TEXT_MAX. */
void folder_of(const char *path, char out[CONFIG_TEXT_MAX]);

#endif
