/*
 * erase: see erase.h. Each word is first a name, then, where it ends like one, a folder.
 */
#include "worker/erase.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "worker/forget.h"
#include "worker/trail.h"

struct erase {
    enum metric_type type;
    struct view_walk walk; /* of the folder */
    struct reply *reply;
    const char *word; /* at hand; NULL: none is left */
    size_t len;
    bool has_begun; /* with it */
    size_t n_deleted;
    uint64_t n_all;       /* deleted, with all words */
    uint64_t deadline_ms; /* before anything could be; 0: it could */
    char arguments[];
};

static void
erase_view(const struct view *view, struct erase *erase)
{
    struct buf *out = &erase->reply->out;

    buf_append_str(out, "deleted: ");
    buf_append(out, view->name.text, view->name.len);
    buf_append(out, "\n", 1);
    erase->n_deleted++;
    erase->n_all++;
    forget(view);
}

static void
erase_if_within(const struct view *view, void *context)
{
    struct erase *erase = context;
    size_t len = erase->len - 1; /* with the dot, without the star */

    if (view->name.len >= len && memcmp(view->name.text, erase->word, len) == 0)
        erase_view(view, erase);
}

static bool
is_folder(const struct erase *erase)
{
    return erase->len >= 2 && memcmp(erase->word + erase->len - 2, ".*", 2) == 0;
}

static void
next_word(struct erase *erase)
{
    const char *blank = erase->word + erase->len;

    erase->word = *blank == ' ' ? blank + 1 : NULL;
    erase->len = erase->word != NULL ? strcspn(erase->word, " ") : 0;
    erase->has_begun = false;
    erase->n_deleted = 0;
    erase->walk = (struct view_walk){0};
}

/* Goes on with the word. Returns whether it is done. */
static bool
erase_piece(struct erase *erase, struct hold *hold)
{
    struct name name = {.text = erase->word, .len = erase->len};
    struct view view;

    if (!erase->has_begun && view_find(hold, erase->type, &name, &view))
        erase_view(&view, erase);
    erase->has_begun = true;
    return !is_folder(erase) ||
           !view_piece(hold, &erase->walk, view_type(erase->type), erase_if_within, erase);
}

static enum reply_progress
step_erase(struct reply *reply)
{
    struct erase *erase = reply->state;
    struct hold *hold = reply->desk->hold;
    bool is_done;

    if (erase->word == NULL) {
        reply_say(reply, "END\n\n");
        return REPLY_DONE;
    }
    if (!forget_begin(hold)) {
        if (erase->deadline_ms != 0 && clock_mono_ms() >= erase->deadline_ms)
            return reply_fail(reply, FORGET_IN_VAIN);
        return REPLY_LATER;
    }
    erase->deadline_ms = 0;
    is_done = erase_piece(erase, hold);
    hold_end(hold);
    if (is_done && erase->n_deleted == 0) {
        reply_say(reply, "metric ");
        buf_append(&reply->out, erase->word, erase->len);
        reply_say(reply, " not found\n");
    }
    if (is_done)
        next_word(erase);
    return REPLY_MORE;
}

/* Also where the client did not wait for the end. */
static void
erase_free(void *state)
{
    static const char *const kinds[METRIC_TYPE_COUNT] = {
        [METRIC_COUNTER] = "counters",
        [METRIC_GAUGE] = "gauges",
        [METRIC_TIMER] = "timers",
        [METRIC_SET] = "sets",
    };
    struct erase *erase = state;

    trail_deleted(erase->reply, kinds[erase->type], erase->arguments, erase->n_all);
    free(erase);
}

const char *
erase_begin(struct reply *reply, enum metric_type type, const char *arguments)
{
    size_t len = arguments != NULL ? strlen(arguments) : 0;
    struct erase *erase;

    if (!reply->desk->opts->console_writes)
        return "CONSOLE_WRITE is no";
    erase = calloc(1, sizeof(*erase) + len + 1);
    if (erase == NULL)
        return "out of memory";
    erase->type = type;
    erase->reply = reply;
    erase->deadline_ms = clock_mono_ms() + FORGET_PATIENCE_MS;
    if (arguments != NULL) {
        memcpy(erase->arguments, arguments, len);
        erase->word = erase->arguments;
        erase->len = strcspn(erase->word, " ");
    }
    reply->state = erase;
    reply->release = erase_free;
    reply->step = step_erase;
    return NULL;
}
