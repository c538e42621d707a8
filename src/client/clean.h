/*
 * clean: text of a caller's made safe for the wire, so that it can be no second line, no other
 * field, and no other name than the server makes of it.
 */
#ifndef CLIENT_CLEAN_H
#define CLIENT_CLEAN_H

#include <stddef.h>

/* A name by py-statsd's rule: "/" to "-", " " to "_", each run of other white space to one "_",
 * and nothing outside [A-Za-z0-9_.-]. At most max bytes are written, without a NUL. Returns how
 * many there would be. */
size_t clean_name(const char *raw, char *out, size_t max);

/* A value or a member of a set: control characters, ":" and "|" to "_". Otherwise the same. */
size_t clean_member(const char *raw, char *out, size_t max);

/* A type and fields behind it: control characters to "_". Otherwise the same. */
size_t clean_fields(const char *raw, char *out, size_t max);

/* Tags: control characters, " " and "|" to "_". Otherwise the same. */
size_t clean_tags(const char *raw, char *out, size_t max);

#endif
