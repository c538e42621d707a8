/*
 * forget: the deletion of names, whoever asks for it. All of it while the shards are held, see
 * worker/hold.h.
 */
#ifndef WORKER_FORGET_H
#define WORKER_FORGET_H

#include <stdbool.h>

#include "worker/hold.h"
#include "worker/view.h"

/* How long a deletion waits until it may begin, which is less than a client waits for a word, and
 * what is said then. */
#define FORGET_PATIENCE_MS 8000
#define FORGET_IN_VAIN     "a flush is on its way and does not get on; try again"

/* Whether what is there may be deleted: no closed interval is on its way. */
bool forget_may(const struct hold *hold);

/* Holds the shards where it may; otherwise they are in nobody's hands, and it returns false. */
bool forget_begin(struct hold *hold);

/* Deletes a name from every shard, where it may. */
void forget(const struct view *view);

#endif
