/*
 * choice: what goes next of all that is to be sent. Knows no connection and starts nothing.
 *
 * The newest flush goes first, as long as it was never tried; then the oldest, at a measured pace.
 * Of two with the same timestamp the older always goes first: the last one counts.
 */
#ifndef SENDER_CHOICE_H
#define SENDER_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "sender/backlog.h"

/* Whether anything is to go now; last: whatever the pace. */
bool choice_is_there(const struct backlog *backlog, bool last, uint64_t now_ms);

/* What goes now; of kind BACKLOG_NOTHING, it is none. */
void choice_make(struct backlog *backlog, bool last, uint64_t now_ms, struct backlog_item *out);

#endif
