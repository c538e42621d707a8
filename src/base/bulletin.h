/*
 * bulletin: a text that one process keeps up to date for others that it has forked. It never waits
 * for them, and they never see half of a text.
 */
#ifndef BASE_BULLETIN_H
#define BASE_BULLETIN_H

#include <stddef.h>

#include "base/buf.h"

#define BULLETIN_MAX (512 * 1024)

struct bulletin;

/* An empty one, mapped so that processes forked from now on share it, or NULL without memory. There
 * is one in a master's life, and it is never given back. */
struct bulletin *bulletin_new(void);

/* Replaces the text; what is beyond BULLETIN_MAX is cut. There is one process that does. */
void bulletin_post(struct bulletin *bulletin, const char *text, size_t len);

/* Appends the text as it is at one moment. Returns 0, or -1 where out has no room for it or it is
 * being replaced all the time; out is then as it was. */
int bulletin_read(const struct bulletin *bulletin, struct buf *out);

#endif
