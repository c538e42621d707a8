/*
 * spoolfile: one flush as a file: its name, and the header before its records. What is read back is
 * not trusted.
 */
#ifndef SENDER_SPOOLFILE_H
#define SENDER_SPOOLFILE_H

#include <stdint.h>

#include "sender/batch.h"

struct spool_file {
    uint64_t timestamp_s, id; /* the flush's; its name */
    uint64_t n_lines;
    uint64_t size; /* bytes, with the header */
};

/* What a name says that an entry is. The names of one kind sort as (timestamp_s, id) does. */
enum spoolfile_kind {
    SPOOLFILE_FLUSH,     /* TIMESTAMP-ID.flush: whole */
    SPOOLFILE_TEMPORARY, /* ….tmp: being written, or left by a process that was killed then */
    SPOOLFILE_BAD,       /* ….bad: set aside */
    SPOOLFILE_FOREIGN,   /* not ours */
};

/* 20 digits, 16 hexadecimal ones, and the longest suffix. */
#define SPOOLFILE_NAME_SIZE sizeof("18446744073709551615-ffffffffffffffff.flush")

/* In the machine's byte order; followed by length bytes of records (metric/point.h). */
struct spoolfile_header {
    char magic[8];
    uint32_t version;
    uint32_t crc; /* CRC-32C of the header with 0 here, and of the records */
    uint64_t id;
    uint64_t timestamp_s;
    uint64_t n_lines;
    uint64_t length;
};

/* The name of a file of a kind that is ours. */
void spoolfile_name(const struct spool_file *file, enum spoolfile_kind kind,
                    char out[SPOOLFILE_NAME_SIZE]);

/* What name is. Of one that is ours out has its timestamp_s and id, and 0 else. */
enum spoolfile_kind spoolfile_read_name(const char *name, struct spool_file *out);

/* What the file of a sealed batch is. */
struct spool_file spoolfile_of(const struct batch *batch);

/* Writes a batch as its file, durably, where nothing has its name. Returns 0, or -errno: nothing is
 * then left behind. */
int spoolfile_write(int dir_fd, const struct spool_file *file, const struct batch *batch);

/* Opens a file, of which timestamp_s, id and size are known, and reads its header. Returns 0;
 * -EBADMSG: it is damaged, *reason says how; or -errno. out->n_lines is as good as the size, the
 * rest is not checked before spoolfile_read. */
int spoolfile_open(int dir_fd, const struct spool_file *file, struct spoolfile_header *out,
                   int *out_fd, const char **reason);

/* Reads the rest of an open file, as a sealed batch that the caller frees. Returns as
 * spoolfile_open does. */
int spoolfile_read(int fd, const struct spoolfile_header *header, struct batch **out,
                   const char **reason);

/* Removes it under its name of the kind. That it is gone already is as good. Returns 0 or -errno.
 */
int spoolfile_unlink(int dir_fd, const struct spool_file *file, enum spoolfile_kind kind);

#endif
