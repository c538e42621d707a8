/*
 * asking: owns how these sockets are opened and what becomes of the file of one. Must not know who
 * reads from them, nor what is asked.
 */
#include "master/asking.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/net.h"
#include "master/folder.h"

#define BACKLOG 64
/* How long another daemon may take to open its socket in the same folder. */
#define LOCK_TRIES    100
#define LOCK_PAUSE_MS 10

static int
open_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    return fd < 0 ? -errno : fd;
}

static int
fail_closed(int fd)
{
    int error = -errno;

    close(fd);
    return error;
}

/* ---- ADMIN_SOCKET */

/* Whether it is a socket that nobody listens on any more. That of an earlier start is the
 * starter's, who may connect to it whatever its mode, with no privilege over others' files. */
static bool
is_stale(const struct sockaddr_un *address)
{
    struct stat status;
    int fd, error;

    if (lstat(address->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return false;
    fd = open_socket(AF_UNIX);
    if (fd < 0)
        return false;
    error = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
    close(fd);
    return error == ECONNREFUSED;
}

/* There is no moment at which its mode is a wider one, or its group another. */
static int
bind_with_mode(int fd, const struct sockaddr_un *address, unsigned mode, gid_t gid)
{
    mode_t mask = umask(0777 & ~mode);
    gid_t group = getegid();
    int error = 0;

    if (setegid(gid) != 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
        error = -errno;
    if (setegid(group) != 0 && error == 0)
        error = -errno;
    umask(mask);
    return error;
}

static int
bind_path(int fd, const struct sockaddr_un *address, unsigned mode, gid_t gid)
{
    int error = bind_with_mode(fd, address, mode, gid);

    if (error == -EADDRINUSE && is_stale(address) && unlink(address->sun_path) == 0)
        error = bind_with_mode(fd, address, mode, gid);
    return error;
}

/* Between the bind and the listen of one daemon another must not take its socket for a stale one.
 * Returns a descriptor to close, or -1 where it goes on without: after a while, since anybody who
 * may read the folder can hold it. */
static int
lock_folder(const char *path)
{
    char folder[CONFIG_TEXT_MAX];
    int fd, n_tries = 0;

    folder_of(path, folder);
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && n_tries++ < LOCK_TRIES)
        (void)poll(NULL, 0, LOCK_PAUSE_MS);
    return fd;
}

/* Returns 0, or -errno: nothing is then there that was not. */
static int
bind_and_listen(int fd, const struct sockaddr_un *address, const struct master_opts *opts,
                gid_t gid, struct stat *out)
{
    int lock = lock_folder(address->sun_path);
    int error = bind_path(fd, address, opts->admin_mode, gid);

    if (error == 0 && (lstat(address->sun_path, out) != 0 || listen(fd, BACKLOG) != 0)) {
        error = -errno;
        (void)unlink(address->sun_path);
    }
    if (lock >= 0)
        close(lock);
    return error;
}

static int
open_admin(struct asking *asking, const struct master_opts *opts, gid_t gid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;
    int fd = open_socket(AF_UNIX), error;

    if (fd < 0)
        return fd;
    memcpy(address.sun_path, opts->admin_socket, sizeof(address.sun_path) - 1);
    if ((error = bind_and_listen(fd, &address, opts, gid, &status)) != 0) {
        close(fd);
        return error;
    }
    memcpy(asking->path, opts->admin_socket, sizeof(asking->path));
    asking->inode = status.st_ino;
    asking->device = status.st_dev;
    return fd;
}

/* ---- CONSOLE */

static bool
is_loopback(const struct net_address *address)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    memcpy(&in, &address->storage, sizeof(in));
    memcpy(&in6, &address->storage, sizeof(in6));
    return (in.sin_family == AF_INET && ntohl(in.sin_addr.s_addr) >> 24 == 127) ||
           (in6.sin6_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr));
}

static int
open_tcp(const struct net_address *address)
{
    const int on = 1;
    int fd = open_socket(address->storage.ss_family);

    if (fd < 0)
        return fd;
    /* A daemon that starts again finds connections of the one before it. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (const struct sockaddr *)&address->storage, address->len) != 0 ||
        listen(fd, BACKLOG) != 0)
        return fail_closed(fd);
    return fd;
}

/* The first address of the host that there is. */
static int
open_console(struct asking *asking, const struct master_opts *opts, const char **out_why)
{
    struct net_address addresses[NET_ADDRESSES_MAX];
    int n = net_lookup(opts->console_host, opts->console_port, SOCK_STREAM, addresses);
    int fd = -EADDRNOTAVAIL;

    for (int i = 0; i < n && fd < 0; i++) {
        fd = open_tcp(&addresses[i]);
        asking->is_local = is_loopback(&addresses[i]);
    }
    *out_why = n < 0 ? gai_strerror(n) : strerror(fd < 0 ? -fd : 0);
    return fd;
}

/* ---- both */

static const char *
advice(int error)
{
    return error == -EADDRINUSE ? "is another pystatsd running? stop it or set another"
                                : "set another, or none";
}

int
asking_open(struct asking *asking, const struct master_opts *opts, gid_t gid,
            char error[ASKING_ERROR_MAX])
{
    const char *why;
    int fd;

    *asking = (struct asking){.admin = -1, .console = -1};
    if (opts->admin_socket[0] != '\0') {
        if ((fd = open_admin(asking, opts, gid)) < 0) {
            snprintf(error, ASKING_ERROR_MAX, "ADMIN_SOCKET (%s): %s; %s", opts->admin_socket,
                     strerror(-fd), advice(fd));
            return -1;
        }
        asking->admin = fd;
    }
    if (opts->console_host[0] != '\0') {
        if ((fd = open_console(asking, opts, &why)) < 0) {
            snprintf(error, ASKING_ERROR_MAX, "CONSOLE (%s port %u): %s; %s", opts->console_host,
                     (unsigned)opts->console_port, why, advice(fd));
            asking_remove(asking);
            if (asking->admin >= 0)
                close(asking->admin);
            asking->admin = -1;
            return -1;
        }
        asking->console = fd;
    }
    return 0;
}

void
asking_log(const struct asking *asking, const struct master_opts *opts)
{
    char folder[CONFIG_TEXT_MAX];
    struct stat status;
    mode_t needed = 0;

    if (asking->admin < 0)
        return;
    folder_of(asking->path, folder);
    if (stat(folder, &status) != 0)
        return;
    if ((opts->admin_mode & S_IWGRP) != 0)
        needed = status.st_gid == getegid() ? S_IXGRP : S_IXOTH;
    if ((opts->admin_mode & S_IWOTH) != 0)
        needed |= S_IXOTH;
    if ((status.st_mode & needed) != needed)
        log_warnx(
            "ADMIN_SOCKET_MODE=%04o lets others ask, but they do not get through to the socket: "
            "chmod a+x %s",
            opts->admin_mode, folder);
}

void
asking_remove(struct asking *asking)
{
    struct stat status;

    if (asking->path[0] != '\0' && lstat(asking->path, &status) == 0 &&
        status.st_ino == asking->inode && status.st_dev == asking->device)
        (void)unlink(asking->path);
    asking->path[0] = '\0';
}
