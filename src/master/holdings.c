/*
 * holdings: owns the order in which sockets, pipes and files are opened and who keeps which. Must
 * not know what goes through them.
 */
#include "master/holdings.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "master/folder.h"
#include "master/privdrop.h"

/* 256 frames. */
#define PIPE_BYTES (1 << 20)
/* The children of a daemon that was killed are on their way out. */
#define STATE_PATIENCE_MS 5000

static void
open_sockets(struct holdings *holdings, const struct master_opts *opts, unsigned n_threads)
{
    const struct listen_opts listen = {
        .host = opts->listen_address,
        .port = opts->listen_port,
        .receive_buffer = opts->receive_buffer,
        .n_threads = n_threads,
    };
    char error[LISTEN_ERROR_MAX];

    if (listen_open(&holdings->listeners, &listen, &holdings->handover, error) != 0)
        fatalx(EX_CONFIG, "%s", error);
    for (size_t i = 0; i < holdings->listeners.n; i++)
        spawn_hold(&holdings->fds, holdings->listeners.sockets[i], KEPT_BY_WORKER);
}

static void
open_pipes(struct holdings *holdings)
{
    int error = spawn_pipe(&holdings->fds, O_DIRECT, KEPT_BY_SENDER, KEPT_BY_WORKER,
                           &holdings->pipe_read, &holdings->pipe_write);

    if (error == 0)
        error = resolve_open(&holdings->resolve, &holdings->fds);
    if (error != 0) {
        errno = -error;
        fatal(EX_CONFIG, "cannot make a pipe");
    }
    (void)fcntl(holdings->pipe_write, F_SETPIPE_SZ, PIPE_BYTES); /* less will do */
    holdings->ack_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    holdings->board = board_new();
    if (holdings->ack_fd < 0 || holdings->board == NULL)
        fatal(EX_CONFIG, "cannot make what the processes share");
    spawn_hold(&holdings->fds, holdings->ack_fd, KEPT_BY_WORKER | KEPT_BY_SENDER);
}

static void
open_state(struct holdings *holdings, const struct master_opts *opts)
{
    struct state *state = &holdings->state;
    char error[STATE_ERROR_MAX];

    if (state_open(state, opts->state_dir, STATE_PATIENCE_MS, error) != 0)
        fatalx(EX_CONFIG, "%s", error);
    spawn_hold(&holdings->fds, state->worker_arena, KEPT_BY_WORKER);
    spawn_hold(&holdings->fds, state->sender_arena, KEPT_BY_SENDER);
    if (state->quarantine >= 0)
        spawn_hold(&holdings->fds, state->quarantine, KEPT_BY_WORKER);
}

static void
make_folder(const char *key, const char *path, const struct master_opts *opts)
{
    uid_t uid;
    gid_t gid;
    int error;

    privdrop_find(opts->user, opts->group, &uid, &gid);
    error = -folder_make(path, 0700, uid, gid);
    if (error != 0)
        fatalx(EX_CONFIG, "%s (%s): cannot make the directory for uid %u: %s%s", key, path,
               (unsigned)uid, strerror(error), folder_advice(error));
}

static void
make_folders(const struct master_opts *opts)
{
    char path[CONFIG_TEXT_MAX];

    if (opts->spool_dir[0] != '\0')
        make_folder("SPOOL_DIR", opts->spool_dir, opts);
    if (opts->gauges_file[0] == '\0')
        return;
    folder_of(opts->gauges_file, path);
    make_folder("GAUGES_FILE", path, opts);
}

/* Its directory may be that of STATE_DIR, which is there by now. It is root's, if root starts the
 * daemon: who tells the daemon what to do is not the one that it runs as. */
static void
open_asking(struct holdings *holdings, const struct master_opts *opts)
{
    struct asking *asking = &holdings->asking;
    char error[ASKING_ERROR_MAX], path[CONFIG_TEXT_MAX];
    gid_t gid = getegid();
    uid_t uid;
    int made;

    if (opts->admin_socket[0] != '\0') {
        folder_of(opts->admin_socket, path);
        made = -folder_make(path, 0755, geteuid(), gid);
        if (made != 0)
            fatalx(EX_CONFIG, "ADMIN_SOCKET (%s): cannot make the directory: %s%s", path,
                   strerror(made), folder_advice(made));
        if (geteuid() == 0)
            privdrop_find(opts->user, opts->group, &uid, &gid);
    }
    if (asking_open(asking, opts, gid, error) != 0)
        fatalx(EX_CONFIG, "%s", error);
    if (asking->admin >= 0)
        spawn_hold(&holdings->fds, asking->admin, KEPT_BY_WORKER);
    if (asking->console >= 0)
        spawn_hold(&holdings->fds, asking->console, KEPT_BY_WORKER);
    if (asking->admin < 0 && asking->console < 0)
        return;
    holdings->bulletin = bulletin_new();
    if (holdings->bulletin == NULL)
        fatal(EX_CONFIG, "cannot make what the processes share");
}

int
holdings_take_over(struct holdings *holdings)
{
    char error[HANDOVER_ERROR_MAX];
    int highest = handover_take(&holdings->handover, error);

    if (highest < 0)
        fatalx(EX_CONFIG, "%s", error);
    return highest;
}

void
holdings_open(struct holdings *holdings, const struct master_opts *opts, unsigned n_threads)
{
    holdings->spool_dir = -1;
    holdings->gauges_dir = -1;
    holdings->gauges = -1;
    open_sockets(holdings, opts, n_threads);
    open_pipes(holdings);
    open_state(holdings, opts);
    make_folders(opts);
    open_asking(holdings, opts);
}

static int
open_folder(struct holdings *holdings, const char *key, const char *path)
{
    int fd = folder_open(path);

    if (fd < 0)
        fatalx(EX_CONFIG, "%s (%s): %s; it must be a directory that uid %u may write to%s", key,
               path, strerror(-fd), (unsigned)geteuid(), folder_advice(-fd));
    spawn_hold(&holdings->fds, fd, KEPT_BY_SENDER);
    return fd;
}

void
holdings_open_folders(struct holdings *holdings, const struct master_opts *opts)
{
    char path[CONFIG_TEXT_MAX];

    if (opts->spool_dir[0] != '\0')
        holdings->spool_dir = open_folder(holdings, "SPOOL_DIR", opts->spool_dir);
    if (opts->gauges_file[0] == '\0')
        return;
    folder_of(opts->gauges_file, path);
    holdings->gauges_dir = open_folder(holdings, "GAUGES_FILE", path);
}

void
holdings_open_gauges(struct holdings *holdings, const char *name)
{
    spawn_close(&holdings->fds, &holdings->gauges);
    if (holdings->gauges_dir < 0)
        return;
    holdings->gauges =
        openat(holdings->gauges_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (holdings->gauges >= 0)
        spawn_hold(&holdings->fds, holdings->gauges, KEPT_BY_WORKER);
    else if (errno != ENOENT)
        log_event(&(struct log_event){.level = LOG_WARNING,
                                      .reason = strerror(errno),
                                      .limit = &holdings->said_no_gauges},
                  "cannot read GAUGES_FILE (%s): %s; going on without what it holds", name,
                  strerror(errno));
}

void
holdings_log(const struct holdings *holdings, const struct master_opts *opts)
{
    int size = fcntl(holdings->pipe_write, F_GETPIPE_SZ);

    listen_log(&holdings->listeners, opts->receive_buffer);
    asking_log(&holdings->asking, opts);
    if (size < PIPE_BYTES)
        log_info("the pipe between worker and sender holds %d of %d bytes; raise "
                 "fs.pipe-max-size or fs.pipe-user-pages-soft",
                 size, PIPE_BYTES);
    if (holdings->state.foreign[0] != '\0')
        log_info("STATE_DIR (%s) holds %s of another version: it is left alone", opts->state_dir,
                 holdings->state.foreign);
}

void
holdings_keep_sockets(struct holdings *holdings)
{
    handover_keep(&holdings->handover, holdings->listeners.sockets, holdings->listeners.n);
}

void
holdings_stop_listening(struct holdings *holdings)
{
    service_forget(&holdings->handover.service);
    for (size_t i = 0; i < holdings->listeners.n; i++)
        spawn_close(&holdings->fds, &holdings->listeners.sockets[i]);
    holdings->listeners.n = 0;
    asking_remove(&holdings->asking);
    spawn_close(&holdings->fds, &holdings->asking.admin);
    spawn_close(&holdings->fds, &holdings->asking.console);
}

void
holdings_release(struct holdings *holdings)
{
    resolve_release(&holdings->resolve);
    listen_close(&holdings->listeners);
    spawn_close(&holdings->fds, &holdings->pipe_read);
    spawn_close(&holdings->fds, &holdings->pipe_write);
    spawn_close(&holdings->fds, &holdings->ack_fd);
    spawn_close(&holdings->fds, &holdings->state.worker_arena);
    spawn_close(&holdings->fds, &holdings->state.sender_arena);
    spawn_close(&holdings->fds, &holdings->state.quarantine);
    spawn_close(&holdings->fds, &holdings->spool_dir);
    spawn_close(&holdings->fds, &holdings->gauges_dir);
    spawn_close(&holdings->fds, &holdings->gauges);
}
