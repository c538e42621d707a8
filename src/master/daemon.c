/*
 * daemon: owns the pidfile, the way into the background and the way a daemon is found and ended.
 * Must not know what the daemon does.
 */
#include "master/daemon.h"

#include <bsd/libutil.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"

/* The worker's and the sender's grace, and some. */
#define STOP_PATIENCE_MS 30000
/* Whoever asks whether a daemon runs holds the pidfile's lock for a moment. */
#define LOOK_TRIES    100
#define LOOK_PAUSE_MS 10

static void
report(struct daemon *daemon, int status)
{
    unsigned char byte = (unsigned char)status;

    if (daemon->ready_fd >= 0 && write(daemon->ready_fd, &byte, 1) != 1)
        return; /* who waited has gone */
}

/* After the drop the directory may be closed to the daemon, but not the file it holds: the pid at
 * least, soon that of somebody else, is gone. */
static void
remove_pidfile(struct daemon *daemon)
{
    if (unlink(daemon->path) != 0 && ftruncate(pidfile_fileno(daemon->pidfile), 0) != 0)
        log_warn("pidfile (%s) stays", daemon->path);
    (void)pidfile_close(daemon->pidfile);
}

/* Children inherit this handler, but neither the right to speak for the daemon nor its file. */
static void
on_daemon_exit(int status, void *argument)
{
    struct daemon *daemon = argument;

    if (daemon->pid != getpid())
        return;
    if (daemon->pidfile != NULL)
        remove_pidfile(daemon);
    report(daemon, status); /* last: who waited may start the next one */
    free(daemon);
}

/* The process that the shell waits for. */
static _Noreturn void
wait_for_daemon(int fd, pid_t intermediate)
{
    unsigned char status;
    ssize_t n;

    waitpid(intermediate, NULL, 0);
    do
        n = read(fd, &status, 1);
    while (n < 0 && errno == EINTR);
    _exit(n == 1 ? status : EXIT_FAILURE);
}

/* Of the two forks, the second one so that the daemon leads no session and never gets a terminal.
 * Returns the pipe's write end, in the daemon only, or -errno. */
static int
go_background(void)
{
    int ready[2], error;
    pid_t pid;

    if (pipe2(ready, O_CLOEXEC) != 0)
        return -errno;
    fflush(NULL);
    pid = fork();
    if (pid < 0) {
        error = errno;
        close(ready[0]);
        close(ready[1]);
        return -error;
    }
    if (pid > 0) {
        close(ready[1]);
        wait_for_daemon(ready[0], pid);
    }
    close(ready[0]);
    setsid();
    pid = fork();
    if (pid != 0)
        _exit(pid < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
    return ready[1];
}

int
daemon_absolute(const char *path, char out[PATH_MAX])
{
    char cwd[PATH_MAX] = "";
    int n;

    if (path[0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL)
        return -errno;
    n = snprintf(out, PATH_MAX, "%s%s%s", cwd, path[0] != '/' ? "/" : "", path);
    return n > 0 && n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

struct daemon *
daemon_start(const char *pidfile)
{
    struct daemon *daemon = calloc(1, sizeof(*daemon));
    int error;

    if (daemon == NULL)
        return NULL;
    error = daemon_absolute(pidfile, daemon->path);
    daemon->ready_fd = error == 0 ? go_background() : error;
    error = daemon->ready_fd;
    if (error >= 0 && chdir("/") != 0)
        error = -errno;
    daemon->pid = getpid();
    if (error < 0 || on_exit(on_daemon_exit, daemon) != 0) {
        free(daemon);
        errno = error < 0 ? -error : ENOMEM;
        return NULL;
    }
    umask(S_IWGRP | S_IWOTH);
    return daemon;
}

/* Points stdio at /dev/null. */
static void
detach(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return;
    fflush(NULL);
    for (int stdio = STDIN_FILENO; stdio <= STDERR_FILENO; stdio++)
        dup2(fd, stdio);
    if (fd > STDERR_FILENO)
        close(fd);
}

void
daemon_clean_fds(int highest)
{
    int fd;

    /* The lowest free number is taken each time, so this fills the gaps. */
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        dup2(fd, STDIN_FILENO);
    closefrom(highest + 1);
}

void
daemon_ready(struct daemon *daemon)
{
    detach();
    report(daemon, EXIT_SUCCESS);
}

/* What daemon_stop says. */
static int __attribute__((format(printf, 2, 3))) say(int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return status;
}

static bool
is_daemon(pid_t pid)
{
    char path[32], comm[32];
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, comm, sizeof(comm));
    close(fd);
    return n == (ssize_t)sizeof(DAEMON_COMM) && memcmp(comm, DAEMON_COMM "\n", (size_t)n) == 0;
}

static void
pause_a_little(void)
{
    const struct timespec pause = {.tv_nsec = LOOK_PAUSE_MS * 1000000};

    nanosleep(&pause, NULL);
}

/* What pidfile_open says of a file that somebody holds: with a pid in it, with none yet, with what
 * is none, and, where it was held before, gone meanwhile. */
static bool
is_held(int error, bool was_held)
{
    return error == EEXIST || error == EAGAIN || error == EINVAL || (error == ENOENT && was_held);
}

/* Tries again where it is no daemon that holds it. Returns 0, or -errno with the pid, -1 where
 * there is none, of who does. */
static int
open_pidfile(struct daemon *daemon, pid_t *out_other)
{
    int error = 0;

    for (int i = 0; i < LOOK_TRIES; i++) {
        *out_other = -1;
        daemon->pidfile = pidfile_open(daemon->path, S_IRUSR | S_IWUSR, out_other);
        if (daemon->pidfile != NULL)
            return 0;
        error = errno;
        if (!is_held(error, i > 0) || (error == EEXIST && is_daemon(*out_other)))
            break;
        pause_a_little();
    }
    return -error;
}

/* The file is for its owner alone, also where an older one is taken over: who may open it may lock
 * it, and the lock is what counts. */
int
daemon_lock(struct daemon *daemon)
{
    pid_t other = -1;
    int error = open_pidfile(daemon, &other);

    if (error == -EEXIST && is_daemon(other))
        fatalx(EX_CONFIG, "pidfile (%s): already running as pid %d; stop it or set PIDFILE",
               daemon->path, (int)other);
    if (error == -EEXIST)
        fatalx(EX_CONFIG, "pidfile (%s): locked by another process; end it or set PIDFILE",
               daemon->path);
    if (error == 0 && (fchmod(pidfile_fileno(daemon->pidfile), S_IRUSR | S_IWUSR) != 0 ||
                       pidfile_write(daemon->pidfile) != 0))
        error = -errno;
    if (error != 0)
        fatalx(EX_CONFIG, "cannot write pidfile (%s): %s; set PIDFILE", daemon->path,
               strerror(-error));
    return pidfile_fileno(daemon->pidfile);
}

/* The pid in the file, or 0. */
static pid_t
read_pid(int fd)
{
    char text[16];
    ssize_t n = pread(fd, text, sizeof(text), 0);
    uint64_t pid;

    if (n > 0 && text[n - 1] == '\n')
        n--;
    if (n <= 0 || num_parse_u64(text, (size_t)n, INT32_MAX, &pid) != 0)
        return 0;
    return (pid_t)pid;
}

/* By a daemon: its lock is exclusive, and who only looks shares his. */
static bool
is_locked(int fd)
{
    return flock(fd, LOCK_SH | LOCK_NB) != 0;
}

/* Unless a daemon has it, alone; or else with those who do not stop looking at it. */
static bool
take_lock(int fd)
{
    for (int i = 0; i < LOOK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (is_locked(fd) && is_daemon(read_pid(fd)))
            return false;
        (void)flock(fd, LOCK_UN); /* two that end it must not wait for each other */
        pause_a_little();
    }
    return !is_locked(fd);
}

/* Another that stopped it may have been faster, and a daemon have made a new one. */
static bool
is_at(int fd, const char *path)
{
    struct stat ours, there;

    return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_dev == there.st_dev &&
           ours.st_ino == there.st_ino;
}

/* Sends SIGTERM and waits for the end. Returns what daemon_stop does. */
static int
end_process(int pidfd, pid_t pid, const char *path)
{
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};

    if (pidfd_send_signal(pidfd, SIGTERM, NULL, 0) != 0 && errno != ESRCH)
        return say(1, "pidfile (%s): cannot stop pid %d: %s", path, (int)pid, strerror(errno));
    if (poll(&ended, 1, STOP_PATIENCE_MS) != 1)
        return say(1, "pidfile (%s): pid %d is still running after %d s", path, (int)pid,
                   STOP_PATIENCE_MS / 1000);
    /* The daemon may have done so itself, or may have lacked the right to. */
    (void)unlink(path);
    return 0;
}

/* The file is locked, so somebody runs. The pidfd comes first: from then on its process cannot be
 * taken for another, and the two checks hold for the one that gets the signal. */
static int
stop_owner(int fd, const char *path)
{
    pid_t pid = read_pid(fd);
    int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
    int status;

    if (pidfd < 0 && is_locked(fd))
        return say(1, "pidfile (%s) is locked, but names no process that could be stopped", path);
    if (pidfd < 0 || !is_locked(fd))
        status = 0; /* it has ended meanwhile */
    else if (!is_daemon(pid))
        status = say(1, "pidfile (%s) names pid %d, which is no pystatsd-server: left alone", path,
                     (int)pid);
    else
        status = end_process(pidfd, pid, path);
    if (pidfd >= 0)
        close(pidfd);
    return status;
}

int
daemon_stop(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int status;

    if (fd < 0 && errno == ENOENT)
        return say(0, "pidfile (%s) does not exist. Daemon not running?", path);
    if (fd < 0)
        return say(1, "pidfile (%s) cannot be read: %s", path, strerror(errno));
    if (take_lock(fd)) {
        /* Held while the file goes, so that a daemon that starts now makes its own. */
        if (is_at(fd, path))
            (void)unlink(path);
        status = say(0, "pidfile (%s) is stale. Daemon not running?", path);
    } else {
        status = stop_owner(fd, path);
    }
    close(fd);
    return status;
}
