/*
 * confile: the configuration file, brought into a form that libconfuse reads as sh and systemd do.
 *
 * The file keeps to a subset on which sh, systemd's EnvironmentFile and libconfuse agree; whatever
 * they would read differently is refused with its line, rather than guessed. Nothing is evaluated.
 * The one exception is a comment behind a value, which py-statsd's own file had: it is one for sh
 * alone.
 */
#ifndef MASTER_CONFILE_H
#define MASTER_CONFILE_H

#include <stddef.h>

#include "base/buf.h"

#define CONFILE_SIZE_MAX (256 * 1024)

/* Reads a regular file of at most CONFILE_SIZE_MAX bytes. Returns 0 or -errno (-EINVAL: not a
 * regular file, -EFBIG: too large). */
int confile_read(const char *path, struct buf *out);

/* Checks every line of text against the subset and appends it to out with the same line numbers in
 * libconfuse's form: comments blanked, KEY= as KEY="", "export " and CR dropped. Returns 0, or the
 * number of the first bad line, with *out_why a constant text that says what was expected. */
int confile_normalise(const char *text, size_t len, struct buf *out, const char **out_why);

#endif
