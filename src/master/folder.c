/*
 * folder: owns how such a directory is made and what it must be. Must not know what is in it.
 */
#include "master/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* By its descriptor: what its name leads to may be another one by now. The mode goes first, while
 * it is still the caller's. */
static int
give(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
    int fd = open(path, FOLDER_FLAGS);
    int result;

    if (fd < 0)
        return -errno;
    result = fchmod(fd, mode) == 0 && fchown(fd, uid, gid) == 0 ? 0 : -errno;
    close(fd);
    return result;
}

int
folder_make(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
    if (mkdir(path, mode) == 0)
        return give(path, mode, uid, gid);
    return errno == EEXIST ? 0 : -errno;
}

int
folder_open(const char *path)
{
    int fd = open(path, FOLDER_FLAGS);
    int error;

    if (fd < 0)
        return -errno;
    if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0)
        return fd;
    error = -errno;
    close(fd);
    return error;
}

const char *
folder_advice(int error)
{
    return error == EROFS ? "; with systemd it must be there and in ReadWritePaths= of the unit"
                          : "";
}

void
folder_of(const char *path, char out[CONFIG_TEXT_MAX])
{
    size_t len = (size_t)(strrchr(path, '/') - path);

    len += len == 0;
    memcpy(out, path, len);
    out[len] = '\0';
}
