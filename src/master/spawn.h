/*
 * spawn: a new process with a name and signals of its own, and with no descriptor but its own.
 */
#ifndef MASTER_SPAWN_H
#define MASTER_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

#define SPAWN_FDS_MAX 300

/* Who keeps a descriptor of the master besides the master. */
enum spawn_keeper {
    KEPT_BY_NONE = 0,
    KEPT_BY_WORKER = 1 << 0,
    KEPT_BY_SENDER = 1 << 1,
    KEPT_BY_RESOLVER = 1 << 2,
};

struct spawn_fd {
    int fd;
    unsigned keepers;
};

/* Every descriptor of the master but stdio. Zero-initialised: none. */
struct spawn_fds {
    struct spawn_fd held[SPAWN_FDS_MAX];
    size_t n;
};

/* Enters a descriptor and who keeps it. There must be room. */
void spawn_hold(struct spawn_fds *fds, int fd, unsigned keepers);

/* Makes a pipe2(2) with flags, non-blocking and close-on-exec, and enters both ends. Returns 0 or
 * -errno. */
int spawn_pipe(struct spawn_fds *fds, int flags, unsigned read_keepers, unsigned write_keepers,
               int *out_read, int *out_write);

/* Closes a descriptor, strikes it off and sets it to -1; fine where it is -1. */
void spawn_close(struct spawn_fds *fds, int *fd);

/* Names this process "pystatsd-<process>" to the kernel (which cuts it at 15 bytes) and in ps, and
 * "<process>" in the log. Borrows the string. */
void spawn_name(const char *process);

/* Forks. In the child, which returns 0: the name, default signals but for SIGPIPE and SIGHUP, which
 * are ignored, and SIGTERM and SIGINT, which stay blocked until a worker or a sender takes them,
 * death_signal when the master dies, no shield from the kernel's need of memory, and of fds only
 * what keeper keeps. In the master: its pid, or -errno. */
pid_t spawn(const struct spawn_fds *fds, enum spawn_keeper keeper, const char *process,
            int death_signal);

#endif
