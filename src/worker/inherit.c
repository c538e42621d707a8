/*
 * inherit: see inherit.h. Owns the order in which things are taken over. What cannot be trusted is
 * given up as a whole: half a truth is none.
 */
#include "worker/inherit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "metric/adopt.h"
#include "metric/gaugefile.h"

#define GAUGES_FILE_MAX ((off_t)256 << 20)

static void
table_opts(const struct store_map *map, const struct inherit_opts *opts, size_t i,
           struct table_opts *out)
{
    *out = (struct table_opts){
        .max_metrics = opts->worker->max_metrics,
        .timer_max_samples = opts->worker->timer_max_samples,
        .set_exact_max = opts->worker->set_exact_max,
        .filter = opts->filter,
        .key = map->store->key,
    };
    store_arena_opts(map, i, &out->arena);
}

/* From STORE_SENDING on the state's number is that of the interval behind, as every table's; while
 * it is being closed some are there already. */
static bool
number_is_sound(const struct store_state *state, const struct table *table)
{
    return table->number == state->number ||
           (state->phase == STORE_CLOSING && table->number == state->number + 1);
}

static int
adopt_region(const struct store_map *map, const struct inherit_opts *opts, size_t i)
{
    struct store_region *region = store_region(map, i);
    const struct store_state *state = &map->store->state;
    struct table_opts table;
    int error;

    table_opts(map, opts, i, &table);
    if ((error = store_recover(map, i)) != 0 || (error = adopt_table(&region->table, &table)) != 0)
        return error;
    fault_point("worker_adopt_table");
    if (!number_is_sound(state, &region->table))
        return -EBADMSG;
    region->table.flushing =
        state->phase != STORE_COLLECTING &&
        (state->phase != STORE_CLOSING || region->table.number != state->number);
    return 0;
}

static int
adopt_regions(const struct store_map *map, const struct inherit_opts *opts)
{
    for (size_t i = 0; i < map->opts.n_regions; i++) {
        int error = adopt_region(map, opts, i);

        if (error != 0)
            return error;
    }
    store_settled(map->store);
    return 0;
}

static int
make_regions(const struct store_map *map, const struct inherit_opts *opts)
{
    for (size_t i = 0; i < map->opts.n_regions; i++) {
        struct table_opts table;
        int error;

        table_opts(map, opts, i, &table);
        error = table_init(&store_region(map, i)->table, &table, map->store->state.number);
        if (error != 0)
            return error;
    }
    return 0;
}

/* The entries of a file that is whole. */
static void
load_gauges(struct table *table, const struct name_limits *limits, const struct gaugefile *file)
{
    char scratch[NAME_LEN_MAX];
    struct gaugefile left = *file;
    struct gaugefile_entry entry;
    uint64_t n = 0, n_refused = 0;

    while (gaugefile_next(&left, &entry)) {
        struct name name;

        if (name_clean(entry.name, entry.name_len, limits, scratch, &name) == PARSE_OK &&
            adopt_gauge(table, &name, entry.value, entry.set_ms) == 0)
            n++;
        else
            n_refused++;
    }
    log_info("%" PRIu64 " gauges of GAUGES_FILE are back, %" PRIu64 " are not", n, n_refused);
}

/* A file that is not good is no gauges. */
static void
restore_gauges(struct table *table, const struct name_limits *limits, int fd)
{
    struct stat status;
    struct gaugefile file;
    enum gaugefile_verdict verdict;
    uint8_t *bytes;
    size_t len;

    if (fd < 0 || fstat(fd, &status) != 0 || status.st_size == 0)
        return;
    if (status.st_size > GAUGES_FILE_MAX || (bytes = malloc((size_t)status.st_size)) == NULL) {
        log_warnx("GAUGES_FILE is ignored: it is too large");
        return;
    }
    len = (size_t)status.st_size;
    if (pread(fd, bytes, len, 0) != status.st_size)
        len = 0;
    verdict = gaugefile_open(bytes, len, &file);
    if (verdict == GAUGEFILE_OK)
        load_gauges(table, limits, &file);
    else
        log_warnx("GAUGES_FILE is ignored: %s", gaugefile_strerror(verdict));
    free(bytes);
}

static void
tell(enum store_outcome outcome, const struct worker_opts *opts)
{
    switch (outcome) {
    case STORE_ADOPTED: log_debug("going on with what the worker before has left"); break;
    case STORE_FOREIGN:
        log_warnx("what is there of before was made by another version, or for other THREADS or "
                  "another MEMORY_LIMIT: starting anew; its open interval is lost, unless it was "
                  "flushed");
        break;
    case STORE_BROKEN:
        log_warnx("what the worker before has left is not sound%s: starting anew; its open "
                  "interval is lost",
                  opts->crashed ? ", or two in a row have died of it" : "");
        break;
    case STORE_FRESH: break;
    }
}

static int
begin_anew(struct store_map *map, const struct inherit_opts *opts, enum store_outcome outcome)
{
    struct store_region *first = store_region(map, 0);
    int error = make_regions(map, opts);

    if (error != 0)
        return error;
    first->stats.resets = outcome == STORE_BROKEN;
    first->stats_check = selfstat_check(&first->stats);
    restore_gauges(&first->table, &opts->worker->names, opts->worker->gauges_fd);
    store_settled(map->store);
    return 0;
}

static void
init_shard(const struct store_map *map, struct shard *shard, const struct inherit_opts *opts,
           size_t i)
{
    const struct worker_opts *worker = opts->worker;
    struct shard_opts shard_opts = {
        .n_sockets = worker->n_sockets / worker->n_threads,
        .names = worker->names,
        .done_fd = opts->done_fd,
        .crashed = worker->crashed,
        .quarantine_fd = worker->quarantine_fd,
    };

    for (size_t j = 0; j < shard_opts.n_sockets; j++) {
        size_t socket = i * shard_opts.n_sockets + j;

        shard_opts.sockets[j] = worker->sockets[socket];
        shard_opts.told_drops[j] = worker->told_drops[socket];
    }
    shard_init(shard, &shard_opts, store_region(map, i), opts->wall_ms);
}

/* Who had not yet closed the interval that was to be closed does so now. */
static void
finish_closing(struct store_map *map, struct shard *shards)
{
    struct store_state state = map->store->state;

    if (state.phase != STORE_CLOSING)
        return;
    for (size_t i = 0; i < map->opts.n_regions; i++) {
        if (shards[i].region->table.number == state.number)
            shard_close_now(&shards[i]);
    }
    state.phase = STORE_SENDING;
    state.number++;
    state.flush++;
    store_set(map->store, &state);
}

int
inherit(struct store_map *map, struct shard *shards, const struct inherit_opts *opts)
{
    const struct worker_opts *worker = opts->worker;
    struct store_opts store = {
        .fd = worker->arena_fd,
        .n_regions = worker->n_threads,
        .memory = worker->memory_limit,
        .crashed = worker->crashed,
    };
    enum store_outcome outcome;
    int error = store_open(map, &store, &outcome);

    if (error != 0)
        return error;
    if (outcome == STORE_ADOPTED && (error = adopt_regions(map, opts)) == -EBADMSG) {
        outcome = STORE_BROKEN;
        error = store_reset(map);
    }
    if (error == 0 && outcome != STORE_ADOPTED)
        error = begin_anew(map, opts, outcome);
    if (error != 0)
        return error;
    tell(outcome, worker);
    for (size_t i = 0; i < worker->n_threads; i++)
        init_shard(map, &shards[i], opts, i);
    finish_closing(map, shards);
    return 0;
}
