/*
 * maps: see maps.h. Of sets, whose members nobody keeps, there is how many they are.
 */
#include "worker/maps.h"

#include <stdlib.h>

#include "worker/inspect.h"
#include "worker/view.h"

#define ENTRY_MAX (16 * 1024)

struct maps {
    enum metric_type type;
    struct view_walk walk;
    struct inspect_map map;
    struct reply *reply;
    struct buf entry;
    uint8_t bytes[ENTRY_MAX];
};

static void
show_timer(const struct view *view, struct buf *out)
{
    double samples[INSPECT_SHOWN_MAX];
    struct view_timer timer;

    view_timer(view, &timer);
    inspect_array(samples, view_samples(view, samples, INSPECT_SHOWN_MAX), timer.n, out);
}

static void
show(const struct view *view, void *context)
{
    struct maps *maps = context;
    struct buf *entry = &maps->entry;

    entry->len = 0;
    inspect_key(view->name.text, view->name.len, entry);
    buf_append(entry, ": ", 2);
    switch (view->type) {
    case METRIC_COUNTER: inspect_number(view_sum(view), entry); break;
    case METRIC_GAUGE: inspect_number(view_gauge(view), entry); break;
    case METRIC_TIMER: show_timer(view, entry); break;
    default: inspect_number((double)view_members(view), entry); break;
    }
    inspect_map_add(&maps->map, (const char *)entry->data, entry->len, &maps->reply->out);
}

static enum reply_progress
step_maps(struct reply *reply)
{
    struct maps *maps = reply->state;
    bool more;

    hold_begin(reply->desk->hold);
    more = view_piece(reply->desk->hold, &maps->walk, view_type(maps->type), show, maps);
    hold_end(reply->desk->hold);
    if (more)
        return REPLY_MORE;
    inspect_map_end(&maps->map, &reply->out);
    reply_say(reply, "\nEND\n\n");
    return REPLY_DONE;
}

const char *
maps_begin(struct reply *reply, enum metric_type type, const char *arguments)
{
    struct maps *maps = calloc(1, sizeof(*maps));

    (void)arguments;
    if (maps == NULL)
        return "out of memory";
    maps->type = type;
    maps->reply = reply;
    buf_init_fixed(&maps->entry, maps->bytes, sizeof(maps->bytes));
    reply->state = maps;
    reply->release = free;
    reply->step = step_maps;
    return NULL;
}
