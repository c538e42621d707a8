/*
 * spawn: owns the one table of descriptors and what a fresh fork does before it is a worker, a
 * sender or a resolver. Must not know what those do.
 */
#include "master/spawn.h"

#include <assert.h>
#include <bsd/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sig.h"

void
spawn_hold(struct spawn_fds *fds, int fd, unsigned keepers)
{
    assert(fds->n < SPAWN_FDS_MAX && fd > STDERR_FILENO);
    fds->held[fds->n++] = (struct spawn_fd){.fd = fd, .keepers = keepers};
}

int
spawn_pipe(struct spawn_fds *fds, int flags, unsigned read_keepers, unsigned write_keepers,
           int *out_read, int *out_write)
{
    int ends[2];

    if (pipe2(ends, flags | O_NONBLOCK | O_CLOEXEC) != 0)
        return -errno;
    spawn_hold(fds, ends[0], read_keepers);
    spawn_hold(fds, ends[1], write_keepers);
    *out_read = ends[0];
    *out_write = ends[1];
    return 0;
}

void
spawn_close(struct spawn_fds *fds, int *fd)
{
    if (*fd < 0)
        return;
    for (size_t i = 0; i < fds->n; i++) {
        if (fds->held[i].fd == *fd) {
            fds->held[i] = fds->held[--fds->n];
            break;
        }
    }
    close(*fd);
    *fd = -1;
}

void
spawn_name(const char *process)
{
    char name[32];

    snprintf(name, sizeof(name), "pystatsd-%s", process);
    prctl(PR_SET_NAME, name);
    /* Padded: where a title is shorter than argv[0] was, libbsd leaves a dot behind it. */
    setproctitle("-%-*s", (int)strlen(program_invocation_name), name);
    log_set_process(process);
}

static void
die_with(pid_t parent, int death_signal)
{
    prctl(PR_SET_PDEATHSIG, death_signal);
    /* It may have died before that was set. */
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
}

/* Who shields the daemon from the kernel that needs memory shields its master alone: a child that
 * is killed is replaced, and loses nothing. The file is root's until this process may be dumped. */
static void
give_up_shield(void)
{
    static const char path[] = "/proc/self/oom_score_adj";
    bool is_dumpable = prctl(PR_GET_DUMPABLE) == 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char sign = '0';

    if (fd < 0)
        return;
    (void)!read(fd, &sign, 1);
    close(fd);
    if (sign != '-')
        return;
    prctl(PR_SET_DUMPABLE, 1);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    prctl(PR_SET_DUMPABLE, is_dumpable);
    if (fd < 0)
        return;
    (void)!write(fd, "0", 1);
    close(fd);
}

static void
become(const struct spawn_fds *fds, enum spawn_keeper keeper, const char *process)
{
    static const int stops[] = {SIGTERM, SIGINT};

    for (size_t i = 0; i < fds->n; i++) {
        if ((fds->held[i].keepers & keeper) == 0)
            close(fds->held[i].fd);
    }
    spawn_name(process);
    give_up_shield();
    /* Asked to stop before it is there, a child still does what it was started for. */
    sig_reset(stops, keeper == KEPT_BY_RESOLVER ? 0 : 2);
    /* A write to a process that is gone is an error, and a reload is for the master alone, even
     * where an operator sends the signal to all. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

pid_t
spawn(const struct spawn_fds *fds, enum spawn_keeper keeper, const char *process, int death_signal)
{
    pid_t parent = getpid();
    pid_t pid;

    /* Else what is still in a buffer would be written twice. */
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        die_with(parent, death_signal);
        become(fds, keeper, process);
    }
    return pid < 0 ? -errno : pid;
}
