/*
 * live: see live.h. What is the shards' is looked at, and changed, only while they stand still.
 */
#include "worker/live.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "worker/busy.h"
#include "worker/explain.h"
#include "worker/hold.h"
#include "worker/watch.h"

#define TOP_N 20
/* Bytes of the rings of one who watches, together and each. */
#define RINGS_SIZE    ((size_t)512 * 1024)
#define RING_SIZE_MIN ((size_t)16 * 1024)
/* Lines that found no room: who has not come for them for so long is too slow for them, else there
 * are too many for anybody. */
#define PATIENCE_MS 1000

static const char NO_MEMORY[] = "out of memory";

void
live_open(struct shard *shards, size_t n)
{
    for (size_t i = 0; i < n; i++)
        shards[i].lines.onlook.busy = busy_new(&shards[i].region->table.opts.key, n);
}

void
live_close(struct shard *shards, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        busy_free(shards[i].lines.onlook.busy);
        shards[i].lines.onlook.busy = NULL;
    }
}

const char *
live_begin_explain(struct reply *reply, const char *argument)
{
    size_t len = strlen(argument);
    bool sent;

    if (len > EXPLAIN_LINE_MAX)
        return "the line is too long";
    reply_good(reply);
    return explain(reply->desk->opts, argument, len, &reply->out, &sent) == 0 ? NULL : NO_MEMORY;
}

const char *
live_begin_top(struct reply *reply, const char *argument)
{
    struct hold *hold = reply->desk->hold;
    uint64_t n = TOP_N, now_ms = clock_wall_ms();
    struct busy *merged;

    if (argument[0] != '\0' &&
        (num_parse_u64(argument, strlen(argument), BUSY_TOP_MAX, &n) != 0 || n == 0))
        return "it takes a number from 1 to 100";
    merged = busy_new_merged(&hold->shards[0].region->table.opts.key);
    if (merged == NULL)
        return NO_MEMORY;
    hold_begin(hold);
    for (size_t i = 0; i < hold->n; i++) {
        if (hold->shards[i].lines.onlook.busy != NULL)
            busy_merge(merged, hold->shards[i].lines.onlook.busy, now_ms);
    }
    hold_end(hold);
    reply_good(reply);
    busy_print(merged, (size_t)n, now_ms, &reply->out);
    busy_free(merged);
    return NULL;
}

/* One who watches. */
struct viewer {
    struct hold *hold;
    uint64_t asked_ms;       /* when he took something last */
    size_t next;             /* the shard that is taken from first, each in its turn */
    struct watch *watches[]; /* one a shard */
};

static void
release_viewer(void *state)
{
    struct viewer *viewer = state;
    struct hold *hold = viewer->hold;

    hold_begin(hold);
    for (size_t i = 0; i < hold->n; i++)
        onlook_remove(&hold->shards[i].lines.onlook, viewer->watches[i]);
    hold_end(hold);
    for (size_t i = 0; i < hold->n; i++)
        watch_free(viewer->watches[i]);
    free(viewer);
}

static struct viewer *
make_viewer(struct hold *hold, const char *glob)
{
    struct viewer *viewer = calloc(1, sizeof(*viewer) + hold->n * sizeof(viewer->watches[0]));
    size_t size = RINGS_SIZE;

    if (viewer == NULL)
        return NULL;
    while (size > RING_SIZE_MIN && size * hold->n > RINGS_SIZE)
        size /= 2;
    viewer->hold = hold;
    viewer->asked_ms = clock_mono_ms();
    for (size_t i = 0; i < hold->n; i++) {
        viewer->watches[i] = watch_new(glob, size);
        if (viewer->watches[i] == NULL) {
            release_viewer(viewer);
            return NULL;
        }
    }
    return viewer;
}

/* All shards have as many watches. */
static bool
let_see(struct viewer *viewer)
{
    struct hold *hold = viewer->hold;
    bool has_room = true;

    hold_begin(hold);
    for (size_t i = 0; i < hold->n; i++)
        has_room = onlook_add(&hold->shards[i].lines.onlook, viewer->watches[i]) && has_room;
    hold_end(hold);
    return has_room;
}

static enum reply_progress
step_watch(struct reply *reply)
{
    struct viewer *viewer = reply->state;
    uint64_t now_ms = clock_mono_ms(), n_skipped = 0;
    size_t n = viewer->hold->n;
    bool has_more = false;

    for (size_t i = 0; i < n; i++) {
        struct watch *watch = viewer->watches[(viewer->next + i) % n];

        has_more = watch_take(watch, &reply->out, REPLY_PIECE) || has_more;
        n_skipped += watch_skipped(watch);
    }
    viewer->next++;
    if (n_skipped > 0 && now_ms - viewer->asked_ms > PATIENCE_MS) {
        reply_say(reply, "dropped: too slow\n");
        return REPLY_DONE;
    }
    if (n_skipped > 0)
        reply_say(reply, "skipped: %" PRIu64 " lines\n", n_skipped);
    viewer->asked_ms = now_ms;
    return has_more ? REPLY_MORE : REPLY_LATER;
}

const char *
live_begin_watch(struct reply *reply, const char *argument)
{
    struct viewer *viewer;

    if (strlen(argument) > FILTER_PATTERN_MAX)
        return "the pattern is too long";
    if ((viewer = make_viewer(reply->desk->hold, argument)) == NULL)
        return NO_MEMORY;
    if (!let_see(viewer)) {
        release_viewer(viewer);
        return "as many watch already as can";
    }
    reply_good(reply);
    reply->state = viewer;
    reply->release = release_viewer;
    reply->step = step_watch;
    return NULL;
}
