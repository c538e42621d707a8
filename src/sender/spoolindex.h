/*
 * spoolindex: what the spool knows of its files, in order. Touches no file.
 */
#ifndef SENDER_SPOOLINDEX_H
#define SENDER_SPOOLINDEX_H

#include <stddef.h>

#include "sender/spool.h"

/* Files that have room in it: more than there may be, so that it is seldom put in order while a
 * directory with too many is read. */
#define SPOOLINDEX_MAX ((size_t)2 * SPOOL_FILES_MAX)

/* Takes memory, of which only what is used is there. Returns 0 or -ENOMEM. */
int spoolindex_init(struct spool *spool);

/* Gives it back; fine on a zeroed struct. */
void spoolindex_release(struct spool *spool);

/* The order, of two struct spool_file, as qsort(3) asks for it. */
int spoolindex_compare(const void *left, const void *right);

/* Where in the index file is, or belongs. */
size_t spoolindex_place(const struct spool *spool, const struct spool_file *file);

/* Puts file there. */
void spoolindex_enter(struct spool *spool, size_t at, const struct spool_file *file);

/* n files from at on are not in the spool any more. */
void spoolindex_forget(struct spool *spool, size_t at, size_t n);

#endif
