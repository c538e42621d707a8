/*
 * statusview: owns how the status is laid out. Pure but for the stream it is given.
 */
#include "cli/statusview.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "cli/human.h"
#include "cli/json.h"
#include "cli/say.h"
#include "cli/verdict.h"

#define LINE_SIZE 1024
#define BAR_WIDTH 20

struct view {
    FILE *out;
    const struct facts *facts;
    unsigned columns;
    bool colour;
};

typedef void (*format_fn)(double value, char out[HUMAN_MAX]);

__attribute__((format(printf, 2, 3))) static void
put(const struct view *view, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list args;
    size_t len;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    len = strlen(line);
    while (len > 0 && line[len - 1] == ' ')
        len--;
    say_safely(view->out, line, len < view->columns ? len : view->columns);
    fputc('\n', view->out);
}

static const char *
text(const struct view *view, const char *key)
{
    const char *value = facts_text(view->facts, key);

    return value != NULL ? value : "-";
}

static void
format_fact(const struct view *view, const char *key, format_fn format, char out[HUMAN_MAX])
{
    format(facts_number(view->facts, key), out);
}

/* A row of the table: its name, a rate and a count, and what there is to say of it. */
static void
put_row(const struct view *view, const char *name, const char *rate_key, const char *key,
        format_fn format, const char *note)
{
    char rate[HUMAN_MAX] = "", total[HUMAN_MAX];

    if (rate_key != NULL)
        format_fact(view, rate_key, format, rate);
    format_fact(view, key, format, total);
    put(view, "%-12s %10s %10s   %s", name, rate, total, note);
}

/* "no_value 2, bad_type 1": those of a prefix that are not 0. */
static void
list_reasons(const struct view *view, const char *prefix, char out[LINE_SIZE])
{
    const struct fact *fact;
    size_t at = 0, len = 0;

    *out = '\0';
    while ((fact = facts_next(view->facts, prefix, &at)) != NULL && len < LINE_SIZE - 1) {
        char count[HUMAN_MAX];
        double value = facts_number(view->facts, fact->key);

        if (!(value > 0))
            continue;
        human_count(value, count);
        snprintf(out + len, LINE_SIZE - len, "%s%s %s", len > 0 ? ", " : "",
                 fact->key + strlen(prefix), count);
        len = strlen(out);
    }
}

/* "[####------] 1.2 MiB of 64 MiB", or without a bar where there is no limit. */
static void
draw_level(const struct view *view, const char *used_key, const char *limit_key,
           char out[LINE_SIZE])
{
    double used = facts_number(view->facts, used_key);
    double limit = facts_number(view->facts, limit_key);
    char used_text[HUMAN_MAX], limit_text[HUMAN_MAX], bar[BAR_WIDTH + 1];
    size_t full;

    human_size(used, used_text);
    human_size(limit, limit_text);
    if (!(limit > 0) || !(used >= 0)) {
        snprintf(out, LINE_SIZE, "%s", used > 0 ? used_text : "");
        return;
    }
    full = (size_t)(fmin(used / limit, 1) * BAR_WIDTH + 0.5);
    memset(bar, '#', full);
    memset(bar + full, '-', BAR_WIDTH - full);
    bar[BAR_WIDTH] = '\0';
    snprintf(out, LINE_SIZE, "[%s] %s of %s", bar, used_text, limit_text);
}

static void
put_problems(const struct view *view)
{
    const struct fact *problem;
    size_t at = 0;

    while ((problem = facts_next(view->facts, "problem", &at)) != NULL)
        put(view, "! %s", problem->value);
}

static void
put_heading(const struct view *view)
{
    static const char *const colours[] = {
        [VERDICT_OK] = "\033[1;32m",
        [VERDICT_WARNING] = "\033[1;33m",
        [VERDICT_CRITICAL] = "\033[1;31m",
        [VERDICT_UNKNOWN] = "\033[1m",
    };
    char title[STATUSVIEW_TITLE_MAX], interval[HUMAN_MAX], flush[HUMAN_MAX], overruns[HUMAN_MAX];

    if (view->colour)
        fputs(colours[verdict_of(view->facts)], view->out);
    statusview_title(view->facts, title);
    put(view, "%s", title);
    put_problems(view);
    if (view->colour)
        fputs("\033[0m", view->out);
    human_age(facts_number(view->facts, "interval_ms") / 1000, interval);
    human_age(facts_number(view->facts, "flush_ms") / 1000, flush);
    format_fact(view, "flush_overruns", human_count, overruns);
    put(view, "%-12s every %s, the last took %s; overruns: %s", "flushes", interval, flush,
        overruns);
}

static void
put_whereabouts(const struct view *view)
{
    char age[HUMAN_MAX];

    put(view, "%-12s master %s, worker %s, sender %s; restarts %s and %s", "processes",
        text(view, "pid.master"), text(view, "pid.worker"), text(view, "pid.sender"),
        text(view, "restarts.worker"), text(view, "restarts.sender"));
    put(view, "%-12s %s", "listens on", text(view, "listen"));
    format_fact(view, "last_success_age_s", human_age, age);
    if (strcmp(text(view, "carbon"), "off") == 0)
        put(view, "%-12s nobody: see TRANSPORT", "delivers to");
    else
        put(view, "%-12s %s, %s; last taken %s%s", "delivers to", text(view, "destination"),
            text(view, "carbon"), strcmp(age, "-") == 0 ? "never" : age,
            strcmp(age, "-") == 0 ? "" : " ago");
}

static void
put_in(const struct view *view)
{
    char note[LINE_SIZE], drops[HUMAN_MAX], truncated[HUMAN_MAX], quarantined[HUMAN_MAX];

    put_row(view, "packets", "packets_per_s", "packets", human_count, "");
    put_row(view, "bytes", "bytes_per_s", "bytes", human_size, "");
    put_row(view, "lines in", "lines_per_s", "lines", human_count, "");
    put_row(view, "  applied", NULL, "applied", human_count, "");
    put_row(view, "  filtered", NULL, "filtered", human_count, "");
    list_reasons(view, "bad.", note);
    put_row(view, "  bad", NULL, "bad", human_count, note);
    list_reasons(view, "refused.", note);
    put_row(view, "  refused", NULL, "refused", human_count, note);
    format_fact(view, "udp_drops", human_count, drops);
    format_fact(view, "truncated", human_count, truncated);
    format_fact(view, "quarantined", human_count, quarantined);
    put(view, "%-12s udp_drops %s, truncated %s, quarantined %s", "packets lost", drops, truncated,
        quarantined);
}

static void
put_out(const struct view *view)
{
    char note[LINE_SIZE], failures[HUMAN_MAX], reconnects[HUMAN_MAX];

    format_fact(view, "send_failures", human_count, failures);
    format_fact(view, "reconnects", human_count, reconnects);
    snprintf(note, sizeof(note), "failures %s, reconnects %s", failures, reconnects);
    put_row(view, "lines out", "lines_sent_per_s", "emitted", human_count, note);
    put_row(view, "  delivered", NULL, "delivered", human_count, "");
    draw_level(view, "queue_bytes", "queue_limit", note);
    put_row(view, "  queued", NULL, "queued", human_count, note);
    draw_level(view, "spool_bytes", "spool_limit", note);
    put_row(view, "  spooled", NULL, "spooled", human_count, note);
    put_row(view, "  dropped", NULL, "dropped", human_count, "");
}

static void
put_metrics(const struct view *view)
{
    static const char *const types[] = {"counter", "gauge", "timer", "set"};
    char line[LINE_SIZE] = "", count[HUMAN_MAX];

    for (size_t i = 0; i < 4; i++) {
        char key[32];

        snprintf(key, sizeof(key), "metrics.%s", types[i]);
        format_fact(view, key, human_count, count);
        snprintf(line + strlen(line), LINE_SIZE - strlen(line), "%s%s %ss", i > 0 ? ", " : "",
                 count, types[i]);
    }
    format_fact(view, "max_metrics", human_count, count);
    put(view, "%-12s %s; at most %s", "metrics", line, count);
    draw_level(view, "memory_used", "memory_limit", line);
    put(view, "%-12s %s", "memory", line);
}

void
statusview_title(const struct facts *facts, char out[STATUSVIEW_TITLE_MAX])
{
    const char *version = facts_text(facts, "version"), *state = facts_text(facts, "state");
    char age[HUMAN_MAX];

    human_age(facts_number(facts, "uptime_s"), age);
    snprintf(out, STATUSVIEW_TITLE_MAX, "pystatsd %s is %s, up %s", version != NULL ? version : "-",
             state != NULL ? state : "-", age);
}

void
statusview_print(FILE *out, const struct facts *facts, unsigned columns, bool colour)
{
    struct view view = {out, facts, columns, colour};

    put_heading(&view);
    put_whereabouts(&view);
    put(&view, "%s", "");
    put(&view, "%-12s %10s %10s", "", "a second", "ever");
    put_in(&view);
    put_out(&view);
    put(&view, "%s", "");
    put_metrics(&view);
}

/* Keys whose values are text whatever they look like. */
static bool
is_text(const char *key)
{
    static const char *const keys[] = {"version", "state", "listen", "destination", "carbon"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(key, keys[i]) == 0)
            return true;
    }
    return false;
}

static void
print_member(FILE *out, const struct fact *fact)
{
    json_string(out, fact->key);
    fputs(": ", out);
    if (strcmp(fact->value, "-") == 0)
        fputs("null", out);
    else if (!is_text(fact->key) && json_is_number(fact->value))
        fputs(fact->value, out);
    else
        json_string(out, fact->value);
    fputs(",\n  ", out);
}

void
statusview_print_json(FILE *out, const struct facts *facts)
{
    const struct fact *fact;
    size_t at = 0, n = 0;

    fputs("{\n  ", out);
    while ((fact = facts_next(facts, "", &at)) != NULL) {
        if (strcmp(fact->key, "problem") != 0)
            print_member(out, fact);
    }
    fputs("\"problems\": [", out);
    for (at = 0; (fact = facts_next(facts, "problem", &at)) != NULL;) {
        fputs(n++ > 0 ? ", " : "", out);
        json_string(out, fact->value);
    }
    fputs("]\n}\n", out);
}
