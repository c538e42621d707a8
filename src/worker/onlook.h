/*
 * onlook: what an ingest thread lets others see of its lines: the counts of busy, and those lines
 * that somebody watches. Only the thread itself looks at it while it runs; it is changed while that
 * stands still. Zeroed: nobody sees anything, which costs a look at it a batch.
 */
#ifndef WORKER_ONLOOK_H
#define WORKER_ONLOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/busy.h"
#include "worker/watch.h"

/* Half of those who are let in, so that some are left who can ask something else. */
#define ONLOOK_WATCHES_MAX 8

struct lines;

struct onlook {
    struct busy *busy; /* NULL: nothing is counted */
    size_t n_watches;
    struct watch *watches[ONLOOK_WATCHES_MAX];
};

static inline bool
onlook_is_wanted(const struct onlook *onlook)
{
    return onlook->busy != NULL || onlook->n_watches > 0;
}

/* Lets see the batch at hand. now_ms is the wall clock. */
void onlook_see(const struct lines *lines, uint64_t now_ms);

/* Adds one who watches. False where there are ONLOOK_WATCHES_MAX. */
bool onlook_add(struct onlook *onlook, struct watch *watch);

/* Takes him away; fine where he is not there. */
void onlook_remove(struct onlook *onlook, const struct watch *watch);

#endif
