/*
 * holdings: owns the order in which sockets and pipes are opened and who keeps which. Must not know
 * what goes through them.
 */
#include "master/holdings.h"

#include <errno.h>
#include <fcntl.h>
#include <sysexits.h>

#include "base/log.h"

/* 256 frames. */
#define PIPE_BYTES (1 << 20)

static void
open_sockets(struct holdings *holdings, const struct master_opts *opts, unsigned n_threads)
{
    char error[LISTEN_ERROR_MAX];

    if (listen_open(&holdings->listeners, opts->listen_address, opts->listen_port,
                    opts->receive_buffer, n_threads, error) != 0)
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
}

void
holdings_open(struct holdings *holdings, const struct master_opts *opts, unsigned n_threads)
{
    open_sockets(holdings, opts, n_threads);
    open_pipes(holdings);
}

void
holdings_log(const struct holdings *holdings, const struct master_opts *opts)
{
    int size = fcntl(holdings->pipe_write, F_GETPIPE_SZ);

    listen_log(&holdings->listeners, opts->receive_buffer);
    if (size < PIPE_BYTES)
        log_info("the pipe between worker and sender holds %d of %d bytes; raise "
                 "fs.pipe-max-size or fs.pipe-user-pages-soft",
                 size, PIPE_BYTES);
}

void
holdings_release(struct holdings *holdings)
{
    resolve_release(&holdings->resolve);
    listen_close(&holdings->listeners);
    spawn_close(&holdings->fds, &holdings->pipe_read);
    spawn_close(&holdings->fds, &holdings->pipe_write);
}
