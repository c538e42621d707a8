/*
 * notify: owns the form of what goes to NOTIFY_SOCKET. Must not know what is said.
 */
#include "master/notify.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A path, or with '@' in the place of its NUL an abstract name. Returns the address's length, 0
 * where there is none. */
static socklen_t
find_manager(struct sockaddr_un *out)
{
    const char *name = getenv("NOTIFY_SOCKET");
    size_t len = name != NULL ? strlen(name) : 0;

    if (len < 2 || len >= sizeof(out->sun_path) || (name[0] != '@' && name[0] != '/'))
        return 0;
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(out->sun_path, name, len);
    if (name[0] == '@')
        out->sun_path[0] = '\0';
    /* The kernel takes all of an abstract name's bytes, so they must not be one more. */
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
}

static void
attach(struct msghdr *message, int fd)
{
    struct cmsghdr *head = CMSG_FIRSTHDR(message);

    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(fd));
    memcpy(CMSG_DATA(head), &fd, sizeof(fd));
}

/* What ends by itself, and has nothing to do with what is said. */
static bool
is_for_now(int error)
{
    static const int errors[] = {EAGAIN, EINTR, EMFILE, ENFILE, ENOMEM, ENOBUFS, ETOOMANYREFS};

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (error == errors[i])
            return true;
    }
    return false;
}

int
notify_send(const char *text, int fd)
{
    struct sockaddr_un manager;
    struct iovec bytes = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
    struct msghdr message = {.msg_name = &manager, .msg_iov = &bytes, .msg_iovlen = 1};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(fd))] = {0};
    int error = 0, end;

    if ((message.msg_namelen = find_manager(&manager)) == 0)
        return 0;
    if (fd >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        attach(&message, fd);
    }
    end = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (end < 0 || sendmsg(end, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        error = errno;
    if (end >= 0)
        close(end);
    return is_for_now(error) ? -EAGAIN : 0;
}
