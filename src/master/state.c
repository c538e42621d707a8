/*
 * state: owns what STATE_DIR holds: the files' names, whose they must be, and the locks on them.
 * Must not know what is in them.
 */
#include "master/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "master/folder.h"
#include "sender/sender.h"
#include "worker/worker.h"

#define RETRY_MS 20
/* Others may pass: the admin socket can be in it, whose own mode says who may ask. */
#define DIR_MODE (S_IRWXU | S_IXGRP | S_IXOTH)

/* A directory on its way to being open files. */
struct opening {
    const char *dir;
    int dir_fd;
    uint64_t deadline_ms; /* for locks */
    char *error;          /* STATE_ERROR_MAX */
};

static int __attribute__((format(printf, 2, 3)))
refuse(const struct opening *opening, const char *format, ...)
{
    int n = snprintf(opening->error, STATE_ERROR_MAX, "STATE_DIR (%s): ", opening->dir);
    va_list args;

    va_start(args, format);
    vsnprintf(opening->error + n, (size_t)(STATE_ERROR_MAX - n), format, args);
    va_end(args);
    return -1;
}

/* What others may write to, or have a name for, is not ours to trust. */
static bool
is_ours(int fd, mode_t type)
{
    struct stat stat;

    return fstat(fd, &stat) == 0 && (stat.st_mode & S_IFMT) == type && stat.st_uid == geteuid() &&
           (stat.st_mode & (S_IWGRP | S_IWOTH)) == 0 && (type == S_IFDIR || stat.st_nlink == 1);
}

static int
open_dir(struct opening *opening)
{
    bool is_new = mkdir(opening->dir, DIR_MODE) == 0;

    if (!is_new && errno != EEXIST)
        return refuse(opening, "cannot make the directory: %s%s", strerror(errno),
                      folder_advice(errno));
    opening->dir_fd = open(opening->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (opening->dir_fd < 0)
        return refuse(opening, "cannot open the directory: %s", strerror(errno));
    if (is_new)
        (void)fchmod(opening->dir_fd, DIR_MODE); /* whatever the umask is */
    if (is_ours(opening->dir_fd, S_IFDIR))
        return 0;
    close(opening->dir_fd);
    return refuse(opening, "the directory must belong to uid %u, and nobody else may write to it",
                  (unsigned)geteuid());
}

static int
open_file(const struct opening *opening, const char *name, int flags)
{
    int fd = openat(opening->dir_fd, name, flags | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                    S_IRUSR | S_IWUSR);

    if (fd < 0)
        return refuse(opening, "cannot open %s: %s%s", name, strerror(errno), folder_advice(errno));
    if (is_ours(fd, S_IFREG))
        return fd;
    close(fd);
    return refuse(opening, "%s must be a file of uid %u alone; remove it", name,
                  (unsigned)geteuid());
}

static int
try_lock(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
}

/* The lock is as old as the open file: it is there until the master that opened it and all
 * children that got it from him are gone. */
static int
lock_file(const struct opening *opening, int fd)
{
    const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000};
    int result = try_lock(fd);

    while (result == EWOULDBLOCK && clock_mono_ms() < opening->deadline_ms) {
        nanosleep(&pause, NULL);
        result = try_lock(fd);
    }
    if (result == 0)
        return 0;
    if (result == EWOULDBLOCK)
        return refuse(opening, "another pystatsd uses it; stop that one or set STATE_DIR");
    return refuse(opening, "cannot lock a file: %s", strerror(result));
}

/* The layout is a part of the name, so that programs of different versions leave each other's
 * files alone. */
static int
open_arena(const struct opening *opening, const char *role, int layout)
{
    char name[64];
    int fd;

    snprintf(name, sizeof(name), "%s-%d.arena", role, layout);
    fd = open_file(opening, name, O_RDWR);
    if (fd < 0 || lock_file(opening, fd) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool
is_foreign(const char *name)
{
    int layout, end = 0;

    if (sscanf(name, "worker-%d.arena%n", &layout, &end) == 1 && name[end] == '\0' && end > 0)
        return layout != WORKER_LAYOUT;
    end = 0;
    return sscanf(name, "sender-%d.arena%n", &layout, &end) == 1 && name[end] == '\0' && end > 0 &&
           layout != SENDER_LAYOUT;
}

static void
find_foreign(const struct opening *opening, char out[64])
{
    int fd = dup(opening->dir_fd);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;

    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (is_foreign(entry->d_name))
            snprintf(out, 64, "%.63s", entry->d_name);
    }
    closedir(dir);
}

static void
close_all(const struct state *state)
{
    const int fds[] = {state->worker_arena, state->sender_arena, state->quarantine};

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

static int
open_named(struct state *state, struct opening *opening)
{
    if (open_dir(opening) != 0)
        return -1;
    state->worker_arena = open_arena(opening, "worker", WORKER_LAYOUT);
    if (state->worker_arena >= 0)
        state->sender_arena = open_arena(opening, "sender", SENDER_LAYOUT);
    if (state->sender_arena >= 0)
        state->quarantine = open_file(opening, "quarantine", O_WRONLY | O_APPEND);
    find_foreign(opening, state->foreign);
    close(opening->dir_fd);
    return state->quarantine >= 0 ? 0 : -1;
}

static int
open_nameless(struct state *state, char *error)
{
    state->worker_arena = memfd_create("pystatsd-worker", MFD_CLOEXEC);
    state->sender_arena = memfd_create("pystatsd-sender", MFD_CLOEXEC);
    if (state->worker_arena >= 0 && state->sender_arena >= 0)
        return 0;
    snprintf(error, STATE_ERROR_MAX, "cannot make a file in memory: %s", strerror(errno));
    return -1;
}

int
state_open(struct state *state, const char *dir, uint64_t patience_ms, char error[STATE_ERROR_MAX])
{
    struct opening opening = {
        .dir = dir, .deadline_ms = clock_mono_ms() + patience_ms, .error = error};
    int result;

    *state = (struct state){.worker_arena = -1, .sender_arena = -1, .quarantine = -1};
    result = dir[0] != '\0' ? open_named(state, &opening) : open_nameless(state, error);
    if (result != 0)
        close_all(state);
    return result;
}
