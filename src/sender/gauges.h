/*
 * gauges: what a flush says of gauges, kept in GAUGES_FILE for the time after a reboot.
 */
#ifndef SENDER_GAUGES_H
#define SENDER_GAUGES_H

#include <stddef.h>
#include <stdint.h>

/* Writes every gauge among len bytes of encoded records (metric/point.h) as the file of that name
 * (metric/gaugefile.h), whole or not at all; what has the name is replaced, a link is not followed.
 * name with ".tmp" behind it is used meanwhile. Returns 0 or -errno; -EBADMSG: the bytes are no
 * records. Takes memory of up to len bytes for the time. */
int gauges_save(int dir_fd, const char *name, const uint8_t *records, size_t len);

#endif
