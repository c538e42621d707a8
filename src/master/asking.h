/*
 * asking: the sockets on which the daemon can be asked: ADMIN_SOCKET and CONSOLE.
 */
#ifndef MASTER_ASKING_H
#define MASTER_ASKING_H

#include <stdbool.h>
#include <sys/types.h>

#include "master/config.h"

#define ASKING_ERROR_MAX 1024

/* All descriptors listen and do not block; -1: none. */
struct asking {
    int admin, console;
    bool is_local; /* only this machine reaches the console */
    char path[CONFIG_TEXT_MAX];
    ino_t inode; /* of the socket that was bound there */
    dev_t device;
};

/* Opens what opts name; the Unix socket is the caller's and of group gid. A socket file that nobody
 * listens on any more is replaced. Returns 0, or -1 with one line in error that says what cannot be
 * done and what to do; nothing is then open. */
int asking_open(struct asking *asking, const struct master_opts *opts, gid_t gid,
                char error[ASKING_ERROR_MAX]);

/* Warns where the socket's mode lets others in and its directory, which is not touched, does not.
 */
void asking_log(const struct asking *asking, const struct master_opts *opts);

/* Removes the socket's file, where it still is the one and may be removed. The descriptors are the
 * caller's to close. */
void asking_remove(struct asking *asking);

#endif
