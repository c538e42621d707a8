/*
 * flush: the walk over a closed interval. Knows nothing of where its records go.
 */
#include "metric/flush.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

int
flush_init(struct flush *flush, const struct flush_opts *opts)
{
    void *samples;

    assert(opts->n_tables > 0 && opts->n_tables <= FLUSH_TABLES_MAX);
    memset(flush, 0, sizeof(*flush));
    flush->opts = *opts;
    flush->timers.arena = &flush->scratch;
    flush->timers.capacity = opts->n_tables * (opts->max_samples > 0 ? opts->max_samples : 1);
    samples = mmap(NULL, flush->timers.capacity * sizeof(double), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (samples == MAP_FAILED)
        return -errno;
    flush->timers.samples = samples;
    return arena_init(&flush->scratch, &(struct arena_opts){.size = TIMER_SCRATCH + SET_SCRATCH});
}

void
flush_release(struct flush *flush)
{
    if (flush->timers.samples != NULL)
        (void)munmap(flush->timers.samples, flush->timers.capacity * sizeof(double));
    arena_release(&flush->scratch);
    memset(flush, 0, sizeof(*flush));
}

/* To the first metric of a table. */
static void
enter(struct flush *flush, size_t table)
{
    flush->table = table;
    flush->before = 0;
    flush->at_end = flush->newest[table] == 0;
    flush->at = flush->at_end ? 0 : flush->opts.tables[table]->first;
    flush->n_unlinked = 0;
}

static void
begin(struct flush *flush)
{
    flush->running = true;
    /* 0 is on every metric that no other table's walk has come to. */
    flush->round = flush->round == UINT8_MAX ? 1 : (uint8_t)(flush->round + 1);
    flush->n_records = 0;
    memset(flush->n_metrics, 0, sizeof(flush->n_metrics));
    memset(flush->members, 0, sizeof(flush->members));
    enter(flush, 0);
}

static void
take_closed(struct flush *flush)
{
    flush->number = flush->opts.tables[0]->number - 1;
    for (size_t i = 0; i < flush->opts.n_tables; i++) {
        assert(__atomic_load_n(&flush->opts.tables[i]->flushing, __ATOMIC_ACQUIRE));
        flush->newest[i] = flush->opts.tables[i]->newest;
    }
}

void
flush_begin(struct flush *flush, const struct interval *interval)
{
    flush->interval = *interval;
    take_closed(flush);
    begin(flush);
}

void
flush_begin_open(struct flush *flush, const struct interval *interval)
{
    flush->interval = *interval;
    flush->number = flush->opts.tables[0]->number;
    for (size_t i = 0; i < flush->opts.n_tables; i++)
        flush->newest[i] = flush->opts.tables[i]->last;
    begin(flush);
}

static struct metric *
current(const struct flush *flush)
{
    return arena_at(&flush->opts.tables[flush->table]->arena, flush->at);
}

static unsigned
generation_of(const struct flush *flush)
{
    return flush->number & 1;
}

/* Behind the newest, metrics may be growing. */
static void
step(struct flush *flush)
{
    flush->before = flush->at;
    flush->at_end = flush->at == flush->newest[flush->table];
    flush->at = flush->at_end ? 0 : current(flush)->next;
}

/* Finds the name at hand in the tables from the first-th on. */
static void
gather(struct flush *flush, size_t first)
{
    struct metric *metric = current(flush);
    struct name name = {.text = metric_name(metric), .len = metric->name_len};

    for (size_t i = 0; i < flush->opts.n_tables; i++)
        flush->members[i] =
            i < first || i == flush->table
                ? NULL
                : table_find(flush->opts.tables[i], metric->type, &name, metric->hash);
    flush->members[flush->table] = metric;
}

/* Marks the name at hand where the walk is still to come. */
static void
mark_round(struct flush *flush)
{
    current(flush)->round = 0;
    for (size_t i = flush->table + 1; i < flush->opts.n_tables; i++) {
        if (flush->members[i] != NULL)
            flush->members[i]->round = flush->round;
    }
}

/* Flushes in a row without a sample, before this one. */
static uint32_t
idle_flushes(const struct flush *flush, const struct metric *metric)
{
    uint32_t since = flush->number - metric->active;

    return since > 0 && since <= INT32_MAX ? since - 1 : 0;
}

/* A name is as young as its youngest member. */
static void
describe(const struct flush *flush, struct rules_case *out)
{
    unsigned generation = generation_of(flush);

    *out = (struct rules_case){
        .type = current(flush)->type, .n_idle = UINT32_MAX, .end_ms = flush->interval.end_ms};
    for (size_t i = 0; i < flush->opts.n_tables; i++) {
        struct metric *metric = flush->members[i];
        uint64_t updated_ms;

        if (metric == NULL)
            continue;
        updated_ms = metric_updated_ms(metric);
        out->touched |= metric_touched(metric, generation);
        out->touched_since |= metric_touched(metric, generation ^ 1);
        out->gauge_known |= metric->type == METRIC_GAUGE && metric_last(metric)->check != 0;
        if (idle_flushes(flush, metric) < out->n_idle)
            out->n_idle = idle_flushes(flush, metric);
        if (updated_ms > out->updated_ms)
            out->updated_ms = updated_ms;
    }
}

static enum rules_verdict
judge(const struct flush *flush)
{
    struct rules_case facts;

    describe(flush, &facts);
    if (current(flush)->filtered)
        return facts.n_idle + 1 < RULES_IDLE_MAX ? RULES_SKIP : RULES_FORGET;
    return rules_judge(flush->opts.rules, &facts);
}

/* Of the members that have a value, the one that was set last; of the interval, if any is. */
static const struct gauge *
latest_gauge(const struct flush *flush)
{
    unsigned generation = generation_of(flush);
    const struct gauge *latest = NULL;
    bool is_touched = false;

    for (size_t i = 0; i < flush->opts.n_tables; i++) {
        struct metric *metric = flush->members[i];
        bool touched = metric != NULL && metric_touched(metric, generation);
        const struct gauge *gauge;

        if (metric == NULL || (!touched && (is_touched || metric_last(metric)->check == 0)))
            continue;
        gauge = touched ? metric_state(metric, generation) : &metric_last(metric)->gauge;
        if (latest != NULL && is_touched == touched && gauge->set_ms < latest->set_ms)
            continue;
        is_touched = touched;
        latest = gauge;
    }
    assert(latest != NULL);
    return latest;
}

static void
fill_counter(const struct flush *flush, struct record *out)
{
    struct counter whole = {0};

    for (size_t i = 0; i < flush->opts.n_tables; i++) {
        if (flush->members[i] != NULL)
            counter_merge(&whole, metric_state(flush->members[i], generation_of(flush)));
    }
    counter_points(&whole, flush->opts.dialect, (double)flush->interval.span_ms / 1000.0, out);
}

static void
fill_timer(const struct flush *flush, struct record *out)
{
    struct timer_part parts[FLUSH_TABLES_MAX];
    size_t n = 0;

    if (flush->verdict == RULES_SEND_IDLE) {
        record_add(out, STATISTIC_COUNT, 0, 0);
        return;
    }
    for (size_t i = 0; i < flush->opts.n_tables; i++) {
        if (flush->members[i] != NULL)
            parts[n++] = (struct timer_part){
                .timer = metric_state(flush->members[i], generation_of(flush)),
                .arena = &flush->opts.tables[i]->arena,
            };
    }
    timer_points(parts, n, &flush->timers, flush->opts.dialect, out);
}

static void
fill_set(struct flush *flush, struct record *out)
{
    struct set_part parts[FLUSH_TABLES_MAX];
    size_t n = 0;

    for (size_t i = 0; i < flush->opts.n_tables; i++) {
        if (flush->members[i] != NULL)
            parts[n++] = (struct set_part){
                .set = metric_state(flush->members[i], generation_of(flush)),
                .arena = &flush->opts.tables[i]->arena,
            };
    }
    set_points(parts, n, &flush->scratch, out);
}

static void
fill(struct flush *flush, struct record *out)
{
    const struct metric *metric = current(flush);

    out->source = metric->type;
    out->n_points = 0;
    out->name = metric_name(metric);
    out->name_len = metric->name_len;
    switch (metric->type) {
    case METRIC_COUNTER: fill_counter(flush, out); break;
    case METRIC_GAUGE: gauge_points(latest_gauge(flush), out); break;
    case METRIC_TIMER: fill_timer(flush, out); break;
    default: fill_set(flush, out); break;
    }
}

/* Goes on with the next table, or ends. */
static void
enter_next(struct flush *flush)
{
    if (flush->table + 1 < flush->opts.n_tables)
        enter(flush, flush->table + 1);
    else
        flush->running = false;
}

bool
flush_peek(struct flush *flush, struct record *out)
{
    while (flush->running) {
        if (flush->at_end) {
            enter_next(flush);
            continue;
        }
        if (flush->table > 0 && current(flush)->round == flush->round) {
            /* It was dealt with; the mark must be gone when the rounds begin anew. */
            current(flush)->round = 0;
            step(flush);
            continue;
        }
        gather(flush, flush->table);
        flush->verdict = judge(flush);
        if (flush->verdict == RULES_SEND || flush->verdict == RULES_SEND_IDLE) {
            fill(flush, out);
            return true;
        }
        flush->n_metrics[current(flush)->type] += flush->verdict == RULES_SKIP;
        mark_round(flush);
        step(flush);
    }
    return false;
}

void
flush_advance(struct flush *flush)
{
    flush->n_metrics[current(flush)->type]++;
    mark_round(flush);
    flush->n_records++;
    step(flush);
}

void
flush_begin_clear(struct flush *flush)
{
    take_closed(flush);
    flush->running = true;
    enter(flush, 0);
}

/* Takes the current metric out of the order, to be forgotten at the next close unless samples came
 * for it. The newest stays, since new ones are being put behind it. */
static void
unlink_current(struct flush *flush)
{
    struct table *table = flush->opts.tables[flush->table];
    struct metric *metric = current(flush);
    arena_ref ref = flush->at, *link = &table->first;

    if (ref == flush->newest[flush->table] || flush->n_unlinked == TABLE_FORGOTTEN_MAX) {
        step(flush);
        return;
    }
    if (flush->before != 0)
        link = &((struct metric *)arena_at(&table->arena, flush->before))->next;
    undo_note(flush->opts.undo, link, sizeof(*link));
    undo_note(flush->opts.undo, &metric->next, sizeof(metric->next));
    undo_note(flush->opts.undo, &table->unlinked, sizeof(table->unlinked));
    *link = metric->next;
    metric->next = table->unlinked;
    table->unlinked = ref;
    undo_commit(flush->opts.undo);
    flush->at = *link;
    flush->n_unlinked++;
}

/* What has samples is cleared even where they are not wanted any more. */
static void
clear(struct flush *flush, struct metric *metric)
{
    struct table *table = flush->opts.tables[flush->table];
    unsigned generation = generation_of(flush);

    undo_note(flush->opts.undo, &metric->active, sizeof(metric->active));
    metric->active = flush->number;
    if (metric->type == METRIC_GAUGE) {
        undo_note(flush->opts.undo, metric_last(metric), sizeof(struct gauge_last));
        metric_set_last(metric, metric_state(metric, generation));
    }
    undo_commit(flush->opts.undo);
    metric_reset(metric, generation, &table->arena, &table->freed);
}

bool
flush_clear(struct flush *flush, size_t n)
{
    while (flush->running && n-- > 0) {
        struct metric *metric;

        if (flush->at_end) {
            enter_next(flush);
            continue;
        }
        metric = current(flush);
        if (metric_touched(metric, generation_of(flush))) {
            clear(flush, metric);
            step(flush);
            continue;
        }
        gather(flush, 0);
        if (judge(flush) == RULES_FORGET)
            unlink_current(flush);
        else
            step(flush);
    }
    for (size_t i = 0; i < flush->opts.n_tables && !flush->running; i++)
        __atomic_store_n(&flush->opts.tables[i]->flushing, false, __ATOMIC_RELEASE);
    return flush->running;
}
