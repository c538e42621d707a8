/*
 * console: see console.h. Owns the commands' words and what each looks like.
 */
#include "worker/console.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "worker/erase.h"
#include "worker/maps.h"
#include "worker/trail.h"

/* ---- what takes a few lines */

static enum reply_progress
step_error(struct reply *reply)
{
    reply_say(reply, "ERROR\n");
    return REPLY_DONE;
}

static enum reply_progress
step_help(struct reply *reply)
{
    reply_say(reply, "Commands: stats, counters, timers, gauges, delcounters, deltimers, "
                     "delgauges, health, config, quit\n\n");
    return REPLY_DONE;
}

static enum reply_progress
step_health(struct reply *reply)
{
    reply_say(reply, "health: %s\n",
              board_get(&reply->desk->opts->board->is_unwell) != 0 ? "down" : "up");
    return REPLY_DONE;
}

static uint64_t
bad_lines(struct hold *hold, uint64_t *out_seen_ms)
{
    uint64_t n = 0;

    hold_begin(hold);
    for (size_t i = 0; i < hold->n; i++) {
        const struct shard *shard = &hold->shards[i];

        n += selfstat_bad(&shard->region->total) + selfstat_bad(&shard->region->stats);
        if (shard->seen_ms > *out_seen_ms)
            *out_seen_ms = shard->seen_ms;
    }
    hold_end(hold);
    return n;
}

/* Where nothing has come yet, or gone, the start counts; an exception that was never is at 0. */
static enum reply_progress
step_stats(struct reply *reply)
{
    const struct board *board = reply->desk->opts->board;
    const struct board_delivery *delivery = &board->delivery;
    uint64_t now_s = (clock_wall_ms() + 500) / 1000;
    uint64_t started_ms = board_get(&board->master.started_ms), seen_ms = started_ms;
    uint64_t n_bad = bad_lines(reply->desk->hold, &seen_ms);
    uint64_t success_ms = board_get(&delivery->last_success_ms);

    if (success_ms == 0)
        success_ms = started_ms;
    reply_say(reply, "uptime: %" PRId64 "\n", (int64_t)(now_s - started_ms / 1000));
    reply_say(reply, "messages.last_msg_seen: %" PRId64 "\n", (int64_t)(now_s - seen_ms / 1000));
    reply_say(reply, "messages.bad_lines_seen: %" PRIu64 "\n", n_bad);
    reply_say(reply, "graphite.last_flush: %" PRId64 "\n", (int64_t)(now_s - success_ms / 1000));
    reply_say(reply, "graphite.last_exception: %" PRId64 "\n",
              (int64_t)(now_s - board_get(&delivery->last_failure_ms) / 1000));
    reply_say(reply, "graphite.flush_time: %" PRIu64 "\n", board_get(&delivery->last_took_ms));
    reply_say(reply, "graphite.flush_length: %" PRIu64 "\n", board_get(&delivery->last_bytes));
    reply_say(reply, "END\n\n");
    return REPLY_DONE;
}

/* ---- config */

/* A line KEY="value" as "KEY: value", or, of a list, a line "KEY > N: value" for each. */
static void
say_setting(struct reply *reply, const char *line, size_t len)
{
    const char *equals = memchr(line, '=', len);
    const char *at = equals + 2, *end = line + len - 1;
    bool is_list = memchr(at, ',', (size_t)(end - at)) != NULL;

    for (size_t i = 0; at <= end; i++) {
        const char *comma = is_list ? memchr(at, ',', (size_t)(end - at)) : NULL;
        const char *stop = comma != NULL ? comma : end;

        buf_append(&reply->out, line, (size_t)(equals - line));
        if (is_list)
            reply_say(reply, " > %zu", i);
        buf_append(&reply->out, ": ", 2);
        buf_append(&reply->out, at, (size_t)(stop - at));
        buf_append(&reply->out, "\n", 1);
        at = stop + 1;
    }
}

static enum reply_progress
step_config(struct reply *reply)
{
    struct buf text;
    const char *line, *end;

    buf_init(&text, BULLETIN_MAX);
    buf_append(&reply->out, "\n", 1);
    if (bulletin_read(reply->desk->opts->config, &text) == 0) {
        line = (const char *)text.data;
        end = line + text.len;
        for (; line < end; line = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1) {
            if (line[0] != '#')
                say_setting(reply, line, strcspn(line, "\n"));
        }
    }
    buf_release(&text);
    return REPLY_DONE;
}

/* ---- the table */

static const char *
begin_health(struct reply *reply, enum metric_type type, const char *arguments)
{
    size_t len = arguments != NULL ? strcspn(arguments, " ") : 0;
    bool goes_up = len == 2 && strncasecmp(arguments, "up", 2) == 0;
    bool goes_down = len == 4 && strncasecmp(arguments, "down", 4) == 0;
    uint64_t *is_unwell = &reply->desk->opts->board->is_unwell;

    (void)type;
    if ((goes_up || goes_down) && reply->desk->opts->console_writes) {
        if (board_get(is_unwell) != goes_down)
            trail_health(reply, goes_down);
        board_set(is_unwell, goes_down);
    }
    reply->step = step_health;
    return NULL;
}

static const struct word {
    const char *name;
    enum reply_progress (*step)(struct reply *reply); /* of those that take no more than that */
    /* Of the others; arguments is what is behind the blank, NULL where there is none. Returns NULL,
     * or why not. */
    const char *(*begin)(struct reply *reply, enum metric_type type, const char *arguments);
    enum metric_type type;
} words[] = {
    {.name = "help", .step = step_help},
    {.name = "stats", .step = step_stats},
    {.name = "config", .step = step_config},
    {.name = "health", .begin = begin_health},
    {.name = "counters", .begin = maps_begin, .type = METRIC_COUNTER},
    {.name = "timers", .begin = maps_begin, .type = METRIC_TIMER},
    {.name = "gauges", .begin = maps_begin, .type = METRIC_GAUGE},
    {.name = "sets", .begin = maps_begin, .type = METRIC_SET},
    {.name = "delcounters", .begin = erase_begin, .type = METRIC_COUNTER},
    {.name = "deltimers", .begin = erase_begin, .type = METRIC_TIMER},
    {.name = "delgauges", .begin = erase_begin, .type = METRIC_GAUGE},
};

static bool
closes(const char *name)
{
    static const char *const names[] = {"quit",   "GET",     "POST",    "HEAD",  "PUT",
                                        "DELETE", "OPTIONS", "CONNECT", "PATCH", "TRACE"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* As String.prototype.trim has it, of what can be typed. */
static char *
trim(char *text, size_t len)
{
    static const char blanks[] = " \t\n\v\f\r";

    while (len > 0 && text[len - 1] != '\0' && strchr(blanks, text[len - 1]) != NULL)
        len--;
    text[len] = '\0';
    return text + strspn(text, blanks);
}

bool
console_begin(struct reply *reply, char *text, size_t len)
{
    char *arguments;

    reply->step = step_error;
    if (memchr(text, '\0', len) != NULL)
        return true;
    text = trim(text, len);
    arguments = strchr(text, ' ');
    if (arguments != NULL)
        *arguments++ = '\0';
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i].name) != 0)
            continue;
        if (words[i].step != NULL)
            reply->step = words[i].step;
        else if (words[i].begin(reply, words[i].type, arguments) != NULL)
            reply->step = step_error;
    }
    return !closes(text);
}
