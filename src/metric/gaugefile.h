/*
 * gaugefile: the bytes of GAUGES_FILE: what gauges were last set to, and when. Pure. What is read
 * is not trusted: a file is good as a whole, or refused as a whole.
 *
 * A header, then entries without padding, in the machine's byte order:
 *
 *   u64 set_ms · f64 value · u16 name_len · name
 */
#ifndef METRIC_GAUGEFILE_H
#define METRIC_GAUGEFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* No clock says more; what is reckoned with it does not wrap. */
#define GAUGEFILE_SET_MS_MAX (UINT64_C(1) << 53)

struct gaugefile_header {
    char magic[8];
    uint32_t version;
    uint32_t crc;    /* CRC-32C of the header with 0 here, and of the entries */
    uint64_t n;      /* entries */
    uint64_t length; /* bytes of them */
};

struct gaugefile_entry {
    uint64_t set_ms; /* wall clock, to GAUGEFILE_SET_MS_MAX */
    double value;    /* finite */
    const char *name;
    size_t name_len; /* from 1 to RECORD_NAME_MAX */
};

#define GAUGEFILE_ENTRY_LEN 18 /* without the name */

enum gaugefile_verdict {
    GAUGEFILE_OK,
    GAUGEFILE_SHORT,    /* no whole header */
    GAUGEFILE_FOREIGN,  /* no file of gauges */
    GAUGEFILE_VERSION,  /* of another version */
    GAUGEFILE_LENGTH,   /* its length is not what it says */
    GAUGEFILE_CHECKSUM, /* what is read is not what was written */
    GAUGEFILE_ENTRY,    /* an entry that nobody can have written */
};

/* The entries that are still to be read. */
struct gaugefile {
    const uint8_t *at, *end;
};

/* Begins a file in an empty buf. Returns 0, or -1 where it does not fit. */
int gaugefile_begin(struct buf *buf);

/* Appends an entry, or nothing and returns -1 where it does not fit or is not one. */
int gaugefile_add(struct buf *buf, const struct gaugefile_entry *entry);

/* Ends the file: buf is what is to be written. */
void gaugefile_end(struct buf *buf);

/* Checks a whole file. Where it is GAUGEFILE_OK, out is at its first entry; borrows the bytes. */
enum gaugefile_verdict gaugefile_open(const void *bytes, size_t len, struct gaugefile *out);

/* For a log line: "wrong checksum", … */
const char *gaugefile_strerror(enum gaugefile_verdict verdict);

/* The next entry, its name borrowed. Returns false behind the last. */
bool gaugefile_next(struct gaugefile *file, struct gaugefile_entry *out);

#endif
