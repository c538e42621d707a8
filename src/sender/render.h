/*
 * render: a batch as the bytes that carbon reads: "NAME VALUE TIMESTAMP\n", a piece at a time.
 *
 * One bad byte makes carbon throw away the rest of a connection without a word, so every line
 * passes one check here: ^[!-~]+ -?[0-9]+(\.[0-9]+)? [0-9]{1,10}\n$, at most RENDER_LINE_MAX bytes.
 */
#ifndef SENDER_RENDER_H
#define SENDER_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "metric/dialect.h"
#include "sender/batch.h"

#define RENDER_LINE_MAX 4096

struct render {
    const struct batch *batch;
    const struct dialect *dialect;
    const uint8_t *at;  /* the next record */
    uint64_t n_refused; /* lines that did not pass the check */
};

/* Starts at the batch's first record. Borrows both. */
void render_init(struct render *render, const struct batch *batch, const struct dialect *dialect);

/* Appends whole lines to out while they fit. Returns false when there is nothing left to append.
 * out must have room for the lines of one record: RECORD_POINTS_MAX × RENDER_LINE_MAX bytes. */
bool render_next(struct render *render, struct buf *out);

/* Whether the len bytes are one line that carbon takes. */
bool render_line_is_valid(const char *line, size_t len);

#endif
