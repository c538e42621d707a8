/*
 * flush: the walk over a closed interval. Knows nothing of where its records go.
 */
#include "metric/flush.h"

#include <assert.h>
#include <string.h>

int
flush_init(struct flush *flush, struct table *const *tables, size_t n,
           const struct dialect *dialect, const struct rules *rules)
{
    assert(n > 0 && n <= FLUSH_TABLES_MAX);
    memset(flush, 0, sizeof(*flush));
    for (size_t i = 0; i < n; i++)
        flush->tables[i] = tables[i];
    flush->n_tables = n;
    flush->dialect = dialect;
    flush->rules = rules;
    return arena_init(&flush->scratch, TIMER_SCRATCH + SET_SCRATCH);
}

void
flush_release(struct flush *flush)
{
    arena_release(&flush->scratch);
    memset(flush, 0, sizeof(*flush));
}

/* To the first metric of a table. */
static void
enter(struct flush *flush, size_t table)
{
    flush->table = table;
    flush->before = 0;
    flush->at_end = flush->tables[table]->newest == 0;
    flush->at = flush->at_end ? 0 : flush->tables[table]->first;
    flush->n_unlinked = 0;
}

void
flush_begin(struct flush *flush)
{
    for (size_t i = 0; i < flush->n_tables; i++)
        assert(__atomic_load_n(&flush->tables[i]->flushing, __ATOMIC_ACQUIRE));
    flush->running = true;
    flush->interval = flush->tables[0]->closed;
    /* 0 is on every metric that no other table's walk has come to. */
    flush->round = flush->round == UINT8_MAX ? 1 : (uint8_t)(flush->round + 1);
    flush->n_records = 0;
    memset(flush->n_metrics, 0, sizeof(flush->n_metrics));
    memset(flush->members, 0, sizeof(flush->members));
    enter(flush, 0);
}

static struct metric *
current(const struct flush *flush)
{
    return arena_at(&flush->tables[flush->table]->arena, flush->at);
}

static unsigned
closed_generation(const struct flush *flush)
{
    return flush->tables[0]->open ^ 1;
}

/* Behind the newest, metrics may be growing. */
static void
step(struct flush *flush)
{
    flush->before = flush->at;
    flush->at_end = flush->at == flush->tables[flush->table]->newest;
    flush->at = flush->at_end ? 0 : current(flush)->next;
}

/* Takes the current metric out of the order; its table forgets it at the next close, unless samples
 * came for it. The newest stays, since new ones are being put behind it. */
static void
unlink_current(struct flush *flush)
{
    struct table *table = flush->tables[flush->table];
    struct metric *metric = current(flush);
    arena_ref ref = flush->at, next;

    if (ref == table->newest || flush->n_unlinked == TABLE_FORGOTTEN_MAX) {
        step(flush);
        return;
    }
    next = metric->next;
    if (flush->before == 0)
        table->first = next;
    else
        ((struct metric *)arena_at(&table->arena, flush->before))->next = next;
    metric->next = table->unlinked;
    table->unlinked = ref;
    flush->at = next;
    flush->n_unlinked++;
}

/* Finds the name at hand in the tables that are still to be walked. */
static void
gather(struct flush *flush)
{
    struct metric *metric = current(flush);
    struct name name = {.text = metric_name(metric), .len = metric->name_len};
    uint32_t hash;

    metric->round = 0;
    flush->members[flush->table] = metric;
    if (flush->table + 1 == flush->n_tables)
        return;
    hash = table_hash(flush->tables[flush->table], metric->type, &name);
    for (size_t i = flush->table + 1; i < flush->n_tables; i++) {
        flush->members[i] = table_find(flush->tables[i], metric->type, &name, hash);
        if (flush->members[i] != NULL)
            flush->members[i]->round = flush->round;
    }
}

/* A name is as young as its youngest member. */
static void
describe(const struct flush *flush, struct rules_case *out)
{
    unsigned closed = closed_generation(flush);

    *out = (struct rules_case){
        .type = current(flush)->type, .n_idle = UINT32_MAX, .end_ms = flush->interval.end_ms};
    for (size_t i = flush->table; i < flush->n_tables; i++) {
        const struct metric *metric = flush->members[i];
        uint64_t updated_ms;

        if (metric == NULL)
            continue;
        updated_ms = __atomic_load_n(&metric->updated_ms, __ATOMIC_RELAXED);
        out->touched |= metric->touched[closed];
        out->touched_since |= __atomic_load_n(&metric->touched[closed ^ 1], __ATOMIC_RELAXED);
        out->gauge_known |= metric->gauge_known;
        if (metric->n_idle < out->n_idle)
            out->n_idle = metric->n_idle;
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
    return rules_judge(flush->rules, &facts);
}

/* Of the members that have a value, the one that was set last; one of the interval before any that
 * is older. */
static struct gauge *
latest_gauge(const struct flush *flush)
{
    unsigned closed = closed_generation(flush);
    struct gauge *latest = NULL;
    bool is_touched = false;

    for (size_t i = flush->table; i < flush->n_tables; i++) {
        struct metric *metric = flush->members[i];
        struct gauge *gauge;

        if (metric == NULL || (!metric->touched[closed] && (is_touched || !metric->gauge_known)))
            continue;
        gauge = metric->touched[closed] ? metric_state(metric, closed) : metric_last(metric);
        if (latest != NULL && is_touched == metric->touched[closed] &&
            gauge->set_ms < latest->set_ms)
            continue;
        is_touched = metric->touched[closed];
        latest = gauge;
    }
    assert(latest != NULL);
    return latest;
}

static void
fill_counter(const struct flush *flush, struct record *out)
{
    unsigned closed = closed_generation(flush);
    struct counter whole = {0};

    for (size_t i = flush->table; i < flush->n_tables; i++) {
        if (flush->members[i] != NULL)
            counter_merge(&whole, metric_state(flush->members[i], closed));
    }
    counter_points(&whole, flush->dialect, (double)flush->interval.span_ms / 1000.0, out);
}

static void
fill_timer(struct flush *flush, struct record *out)
{
    struct timer_part parts[FLUSH_TABLES_MAX];
    size_t n = 0;

    if (flush->verdict == RULES_SEND_IDLE) {
        record_add(out, STATISTIC_COUNT, 0, 0);
        return;
    }
    for (size_t i = flush->table; i < flush->n_tables; i++) {
        if (flush->members[i] != NULL)
            parts[n++] = (struct timer_part){
                .timer = metric_state(flush->members[i], closed_generation(flush)),
                .arena = &flush->tables[i]->arena,
            };
    }
    timer_points(parts, n, &flush->scratch, flush->dialect, out);
}

static void
fill_set(struct flush *flush, struct record *out)
{
    struct set_part parts[FLUSH_TABLES_MAX];
    size_t n = 0;

    for (size_t i = flush->table; i < flush->n_tables; i++) {
        if (flush->members[i] != NULL)
            parts[n++] = (struct set_part){
                .set = metric_state(flush->members[i], closed_generation(flush)),
                .arena = &flush->tables[i]->arena,
            };
    }
    set_points(parts, n, &flush->scratch, out);
}

static void
fill(struct flush *flush, struct record *out)
{
    struct metric *metric = current(flush);

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

static void
count_idle(const struct flush *flush)
{
    for (size_t i = flush->table; i < flush->n_tables; i++) {
        struct metric *metric = flush->members[i];

        if (metric != NULL && metric->n_idle < UINT16_MAX - 1)
            metric->n_idle++;
    }
}

/* The members in other tables follow when the walk comes to them. */
static void
forget(struct flush *flush)
{
    for (size_t i = flush->table; i < flush->n_tables; i++) {
        if (flush->members[i] != NULL)
            flush->members[i]->n_idle = UINT16_MAX;
    }
    unlink_current(flush);
}

/* Goes on with the next table. Behind the last the tables may be closed again. */
static bool
enter_next(struct flush *flush)
{
    if (flush->table + 1 < flush->n_tables) {
        flush->members[flush->table] = NULL;
        enter(flush, flush->table + 1);
        return true;
    }
    flush->running = false;
    for (size_t i = 0; i < flush->n_tables; i++)
        __atomic_store_n(&flush->tables[i]->flushing, false, __ATOMIC_RELEASE);
    return false;
}

/* A metric that was dealt with under its name in a table before. What it was told so by must be
 * gone when the rounds begin anew. */
static void
pass(struct flush *flush)
{
    current(flush)->round = 0;
    if (current(flush)->n_idle == UINT16_MAX)
        unlink_current(flush);
    else
        step(flush);
}

bool
flush_peek(struct flush *flush, struct record *out)
{
    while (flush->running) {
        if (flush->at_end) {
            if (!enter_next(flush))
                return false;
            continue;
        }
        if (flush->table > 0 && current(flush)->round == flush->round) {
            pass(flush);
            continue;
        }
        gather(flush);
        flush->verdict = judge(flush);
        if (flush->verdict != RULES_FORGET)
            flush->n_metrics[current(flush)->type]++;
        if (flush->verdict == RULES_SEND || flush->verdict == RULES_SEND_IDLE) {
            fill(flush, out);
            return true;
        }
        if (flush->verdict == RULES_FORGET) {
            forget(flush);
        } else {
            count_idle(flush);
            step(flush);
        }
    }
    return false;
}

static void
clear(struct flush *flush)
{
    unsigned closed = closed_generation(flush);

    for (size_t i = flush->table; i < flush->n_tables; i++) {
        struct metric *metric = flush->members[i];
        struct table *table = flush->tables[i];

        if (metric == NULL)
            continue;
        metric->n_idle = 0;
        if (!metric->touched[closed])
            continue;
        if (metric->type == METRIC_GAUGE) {
            *metric_last(metric) = *(struct gauge *)metric_state(metric, closed);
            metric->gauge_known = true;
        }
        metric_reset(metric, closed, &table->arena, &table->freed);
    }
}

void
flush_advance(struct flush *flush)
{
    if (flush->verdict == RULES_SEND)
        clear(flush);
    else
        count_idle(flush);
    flush->n_records++;
    step(flush);
}
