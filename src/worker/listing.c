/*
 * listing: see listing.h. Owns how these answers are made in pieces.
 */
#include "worker/listing.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "worker/forget.h"
#include "worker/trail.h"

struct listing {
    struct view_walk walk;
    bool deletes;
    uint64_t deadline_ms; /* of a deletion that has not begun; 0: it has */
    uint64_t n_deleted;   /* of all */
    const char *text;     /* of the patterns, behind them */
    struct reply *reply;
    struct filter filter;
    uint8_t patterns[];
};

static void
list_name(const struct view *view, void *context)
{
    struct listing *listing = context;
    struct buf *out = &listing->reply->out;

    if (!filter_keeps(&listing->filter, view->name.text, view->name.len))
        return;
    buf_append_str(out, metric_type_name(view->type));
    buf_append(out, " ", 1);
    buf_append(out, view->name.text, view->name.len);
    buf_append(out, "\n", 1);
    if (!listing->deletes)
        return;
    forget(view);
    listing->n_deleted++;
}

static bool
begin_piece(const struct listing *listing, struct hold *hold)
{
    if (listing->deletes)
        return forget_begin(hold);
    hold_begin(hold);
    return true;
}

static enum reply_progress
step_list(struct reply *reply)
{
    struct listing *listing = reply->state;
    struct hold *hold = reply->desk->hold;
    bool more;

    if (!begin_piece(listing, hold)) {
        if (listing->deadline_ms != 0 && clock_mono_ms() >= listing->deadline_ms)
            return reply_fail(reply, FORGET_IN_VAIN);
        return REPLY_LATER;
    }
    listing->deadline_ms = 0;
    more = view_piece(hold, &listing->walk, VIEW_ALL, list_name, listing);
    hold_end(hold);
    return more ? REPLY_MORE : REPLY_DONE;
}

/* Also where the client did not wait for the end. */
static void
free_listing(void *state)
{
    struct listing *listing = state;

    trail_deleted(listing->reply, "metrics", listing->text, listing->n_deleted);
    free(listing);
}

static const char *
begin(struct reply *reply, const char *patterns, bool deletes)
{
    struct filter_opts opts = {.allow = patterns};
    size_t size = filter_storage_size(&opts);
    struct listing *listing = calloc(1, sizeof(*listing) + size + strlen(patterns) + 1);

    if (listing == NULL)
        return "out of memory";
    if (filter_init(&listing->filter, &opts, listing->patterns, size) != 0) {
        free(listing);
        return "expected patterns of at most 256 bytes with commas between them";
    }
    listing->text = strcpy((char *)listing->patterns + size, patterns);
    listing->deletes = deletes;
    listing->deadline_ms = clock_mono_ms() + FORGET_PATIENCE_MS;
    listing->reply = reply;
    reply->state = listing;
    reply->release = free_listing;
    reply->step = step_list;
    return NULL;
}

const char *
listing_begin_list(struct reply *reply, const char *argument)
{
    return begin(reply, argument, false);
}

const char *
listing_begin_delete(struct reply *reply, const char *argument)
{
    if (argument[0] == '\0')
        return "expected a pattern of the names to delete; * is all of them";
    return begin(reply, argument, true);
}

/* ---- get */

static void
say_number(struct reply *reply, const struct view *view, const char *key, double value)
{
    char digits[NUM_TEXT_MAX];

    buf_append_str(&reply->out, metric_type_name(view->type));
    buf_append(&reply->out, " ", 1);
    buf_append(&reply->out, view->name.text, view->name.len);
    reply_say(reply, " %s ", key);
    buf_append(&reply->out, digits, num_format(value, digits));
    buf_append(&reply->out, "\n", 1);
}

static void
say_counter(struct reply *reply, const struct view *view)
{
    struct desk_facts facts;
    double sum = view_sum(view);

    desk_ask(reply->desk, &facts);
    say_number(reply, view, "sum", sum);
    if (facts.open.span_ms > 0 && sum / ((double)facts.open.span_ms / 1000) <= 1e308)
        say_number(reply, view, "rate", sum / ((double)facts.open.span_ms / 1000));
}

static void
say_timer(struct reply *reply, const struct view *view)
{
    struct view_timer timer;

    view_timer(view, &timer);
    say_number(reply, view, "count", (double)timer.n);
    if (timer.n == 0)
        return;
    say_number(reply, view, "lower", timer.lower);
    say_number(reply, view, "mean", timer.sum / (double)timer.n);
    say_number(reply, view, "upper", timer.upper);
    say_number(reply, view, "sum", timer.sum);
}

static void
say_view(struct reply *reply, const struct view *view)
{
    uint64_t now_ms = clock_wall_ms(), updated_ms = view_updated_ms(view);

    switch (view->type) {
    case METRIC_COUNTER: say_counter(reply, view); break;
    case METRIC_GAUGE: say_number(reply, view, "value", view_gauge(view)); break;
    case METRIC_TIMER: say_timer(reply, view); break;
    default: say_number(reply, view, "count", (double)view_members(view)); break;
    }
    say_number(reply, view, "age_s",
               now_ms > updated_ms ? (double)((now_ms - updated_ms) / 1000) : 0);
}

static enum reply_progress
step_get(struct reply *reply)
{
    const char *raw = reply->state;
    char scratch[NAME_LEN_MAX];
    struct name name;
    bool is_there = false;

    if (name_clean(raw, strlen(raw), &reply->desk->opts->names, scratch, &name) != PARSE_OK)
        return reply_fail(reply, "that is no name");
    hold_begin(reply->desk->hold);
    for (enum metric_type type = 0; type < METRIC_TYPE_COUNT; type++) {
        struct view view;

        if (!view_find(reply->desk->hold, type, &name, &view))
            continue;
        is_there = true;
        say_view(reply, &view);
    }
    hold_end(reply->desk->hold);
    return is_there ? REPLY_DONE : reply_fail(reply, "no metric has that name");
}

const char *
listing_begin_get(struct reply *reply, const char *argument)
{
    if (argument[0] == '\0')
        return "expected a name";
    reply->state = strdup(argument);
    if (reply->state == NULL)
        return "out of memory";
    reply->release = free;
    reply->step = step_get;
    return NULL;
}
