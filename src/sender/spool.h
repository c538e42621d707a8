/*
 * spool: the flushes that wait on disk, each an immutable file in one directory. There is no
 * ledger: that a file exists is the state, to unlink it is the acknowledgement.
 *
 * What has another kind of name, or is no plain file with that name alone (a link, a FIFO, a
 * directory), is never opened, followed or removed. A file that turns out to be damaged is renamed
 * to ….bad, of which a few are kept, and never stops the others.
 */
#ifndef SENDER_SPOOL_H
#define SENDER_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/board.h"
#include "sender/batch.h"
#include "sender/spoolfile.h"

/* A day of flushes every second. The index takes 32 bytes for each that there is. */
#define SPOOL_FILES_MAX 131072
/* Of what was set aside; the oldest go. */
#define SPOOL_BAD_MAX 16

struct spool {
    int dir_fd;
    uint64_t *beat; /* of the process, see base/board.h; or NULL */
    uint64_t max_bytes, max_age_s;
    struct spool_file *files; /* oldest first */
    size_t n_files;
    uint64_t n_bytes, n_lines; /* in files */
    uint64_t n_dropped;        /* lines that had to go for the limits, since it was opened */
    const char *limit;         /* the one that the last of them went for, for the log */
    uint64_t busy; /* the flush that is on its way, which does not go for the limits; 0: none */

    struct spool_file bad[SPOOL_BAD_MAX + 1]; /* on disk, in no order */
    size_t n_bad;
    uint64_t n_bad_files; /* given up, since it was opened; and the last of them */
    struct spool_file bad_file;
    const char *bad_reason;
    uint64_t n_ignored; /* entries with a name of ours that cannot be read or are no plain files */
};

/* Takes what is in the directory, which must be open for reading, and is borrowed. Leftovers of
 * killed processes go, and the oldest where there is too much: more than max_bytes (with those set
 * aside), older than max_age_ms, or more than SPOOL_FILES_MAX. Whatever takes long goes with *beat.
 * Returns 0 or -errno. */
int spool_open(struct spool *spool, int dir_fd, uint64_t max_bytes, uint64_t max_age_ms,
               uint64_t wall_ms, uint64_t *beat);

/* Forgets the directory; everything stays there. Fine on a zeroed struct. */
void spool_close(struct spool *spool);

/* Writes a sealed batch, durably; the oldest make room for it, but not the one that is busy, beside
 * which there may be one too much. One that is there already stays.
 * Returns 0, or -errno: nothing is then left behind. -EFBIG: larger than max_bytes. */
int spool_put(struct spool *spool, const struct batch *batch, uint64_t wall_ms);

/* The oldest, or NULL. It is good until the next call that is not const. */
const struct spool_file *spool_oldest(const struct spool *spool);

/* Reads a file back as a sealed batch, which the caller frees; every byte is checked. Returns 0;
 * -EMFILE, -ENFILE or -ENOMEM: it can be tried again; any other -errno: the file was given up, it
 * is not in the spool any more, and bad_reason says why. -EBADMSG: it was set aside. Else it is
 * left where it is, for the next spool_open. */
int spool_load(struct spool *spool, const struct spool_file *file, struct batch **out);

/* Removes a file: it is delivered. Returns 0 or -errno: the file is then still there, though not in
 * the spool any more, and comes back with the next spool_open. */
int spool_remove(struct spool *spool, const struct spool_file *file);

/* Whether the flush is in the spool. */
bool spool_has(const struct spool *spool, uint64_t id);

/* The process gets on. */
static inline void
spool_beat(const struct spool *spool)
{
    if (spool->beat != NULL)
        board_count(spool->beat);
}

#endif
