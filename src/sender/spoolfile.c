/*
 * spoolfile: see spoolfile.h. Knows nothing of the other files.
 */
#include "sender/spoolfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/hash.h"
#include "metric/point.h"
#include "sender/durable.h"

#define VERSION 1

static const char magic[8] = "PYSTATSD";

static const char *const suffixes[] = {
    [SPOOLFILE_FLUSH] = "flush",
    [SPOOLFILE_TEMPORARY] = "tmp",
    [SPOOLFILE_BAD] = "bad",
};

_Static_assert(sizeof(struct spoolfile_header) == 48, "a spool file's header has no holes");

void
spoolfile_name(const struct spool_file *file, enum spoolfile_kind kind,
               char out[SPOOLFILE_NAME_SIZE])
{
    snprintf(out, SPOOLFILE_NAME_SIZE, "%020" PRIu64 "-%016" PRIx64 ".%s", file->timestamp_s,
             file->id, suffixes[kind]);
}

/* There is one way to write a name; any other is somebody else's. */
enum spoolfile_kind
spoolfile_read_name(const char *name, struct spool_file *out)
{
    struct spool_file file = {0};
    char again[SPOOLFILE_NAME_SIZE];

    if (sscanf(name, "%20" SCNu64 "-%16" SCNx64, &file.timestamp_s, &file.id) != 2)
        return SPOOLFILE_FOREIGN;
    for (int kind = SPOOLFILE_FLUSH; kind < SPOOLFILE_FOREIGN; kind++) {
        spoolfile_name(&file, (enum spoolfile_kind)kind, again);
        if (strcmp(name, again) == 0) {
            *out = file;
            return (enum spoolfile_kind)kind;
        }
    }
    return SPOOLFILE_FOREIGN;
}

static uint32_t
checksum(const struct spoolfile_header *header, const void *records)
{
    struct spoolfile_header copy = *header;

    copy.crc = 0;
    return hash_crc32c(hash_crc32c(0, &copy, sizeof(copy)), records, header->length);
}

static void
seal(const struct spool_file *file, const void *records, size_t len, struct spoolfile_header *out)
{
    *out = (struct spoolfile_header){
        .version = VERSION,
        .id = file->id,
        .timestamp_s = file->timestamp_s,
        .n_lines = file->n_lines,
        .length = len,
    };
    memcpy(out->magic, magic, sizeof(magic));
    out->crc = checksum(out, records);
}

static const char *
check_header(const struct spoolfile_header *header, const struct spool_file *file)
{
    if (memcmp(header->magic, magic, sizeof(magic)) != 0)
        return "no file of a spool";
    if (header->version != VERSION)
        return "of another version";
    if (header->id != file->id || header->timestamp_s != file->timestamp_s)
        return "not the flush that its name says";
    if (file->size < sizeof(*header) || header->length != file->size - sizeof(*header))
        return "not as long as it says";
    if (header->n_lines > header->length / RECORD_POINT_LEN)
        return "shorter than its lines";
    return NULL;
}

static const char *
check_records(const struct spoolfile_header *header, const uint8_t *records)
{
    const uint8_t *at = records, *end = records + header->length;
    struct record record;
    uint64_t n_lines = 0;

    if (checksum(header, records) != header->crc)
        return "wrong checksum";
    while (at < end) {
        if (record_decode(&at, end, &record) != 0)
            return "what it holds is no record";
        n_lines += record.n_points;
    }
    return n_lines == header->n_lines ? NULL : "not as many lines as it says";
}

static int
read_all(int fd, void *to, size_t len, off_t offset)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(fd, (uint8_t *)to + done, len - done, offset + (off_t)done);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return -EBADMSG;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Opens a file and reads what it says of itself; -EBADMSG with a reason. The name may have become
 * something else since it was looked at. */
int
spoolfile_open(int dir_fd, const struct spool_file *file, struct spoolfile_header *out, int *out_fd,
               const char **reason)
{
    char name[SPOOLFILE_NAME_SIZE];
    struct stat now;
    int fd, status;

    spoolfile_name(file, SPOOLFILE_FLUSH, name);
    fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    *reason = "not as long as it was";
    status = fstat(fd, &now) != 0 ? -errno : 0;
    if (status == 0 && !S_ISREG(now.st_mode))
        status = -ESTALE;
    if (status == 0 && (uint64_t)now.st_size != file->size)
        status = -EBADMSG;
    if (status == 0)
        status = read_all(fd, out, sizeof(*out), 0);
    if (status == 0)
        *reason = check_header(out, file);
    if (status == 0 && *reason != NULL)
        status = -EBADMSG;
    if (status != 0)
        close(fd);
    else
        *out_fd = fd;
    return status;
}

/* The batch of a file that is open, with nothing in it that was not checked. */
int
spoolfile_read(int fd, const struct spoolfile_header *header, struct batch **out,
               const char **reason)
{
    struct batch *batch = batch_new(header->id, 0, header->length);
    uint8_t *records = batch != NULL ? buf_reserve(&batch->records, header->length) : NULL;
    int status = records != NULL ? read_all(fd, records, header->length, sizeof(*header)) : -ENOMEM;

    *reason = "not as long as it says";
    if (status == 0)
        *reason = check_records(header, records);
    if (status == 0 && *reason != NULL)
        status = -EBADMSG;
    if (status != 0) {
        batch_free(batch);
        return status;
    }
    batch->records.len = header->length;
    batch->timestamp_s = header->timestamp_s;
    batch->n_lines = header->n_lines;
    batch_seal(batch);
    *out = batch;
    return 0;
}

struct spool_file
spoolfile_of(const struct batch *batch)
{
    return (struct spool_file){
        .timestamp_s = batch->timestamp_s,
        .id = batch->id,
        .n_lines = batch->n_lines,
        .size = sizeof(struct spoolfile_header) + batch->records.len,
    };
}

/* The name has been found free in the index; what else has it is not ours to replace. */
static int
check_free(int dir_fd, const char *name)
{
    struct stat taken;

    if (fstatat(dir_fd, name, &taken, AT_SYMLINK_NOFOLLOW) == 0)
        return -EEXIST;
    return errno == ENOENT ? 0 : -errno;
}

int
spoolfile_write(int dir_fd, const struct spool_file *file, const struct batch *batch)
{
    char name[SPOOLFILE_NAME_SIZE], temporary[SPOOLFILE_NAME_SIZE];
    struct spoolfile_header header;
    const struct durable durable = {
        .dir_fd = dir_fd,
        .name = name,
        .temporary = temporary,
        .fault_points = {"spool_create", "spool_write", "spool_sync", "spool_rename",
                         "spool_dirsync"},
    };
    const struct iovec parts[] = {
        {.iov_base = &header, .iov_len = sizeof(header)},
        {.iov_base = batch->records.data, .iov_len = batch->records.len},
    };
    int status;

    spoolfile_name(file, SPOOLFILE_FLUSH, name);
    spoolfile_name(file, SPOOLFILE_TEMPORARY, temporary);
    status = check_free(dir_fd, name);
    if (status != 0)
        return status;
    seal(file, batch->records.data, batch->records.len, &header);
    status = durable_put(&durable, parts, 2);
    if (status != 0)
        unlinkat(dir_fd, name, 0);
    return status;
}

int
spoolfile_unlink(int dir_fd, const struct spool_file *file, enum spoolfile_kind kind)
{
    char name[SPOOLFILE_NAME_SIZE];

    spoolfile_name(file, kind, name);
    fault_point("spool_unlink");
    return unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT ? 0 : -errno;
}
