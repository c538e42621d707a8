/*
 * daemon: going into the background with a pidfile, and ending what went there.
 *
 * The pidfile's lock is what says that a daemon runs: it is held as long as the daemon lives, and a
 * file that nobody holds is stale whatever it says. A daemon that may not remove its file empties
 * it.
 */
#ifndef MASTER_DAEMON_H
#define MASTER_DAEMON_H

#include <limits.h>
#include <sys/types.h>

/* The comm of the process that holds the pidfile. */
#define DAEMON_COMM "pystatsd-master"

struct pidfh;

struct daemon {
    pid_t pid;             /* of the daemon itself; in its children nothing here means anything */
    int ready_fd;          /* where the process that was started waits; -1 once it was told */
    struct pidfh *pidfile; /* NULL until daemon_lock */
    char path[PATH_MAX];   /* of the pidfile, absolute */
};

/* Makes a path absolute without following its links. Returns 0 or -errno. */
int daemon_absolute(const char *path, char out[PATH_MAX]);

/* Goes into the background: returns in the daemon only, in a session of its own. The process that
 * was started waits there and ends with 0 after daemon_ready, else with the daemon's exit status.
 * The daemon's end removes its pidfile. NULL with errno set where it cannot be done. The result
 * belongs to the exit handler, which frees it. */
struct daemon *daemon_start(const char *pidfile);

/* Opens, locks and writes the pidfile. Ends the process with EX_CONFIG and one line in the log
 * where that cannot be done or a daemon runs already. Returns the descriptor, which no child may
 * keep. */
int daemon_lock(struct daemon *daemon);

/* Lets go of the terminal of the waiting process, and tells that. The caller closes ready_fd. */
void daemon_ready(struct daemon *daemon);

/* Points stdin at /dev/null, and opens stdout and stderr where they are not, so that no socket
 * takes their numbers; closes whatever else the process was started with above highest, which is
 * STDERR_FILENO or beyond. */
void daemon_clean_fds(int highest);

/* Ends the daemon whose pidfile this is and waits for that. Returns 0 where none runs any more, 1
 * after one line on stderr where it could not be ended. */
int daemon_stop(const char *path);

#endif
