/*
 * spool: see spool.h. Owns the directory and its limits. Knows neither carbon nor the log.
 */
#include "sender/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "sender/spoolindex.h"

static const char LIMIT_BYTES[] = "SPOOL_MAX_BYTES is reached";
static const char LIMIT_AGE[] = "they are older than SPOOL_MAX_AGE";
static const char LIMIT_FILES[] = "there are too many of them";

/* ---- what was set aside */

static size_t
find_oldest(const struct spool_file *files, size_t n)
{
    size_t oldest = 0;

    for (size_t i = 1; i < n; i++) {
        if (spoolindex_compare(&files[i], &files[oldest]) < 0)
            oldest = i;
    }
    return oldest;
}

static size_t
find_bad(const struct spool *spool, const struct spool_file *file)
{
    size_t at = 0;

    while (at < spool->n_bad && spoolindex_compare(&spool->bad[at], file) != 0)
        at++;
    return at;
}

static void
remove_bad(struct spool *spool, size_t at)
{
    spoolfile_unlink(spool->dir_fd, &spool->bad[at], SPOOLFILE_BAD);
    spool->bad[at] = spool->bad[--spool->n_bad];
}

static void
remove_oldest_bad(struct spool *spool)
{
    remove_bad(spool, find_oldest(spool->bad, spool->n_bad));
}

/* One that is known under that name is no more. */
static void
keep_bad(struct spool *spool, const struct spool_file *file)
{
    size_t at = find_bad(spool, file);

    spool->bad[at] = *file;
    spool->n_bad += at == spool->n_bad;
    if (spool->n_bad > SPOOL_BAD_MAX)
        remove_oldest_bad(spool);
}

static bool
is_plain(const struct stat *entry)
{
    return S_ISREG(entry->st_mode) && entry->st_nlink == 1;
}

/* A file that is not in the index, or not any more. */
static void
give_up(struct spool *spool, const struct spool_file *file, const char *reason)
{
    spool->n_bad_files++;
    spool->bad_file = *file;
    spool->bad_reason = reason;
}

/* The same, and it gets another name, in the place of one of the same flush. */
static void
set_aside(struct spool *spool, const struct spool_file *file, const char *reason)
{
    char from[SPOOLFILE_NAME_SIZE], to[SPOOLFILE_NAME_SIZE];
    struct stat taken;
    bool is_free;

    give_up(spool, file, reason);
    spoolfile_name(file, SPOOLFILE_FLUSH, from);
    spoolfile_name(file, SPOOLFILE_BAD, to);
    is_free = fstatat(spool->dir_fd, to, &taken, AT_SYMLINK_NOFOLLOW) == 0 ? is_plain(&taken)
                                                                           : errno == ENOENT;
    if (is_free && renameat(spool->dir_fd, from, spool->dir_fd, to) == 0)
        keep_bad(spool, file);
}

/* ---- limits */

static uint64_t
bad_bytes(const struct spool *spool)
{
    uint64_t size = 0;

    for (size_t i = 0; i < spool->n_bad; i++)
        size += spool->bad[i].size;
    return size;
}

static bool
is_too_old(const struct spool *spool, const struct spool_file *file, uint64_t wall_ms)
{
    uint64_t wall_s = wall_ms / 1000;

    return wall_s > file->timestamp_s && wall_s - file->timestamp_s > spool->max_age_s;
}

static bool
is_busy(const struct spool *spool, const struct spool_file *file)
{
    return spool->busy != 0 && file->id == spool->busy;
}

/* How many of the oldest must go for n more of size bytes together, the busy one among them. */
static size_t
count_surplus(struct spool *spool, uint64_t size, size_t n, uint64_t wall_ms)
{
    uint64_t n_bytes = spool->n_bytes + bad_bytes(spool) + size;
    size_t at = 0, n_left = spool->n_files + n;

    for (; at < spool->n_files; at++) {
        bool is_old = is_too_old(spool, &spool->files[at], wall_ms);

        if (!is_old && n_bytes <= spool->max_bytes && n_left <= SPOOL_FILES_MAX)
            break;
        if (is_busy(spool, &spool->files[at]))
            continue;
        spool->limit = is_old ? LIMIT_AGE : n_bytes > spool->max_bytes ? LIMIT_BYTES : LIMIT_FILES;
        n_bytes -= spool->files[at].size;
        n_left--;
    }
    return at;
}

static int
drop(struct spool *spool, const struct spool_file *file)
{
    int status = spoolfile_unlink(spool->dir_fd, file, SPOOLFILE_FLUSH);

    spool_beat(spool);
    if (status == 0)
        spool->n_dropped += file->n_lines;
    return status;
}

/* The first n have gone, but for the busy one. */
static void
forget_gone(struct spool *spool, size_t n)
{
    size_t at = 0;

    while (at < n && !is_busy(spool, &spool->files[at]))
        at++;
    if (at < n) {
        struct spool_file busy = spool->files[at];

        spool->files[at] = spool->files[--n];
        spool->files[n] = busy;
    }
    spoolindex_forget(spool, 0, n);
}

/* Where nothing can be removed nothing is forgotten either: what is in the index can still be
 * delivered. */
static int
make_room(struct spool *spool, uint64_t size, size_t n, uint64_t wall_ms)
{
    size_t n_surplus, n_gone = 0;
    int status = 0;

    while (spool->n_bad > 0 && spool->n_bytes + bad_bytes(spool) + size > spool->max_bytes)
        remove_oldest_bad(spool);
    n_surplus = count_surplus(spool, size, n, wall_ms);
    while (n_gone < n_surplus && status == 0) {
        if (!is_busy(spool, &spool->files[n_gone]))
            status = drop(spool, &spool->files[n_gone]);
        n_gone += status == 0;
    }
    forget_gone(spool, n_gone);
    return status;
}

/* A try later may have what is missing now. */
static bool
is_passing(int status)
{
    return status == -EMFILE || status == -ENFILE || status == -ENOMEM;
}

/* ---- opening */

/* It goes even from where it cannot be removed. */
static void
drop_from_index(struct spool *spool, size_t at)
{
    spool->limit = LIMIT_BYTES;
    drop(spool, &spool->files[at]);
    spoolindex_forget(spool, at, 1);
}

/* The oldest that there are too many of go, all at once. */
static void
put_in_order(struct spool *spool)
{
    size_t n = spool->n_files > SPOOL_FILES_MAX ? spool->n_files - SPOOL_FILES_MAX : 0;

    if (n > 0)
        spool->limit = LIMIT_FILES;
    qsort(spool->files, spool->n_files, sizeof(*spool->files), spoolindex_compare);
    for (size_t i = 0; i < n; i++)
        drop(spool, &spool->files[i]);
    spoolindex_forget(spool, 0, n);
}

/* A file that nothing but its name is known of. What it says of itself must do until it is read. */
static int
take_file(struct spool *spool, struct spool_file *file)
{
    struct spoolfile_header header;
    const char *reason;
    int fd, status = spoolfile_open(spool->dir_fd, file, &header, &fd, &reason);

    if (is_passing(status))
        return status;
    if (status == -EBADMSG)
        set_aside(spool, file, reason);
    else if (status != 0)
        spool->n_ignored++;
    if (status != 0)
        return 0;
    close(fd);
    file->n_lines = header.n_lines;
    spoolindex_enter(spool, spool->n_files, file);
    if (file->size > spool->max_bytes)
        drop_from_index(spool, spool->n_files - 1);
    else if (spool->n_files == SPOOLINDEX_MAX)
        put_in_order(spool);
    return 0;
}

static int
take_entry(struct spool *spool, const char *name)
{
    struct spool_file file;
    enum spoolfile_kind kind = spoolfile_read_name(name, &file);
    struct stat found;

    if (kind == SPOOLFILE_FOREIGN)
        return 0;
    if (fstatat(spool->dir_fd, name, &found, AT_SYMLINK_NOFOLLOW) != 0 || !is_plain(&found)) {
        spool->n_ignored++;
        return 0;
    }
    file.size = (uint64_t)found.st_size;
    switch (kind) {
    case SPOOLFILE_FLUSH: return take_file(spool, &file);
    case SPOOLFILE_BAD: keep_bad(spool, &file); break;
    default: spoolfile_unlink(spool->dir_fd, &file, kind);
    }
    return 0;
}

static int
scan(struct spool *spool)
{
    int fd = openat(spool->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    int status = directory != NULL ? 0 : -errno;
    struct dirent *entry;

    if (directory == NULL && fd >= 0)
        close(fd);
    errno = 0;
    while (status == 0 && (entry = readdir(directory)) != NULL) {
        spool_beat(spool);
        status = take_entry(spool, entry->d_name);
        errno = 0;
    }
    if (status == 0)
        status = -errno;
    if (directory != NULL)
        closedir(directory);
    return status;
}

int
spool_open(struct spool *spool, int dir_fd, uint64_t max_bytes, uint64_t max_age_ms,
           uint64_t wall_ms, uint64_t *beat)
{
    int status;

    *spool = (struct spool){
        .dir_fd = dir_fd,
        .max_bytes = max_bytes,
        .max_age_s = max_age_ms / 1000,
        .beat = beat,
    };
    status = spoolindex_init(spool);
    if (status == 0)
        status = scan(spool);
    if (status != 0) {
        spool_close(spool);
        return status;
    }
    put_in_order(spool);
    make_room(spool, 0, 0, wall_ms);
    return 0;
}

void
spool_close(struct spool *spool)
{
    spoolindex_release(spool);
    *spool = (struct spool){.dir_fd = -1};
}

int
spool_put(struct spool *spool, const struct batch *batch, uint64_t wall_ms)
{
    struct spool_file file = spoolfile_of(batch);
    size_t at = spoolindex_place(spool, &file);
    int status;

    if (at < spool->n_files && spoolindex_compare(&spool->files[at], &file) == 0)
        return 0;
    if (file.size > spool->max_bytes)
        return -EFBIG;
    status = make_room(spool, file.size, 1, wall_ms);
    if (status == 0)
        status = spoolfile_write(spool->dir_fd, &file, batch);
    if (status == 0)
        spoolindex_enter(spool, spoolindex_place(spool, &file), &file);
    return status;
}

const struct spool_file *
spool_oldest(const struct spool *spool)
{
    return spool->n_files > 0 ? &spool->files[0] : NULL;
}

int
spool_load(struct spool *spool, const struct spool_file *file, struct batch **out)
{
    struct spool_file copy = *file;
    struct spoolfile_header header;
    const char *reason = NULL;
    int fd, status;

    fault_point("spool_load");
    status = spoolfile_open(spool->dir_fd, file, &header, &fd, &reason);
    if (status == 0) {
        status = spoolfile_read(fd, &header, out, &reason);
        close(fd);
    }
    if (status == 0 || is_passing(status))
        return status;
    spoolindex_forget(spool, (size_t)(file - spool->files), 1);
    if (status == -EBADMSG)
        set_aside(spool, &copy, reason);
    else
        give_up(spool, &copy, "it cannot be read");
    return status;
}

int
spool_remove(struct spool *spool, const struct spool_file *file)
{
    int status = spoolfile_unlink(spool->dir_fd, file, SPOOLFILE_FLUSH);

    spoolindex_forget(spool, (size_t)(file - spool->files), 1);
    return status;
}

bool
spool_has(const struct spool *spool, uint64_t id)
{
    for (size_t i = 0; i < spool->n_files; i++) {
        if (spool->files[i].id == id)
            return true;
    }
    return false;
}
