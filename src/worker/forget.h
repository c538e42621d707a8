/*
 * forget: the deletion of names, whoever asks for it. All of it while the shards are held, see
 * worker/hold.h.
 */
#ifndef WORKER_FORGET_H
#define WORKER_FORGET_H

#include <stdbool.h>

#include "worker/hold.h"
#include "worker/view.h"

/* Whether what is there may be deleted: no closed interval is on its way. */
bool forget_may(const struct hold *hold);

/* Deletes a name from every shard, where it may. */
void forget(const struct view *view);

#endif
