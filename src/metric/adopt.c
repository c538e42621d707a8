/*
 * adopt: see adopt.h. Two chains lead through all metrics of a table: those in order of creation,
 * and those that a flush took out. Each metric must be in one of them, once.
 */
#include "metric/adopt.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct inquiry {
    struct table *table;
    struct survey survey;
    uint32_t n_found;
    arena_ref last;     /* of the chain at hand */
    bool behind_newest; /* the walk is past what was there at the last close */
};

/* Its size is known when its type and the length of its name are; the check word is the name's
 * keyed hash. */
static bool
is_sound(struct inquiry *inquiry, arena_ref ref, struct metric *metric)
{
    struct table *table = inquiry->table;
    struct survey *survey = &inquiry->survey;
    struct name name;

    if ((uint64_t)ref * ARENA_UNIT + sizeof(*metric) > table->arena.frontier ||
        metric->type >= METRIC_TYPE_COUNT || metric->name_len == 0 ||
        metric->name_len > NAME_LEN_MAX ||
        !survey_mark(survey, ref, metric_size(metric->type, metric->name_len)))
        return false;
    name = (struct name){.text = metric_name(metric), .len = metric->name_len};
    if (metric->hash != index_hash(&table->opts.key, metric->type, &name))
        return false;
    return metric_survey(metric, survey);
}

/* A metric that was made since the last close cannot have samples from before. */
static bool
is_in_time(const struct inquiry *inquiry, const struct metric *metric)
{
    return !inquiry->behind_newest || !metric_touched(metric, table_open(inquiry->table) ^ 1);
}

static bool
walk(struct inquiry *inquiry, arena_ref first)
{
    struct table *table = inquiry->table;

    inquiry->last = 0;
    for (arena_ref ref = first; ref != 0;) {
        struct metric *metric = arena_at(&table->arena, ref);

        if (!is_sound(inquiry, ref, metric) || !is_in_time(inquiry, metric))
            return false;
        metric->round = 0;
        metric->filtered = !filter_keeps(table->opts.filter, metric_name(metric), metric->name_len);
        if (ref == table->newest)
            inquiry->behind_newest = true;
        inquiry->n_found++;
        inquiry->last = ref;
        ref = metric->next;
    }
    return true;
}

static bool
walk_all(struct inquiry *inquiry)
{
    struct table *table = inquiry->table;
    arena_ref last;

    inquiry->behind_newest = table->newest == 0;
    if (!walk(inquiry, table->first) || !inquiry->behind_newest)
        return false;
    last = inquiry->last;
    inquiry->behind_newest = false;
    if (!walk(inquiry, table->unlinked) || inquiry->n_found != table->n_metrics)
        return false;
    table->last = last;
    return true;
}

static void
index_chain(struct table *table, arena_ref ref)
{
    while (ref != 0) {
        const struct metric *metric = arena_at(&table->arena, ref);

        index_add(&table->index, &table->arena, ref, metric->hash);
        ref = metric->next;
    }
}

int
adopt_table(struct table *table, const struct table_opts *opts)
{
    struct inquiry inquiry = {.table = table};
    int error;
    bool sound;

    table->opts = *opts;
    if (table->check != table_check(table))
        return -EBADMSG;
    if ((error = survey_begin(&inquiry.survey, &table->arena, &opts->arena)) != 0)
        return error;
    sound = walk_all(&inquiry);
    survey_end(&inquiry.survey, sound);
    if (!sound)
        return -EBADMSG;
    memset(&table->retired, 0, sizeof(table->retired));
    memset(&table->freed, 0, sizeof(table->freed));
    if (index_init(&table->index, &table->arena, table->n_metrics) != 0)
        return -ENOMEM;
    index_chain(table, table->first);
    index_chain(table, table->unlinked);
    return 0;
}

int
adopt_gauge(struct table *table, const struct name *name, double value, uint64_t set_ms)
{
    struct sample sample = {.type = METRIC_GAUGE, .value = value, .rate = 1};
    uint32_t hash = table_hash(table, METRIC_GAUGE, name);
    struct metric *metric = table_find(table, METRIC_GAUGE, name, hash);
    struct gauge *state;

    if (metric != NULL || table_apply(table, &sample, name, hash, set_ms) != TABLE_APPLIED)
        return -1;
    metric = table_find(table, METRIC_GAUGE, name, hash);
    state = metric_state(metric, table_open(table));
    undo_note(table->arena.undo, metric_last(metric), sizeof(struct gauge_last));
    metric_set_last(metric, state);
    metric->check[table_open(table)] = 0;
    *state = (struct gauge){0};
    undo_commit(table->arena.undo);
    return 0;
}
