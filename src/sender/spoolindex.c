/*
 * spoolindex: see spoolindex.h.
 */
#include "sender/spoolindex.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define INDEX_SIZE (SPOOLINDEX_MAX * sizeof(struct spool_file))

int
spoolindex_init(struct spool *spool)
{
    void *files =
        mmap(NULL, INDEX_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (files == MAP_FAILED)
        return -ENOMEM;
    spool->files = files;
    return 0;
}

void
spoolindex_release(struct spool *spool)
{
    if (spool->files != NULL)
        munmap(spool->files, INDEX_SIZE);
    spool->files = NULL;
}

int
spoolindex_compare(const void *left, const void *right)
{
    const struct spool_file *a = left, *b = right;

    if (a->timestamp_s != b->timestamp_s)
        return a->timestamp_s < b->timestamp_s ? -1 : 1;
    return a->id == b->id ? 0 : a->id < b->id ? -1 : 1;
}

size_t
spoolindex_place(const struct spool *spool, const struct spool_file *file)
{
    size_t at = spool->n_files; /* most that come are the newest */

    while (at > 0 && spoolindex_compare(&spool->files[at - 1], file) >= 0)
        at--;
    return at;
}

void
spoolindex_enter(struct spool *spool, size_t at, const struct spool_file *file)
{
    assert(spool->n_files < SPOOLINDEX_MAX);
    memmove(&spool->files[at + 1], &spool->files[at],
            (spool->n_files - at) * sizeof(spool->files[0]));
    spool->files[at] = *file;
    spool->n_files++;
    spool->n_bytes += file->size;
    spool->n_lines += file->n_lines;
}

void
spoolindex_forget(struct spool *spool, size_t at, size_t n)
{
    for (size_t i = at; i < at + n; i++) {
        spool->n_bytes -= spool->files[i].size;
        spool->n_lines -= spool->files[i].n_lines;
    }
    spool->n_files -= n;
    memmove(&spool->files[at], &spool->files[at + n],
            (spool->n_files - at) * sizeof(spool->files[0]));
}
