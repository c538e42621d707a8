/*
 * cycle: see cycle.h. Owns what follows on what, and what of it is written down: whoever takes over
 * must know from the store alone where an interval stands.
 */
#include "worker/cycle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/log_event.h"
#include "worker/inherit.h"
#include "worker/live.h"
#include "worker/losses.h"
#include "worker/said.h"

static int
init_push(struct cycle *cycle)
{
    const struct worker_opts *opts = cycle->opts;
    struct flush_opts flush = {
        .n_tables = opts->n_threads,
        .dialect = &opts->dialect,
        .rules = &opts->rules,
        .max_samples = opts->timer_max_samples,
        .undo = &cycle->store->undo,
    };
    int error;

    for (size_t i = 0; i < opts->n_threads; i++)
        flush.tables[i] = &store_region(&cycle->map, i)->table;
    if ((error = flush_init(&cycle->push.flush, &flush)) != 0)
        return error;
    outlet_init(&cycle->push.outlet, opts->pipe_fd);
    cycle->push.board = opts->board;
    cycle->push.self_stats = opts->self_stats;
    cycle->push.n_restarts = opts->n_restarts;
    return 0;
}

/* How the open interval stands is the successor's to know, too. */
static void
keep_open_interval(struct cycle *cycle)
{
    struct store_state state = cycle->store->state;

    state.open = cycle->schedule.open;
    state.interval_ms = cycle->opts->flush_ms;
    state.align = cycle->opts->flush_align;
    store_set(cycle->store, &state);
}

/* A timestamp that was used may have to be left to who used it. */
static void
skip_used_slots(struct cycle *cycle)
{
    if (cycle->map.is_unknown || (cycle->opts->is_foreign && cycle->map.floor_ms == 0))
        schedule_keep_above(&cycle->schedule, cycle->schedule.open.end_ms);
    schedule_keep_above(&cycle->schedule, cycle->map.floor_ms);
}

/* What was open goes on; what is new begins where no timestamp was used. */
static void
init_schedule(struct cycle *cycle)
{
    const struct worker_opts *opts = cycle->opts;
    const struct store_state *state = &cycle->store->state;
    uint64_t mono_ms = clock_mono_ms(), wall_ms = clock_wall_ms();

    if (state->open.end_ms != 0) {
        schedule_resume(&cycle->schedule, opts->flush_ms, opts->flush_align, &state->open,
                        state->interval_ms != opts->flush_ms || state->align != opts->flush_align,
                        mono_ms, wall_ms);
        return;
    }
    schedule_init(&cycle->schedule, opts->flush_ms, opts->flush_align, mono_ms, wall_ms);
    skip_used_slots(cycle);
    keep_open_interval(cycle);
}

static void
ask_shards(struct cycle *cycle, enum shard_request request)
{
    for (size_t i = 0; i < cycle->opts->n_threads; i++)
        shard_ask(&cycle->shards[i], request);
}

static bool
shards_are_done(const struct cycle *cycle)
{
    for (size_t i = 0; i < cycle->opts->n_threads; i++) {
        if (!shard_is_done(&cycle->shards[i]))
            return false;
    }
    return true;
}

static void
close_interval(struct cycle *cycle, const struct interval *interval, uint64_t overruns,
               enum shard_request request)
{
    struct store_state state = cycle->store->state;

    state.phase = STORE_CLOSING;
    state.closed = *interval;
    state.overruns = overruns;
    state.open = cycle->schedule.open;
    state.interval_ms = cycle->opts->flush_ms;
    state.align = cycle->opts->flush_align;
    store_set(cycle->store, &state);
    fault_point("worker_closing");
    ask_shards(cycle, request);
}

/* Sends what state says: the closed interval, or what there is of the open one. */
static void
begin_flush(struct cycle *cycle, bool is_open)
{
    const struct store_state *state = &cycle->store->state;
    struct push_job job = {
        .flush_id = (uint64_t)cycle->store->epoch << 32 | state->flush,
        .interval = is_open ? state->open : state->closed,
        .is_open = is_open,
        .overruns = is_open ? 0 : state->overruns,
    };

    for (size_t i = 0; i < cycle->opts->n_threads; i++) {
        const struct store_region *region = store_region(&cycle->map, i);

        selfstat_add(&job.stats, is_open ? &region->stats : &region->closed);
    }
    push_begin(&cycle->push, &job, clock_mono_ms());
}

static void
note_phase(struct cycle *cycle, enum store_phase phase)
{
    struct store_state state = cycle->store->state;

    state.phase = phase;
    store_set(cycle->store, &state);
}

/* A flush that was on its way is sent again, or what was made of it is cleared. */
static void
resume_flush(struct cycle *cycle)
{
    enum store_phase phase = cycle->store->state.phase;

    if (phase == STORE_SENDING || phase == STORE_CLEARING)
        begin_flush(cycle, false);
    if (phase == STORE_CLEARING)
        push_clear(&cycle->push);
}

int
cycle_open(struct cycle *cycle, const struct worker_opts *opts, const struct filter *filter,
           int done_fd)
{
    struct inherit_opts inherit_opts = {
        .worker = opts,
        .filter = filter,
        .done_fd = done_fd,
        .wall_ms = clock_wall_ms(),
    };
    int error;

    *cycle = (struct cycle){.opts = opts, .done_fd = done_fd};
    cycle->shards = calloc(opts->n_threads, sizeof(*cycle->shards));
    if (cycle->shards == NULL)
        return -ENOMEM;
    if ((error = inherit(&cycle->map, cycle->shards, &inherit_opts)) != 0)
        return error;
    cycle->store = cycle->map.store;
    if ((error = init_push(cycle)) != 0)
        return error;
    init_schedule(cycle);
    cycle->facts.open = cycle->schedule.open;
    resume_flush(cycle);
    if (opts->admin_fd >= 0)
        live_open(cycle->shards, opts->n_threads);
    for (size_t i = 0; i < opts->n_threads && error == 0; i++)
        error = shard_start(&cycle->shards[i]);
    return error == 0 ? hold_init(&cycle->hold, cycle->shards, opts->n_threads) : error;
}

void
cycle_release(struct cycle *cycle)
{
    flush_release(&cycle->push.flush);
    for (size_t i = 0; i < cycle->opts->n_threads; i++)
        shard_join(&cycle->shards[i]);
    live_close(cycle->shards, cycle->opts->n_threads);
    hold_release(&cycle->hold);
    store_close(&cycle->map);
    free(cycle->shards);
}

/* An interval is being closed or on its way. */
bool
cycle_is_busy(const struct cycle *cycle)
{
    return cycle->store->state.phase != STORE_COLLECTING || cycle->halting ||
           cycle->push.state != PUSH_DONE;
}

/* How much memory it takes is known of an interval that is shut. */
static void
begin_partial(struct cycle *cycle)
{
    struct store_state state = cycle->store->state;

    state.flush++;
    store_set(cycle->store, &state);
    cycle->part.is_sent = true;
    hold_begin(&cycle->hold);
    begin_flush(cycle, true);
    part_note(&cycle->part, &cycle->map, cycle->opts->n_threads);
    for (size_t i = 0; i < cycle->opts->n_threads; i++)
        cycle->push.job.stats.memory_used += store_region(&cycle->map, i)->table.arena.used;
    hold_end(&cycle->hold);
}

static void
begin_partial_if_wanted(struct cycle *cycle, uint64_t mono_ms)
{
    if (cycle->desk == NULL || !desk_take_flush(cycle->desk))
        return;
    switch (part_judge(&cycle->part, &cycle->opts->board->delivery, mono_ms)) {
    case PART_BEGINS: begin_partial(cycle); break;
    case PART_WAITS: break;
    case PART_REFUSED: desk_flushed(cycle->desk, false); break;
    }
}

/* The whole takes its place, which the sender sees by the next id; who wanted it is owed that. */
static void
abandon_partial(struct cycle *cycle)
{
    cycle->push.state = PUSH_DONE;
    cycle->part = (struct part){0};
}

/* An interval is not closed before the flush of the one before it is done; it then is longer. */
void
cycle_close_if_due(struct cycle *cycle)
{
    uint64_t mono_ms = clock_mono_ms(), wall_ms = clock_wall_ms(), overruns;
    bool was_holding = cycle->schedule.holding;
    struct interval interval;

    if (cycle->part.is_sent && mono_ms >= cycle->schedule.deadline_ms)
        abandon_partial(cycle);
    if (cycle_is_busy(cycle))
        return;
    if (mono_ms < cycle->schedule.deadline_ms) {
        begin_partial_if_wanted(cycle, mono_ms);
        return;
    }
    if (schedule_due(&cycle->schedule, mono_ms, wall_ms)) {
        if (cycle->desk != NULL)
            (void)desk_take_flush(cycle->desk); /* it is sent anyhow */
        cycle->part = (struct part){0};
        overruns = schedule_close(&cycle->schedule, mono_ms, wall_ms, &interval);
        cycle->facts.closed = interval;
        cycle->facts.n_overruns += overruns;
        close_interval(cycle, &interval, overruns, SHARD_CLOSE);
        return;
    }
    keep_open_interval(cycle);
    if (!was_holding)
        log_event(&(struct log_event){.level = LOG_WARNING,
                                      .limit = said_limit(cycle->opts, SAID_SET_BACK)},
                  "the clock was set back by more than half an interval: the open interval goes on "
                  "until it ends again");
}

/* When all shards have closed the interval, or have halted, its flush begins. */
void
cycle_begin_if_closed(struct cycle *cycle)
{
    struct store_state state = cycle->store->state;
    uint64_t rings;

    if ((state.phase != STORE_CLOSING && !cycle->halting) || !shards_are_done(cycle))
        return;
    /* Emptied behind the check, a ring for the last of them is not mistaken for a later one. */
    (void)!read(cycle->done_fd, &rings, sizeof(rings));
    state.flush++;
    if (!cycle->halting) {
        state.phase = STORE_SENDING;
        state.number++;
    }
    store_set(cycle->store, &state);
    fault_point("worker_closed");
    if (!cycle->halting)
        losses_log(cycle->opts, cycle->shards);
    begin_flush(cycle, cycle->halting);
    cycle->halting = false;
}

/* Between two of its steps the shards go on; a name is sent as it is when its turn comes. */
static int
push_partial(struct cycle *cycle)
{
    int error;

    hold_begin(&cycle->hold);
    error = push_step(&cycle->push, clock_mono_ms());
    part_note(&cycle->part, &cycle->map, cycle->opts->n_threads);
    hold_end(&cycle->hold);
    cycle->part.is_sent = cycle->push.state != PUSH_DONE;
    if (!cycle->part.is_sent)
        desk_flushed(cycle->desk, true);
    return error;
}

/* What the flush of a closed interval has found. */
static void
note_facts(struct cycle *cycle)
{
    struct desk_facts *facts = &cycle->facts;

    facts->flush_ms = cycle->push.flush_ms;
    memcpy(facts->n_metrics, cycle->push.flush.n_metrics, sizeof(facts->n_metrics));
}

int
cycle_push(struct cycle *cycle)
{
    int error =
        cycle->part.is_sent ? push_partial(cycle) : push_step(&cycle->push, clock_mono_ms());

    cycle->facts.open = cycle->schedule.open;
    if (error != 0)
        return error;
    if (cycle->push.state == PUSH_COMMITTED) {
        note_facts(cycle);
        if (cycle->desk != NULL)
            desk_flushed(cycle->desk, true);
        note_phase(cycle, STORE_CLEARING);
        push_clear(&cycle->push);
    }
    if (cycle->push.state == PUSH_DONE && cycle->store->state.phase == STORE_CLEARING)
        note_phase(cycle, STORE_COLLECTING);
    return 0;
}

/* Where a successor may go on with the open interval, it stays open; else it is closed, and the
 * rest of its time is another one's, whose timestamp is the next. */
void
cycle_end(struct cycle *cycle)
{
    cycle->ending = true;
    struct interval last = cycle->schedule.open;

    if (cycle->opts->keep_open) {
        cycle->halting = true;
        ask_shards(cycle, SHARD_HALT);
    } else {
        cycle->schedule.open.end_ms += cycle->schedule.interval_ms;
        cycle->schedule.open.span_ms = cycle->schedule.interval_ms;
        close_interval(cycle, &last, 0, SHARD_STOP);
    }
}

void
cycle_tell_ledger(const struct cycle *cycle, struct board_ledger *out)
{
    struct selfstat sum = {0};

    for (size_t i = 0; i < cycle->opts->n_threads; i++) {
        selfstat_add(&sum, &store_region(&cycle->map, i)->total);
        selfstat_add(&sum, &store_region(&cycle->map, i)->stats);
    }
    *out = (struct board_ledger){
        .lines = sum.lines,
        .applied = sum.verdicts[TABLE_APPLIED],
        .filtered = sum.verdicts[TABLE_FILTERED],
        .bad = selfstat_bad(&sum),
        .refused = selfstat_refused(&sum),
        .udp_drops = sum.udp_drops,
        .quarantined = sum.quarantined,
    };
}
