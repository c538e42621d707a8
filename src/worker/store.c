/*
 * store: see store.h. Owns the layout of the file. Knows nothing of threads.
 */
#include "worker/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "metric/sketch.h"
#include "worker/worker.h"

#define MAGIC UINT64_C(0x7079737461747364) /* "pystatsd" */
/* After so many that died of it, nobody tries any more. */
#define FAILURES_MAX 2

static size_t
whole_pages(size_t size)
{
    return (size + ARENA_PAGE - 1) / ARENA_PAGE * ARENA_PAGE;
}

static size_t
head_size(void)
{
    return whole_pages(sizeof(struct store));
}

/* The struct, and the slots behind it. */
static size_t
reserved_size(void)
{
    return whole_pages(sizeof(struct store_region)) + HAND_SLOTS;
}

static size_t
region_size(const struct store_opts *opts)
{
    return reserved_size() + whole_pages(opts->memory / opts->n_regions);
}

/* Whatever changes the layout changes one of these, or is to change the last. */
static uint64_t
shape(void)
{
    const uint64_t sizes[] = {
        sizeof(struct store),   sizeof(struct store_region), sizeof(struct metric),
        sizeof(struct counter), sizeof(struct timer),        sizeof(struct set),
        sizeof(struct gauge),   sizeof(struct sketch),       sizeof(struct arena),
        PARSE_ERROR_COUNT,      sizeof(struct mmsghdr),      WORKER_LAYOUT};
    uint64_t hash = 0;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        hash = (hash ^ sizes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint32_t
head_check(const struct store *store)
{
    return hash_crc32c(1, store, offsetof(struct store, check));
}

static uint32_t
state_check(const struct store_state *state)
{
    return hash_crc32c(1, state, offsetof(struct store_state, check));
}

void
store_set(struct store *store, const struct store_state *state)
{
    undo_note(&store->undo, &store->state, sizeof(store->state));
    store->state = *state;
    store->state.check = state_check(&store->state);
    fault_point("worker_state");
    undo_commit(&store->undo);
}

struct store_region *
store_region(const struct store_map *map, size_t i)
{
    return (struct store_region *)((uint8_t *)map->store + head_size() +
                                   i * map->store->region_size);
}

void
store_arena_opts(const struct store_map *map, size_t i, struct arena_opts *out)
{
    *out = (struct arena_opts){
        .size = region_size(&map->opts),
        .memory = store_region(map, i),
        .reserved = reserved_size(),
        .fd = map->opts.fd,
        .offset = (off_t)(head_size() + i * map->store->region_size),
        .undo = &store_region(map, i)->undo,
    };
}

static int
allocate(int fd, off_t offset, size_t len)
{
    int error;

    do
        error = fallocate(fd, 0, offset, (off_t)len);
    while (error != 0 && errno == EINTR);
    return error == 0 ? 0 : -errno;
}

static int
make_head(struct store *store, const struct store_opts *opts)
{
    int error = hash_key_draw(&store->key);

    if (error != 0)
        return error;
    do {
        if (getrandom(&store->epoch, sizeof(store->epoch), 0) != sizeof(store->epoch))
            return -EIO;
    } while (store->epoch == 0);
    store->shape = shape();
    store->region_size = region_size(opts);
    store->n_regions = (uint32_t)opts->n_regions;
    store_set(store, &(struct store_state){.phase = STORE_COLLECTING});
    return 0;
}

int
store_reset(struct store_map *map)
{
    const struct store_opts *opts = &map->opts;
    int error;

    if (ftruncate(opts->fd, 0) != 0 || ftruncate(opts->fd, (off_t)map->size) != 0)
        return -errno;
    if ((error = allocate(opts->fd, 0, head_size())) != 0)
        return error;
    for (size_t i = 0; i < opts->n_regions; i++) {
        error = allocate(opts->fd, (off_t)(head_size() + i * region_size(opts)), reserved_size());
        if (error != 0)
            return error;
    }
    return make_head(map->store, opts);
}

/* Whether what is there was made by this program; settings may differ. */
static bool
is_ours(const struct store *store)
{
    return store->magic == MAGIC && store->check == head_check(store) && store->shape == shape();
}

static bool
fits(const struct store *store, const struct store_opts *opts)
{
    return store->n_regions == opts->n_regions &&
           (opts->n_regions == 1 || store->region_size == region_size(opts));
}

static bool
state_is_sound(const struct store *store)
{
    return store->state.check == state_check(&store->state) && store->state.phase <= STORE_CLEARING;
}

/* What was there, as far as a head can say. Without its magic it was still being made. */
static enum store_outcome
inspect(struct store_map *map, size_t file_size)
{
    struct store *store = map->store;
    bool is_sound;

    if (file_size == 0)
        return STORE_FRESH;
    map->is_unknown = true;
    if (file_size < head_size() || (store->magic != 0 && !is_ours(store)))
        return STORE_FOREIGN;
    if (store->magic == 0)
        return STORE_BROKEN;
    if (map->opts.crashed && store->adopting != 0)
        store->n_failed++;
    store->adopting = 1;
    is_sound =
        store->n_failed < FAILURES_MAX &&
        undo_roll_back(&store->undo, store, file_size < map->size ? file_size : map->size) == 0 &&
        is_ours(store);
    map->is_unknown = !state_is_sound(store);
    if (!map->is_unknown)
        map->floor_ms = store->state.open.end_ms;
    is_sound = is_sound && !map->is_unknown;
    if (!is_sound)
        return STORE_BROKEN;
    fault_point("worker_adopt");
    return fits(store, &map->opts) ? STORE_ADOPTED : STORE_FOREIGN;
}

int
store_open(struct store_map *map, const struct store_opts *opts, enum store_outcome *out)
{
    struct stat status;
    void *memory;

    *map = (struct store_map){.opts = *opts};
    map->size = head_size() + opts->n_regions * region_size(opts);
    if (fstat(opts->fd, &status) != 0)
        return -errno;
    memory = mmap(NULL, map->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, opts->fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    (void)madvise(memory, map->size, MADV_HUGEPAGE);
    map->store = memory;
    *out = inspect(map, (size_t)status.st_size);
    /* With one region, MEMORY_LIMIT may have grown. */
    if (*out == STORE_ADOPTED)
        return status.st_size >= (off_t)map->size || ftruncate(opts->fd, (off_t)map->size) == 0
                   ? 0
                   : -errno;
    return store_reset(map);
}

void
store_close(struct store_map *map)
{
    if (map->store != NULL)
        (void)munmap(map->store, map->size);
    *map = (struct store_map){0};
}

static bool
verdict_is_sound(uint8_t verdict)
{
    return (verdict & HAND_BAD) != 0 ? (verdict & ~HAND_BAD) < PARSE_ERROR_COUNT
                                     : verdict < TABLE_VERDICT_COUNT;
}

/* Where the lines at hand begin, and how many of them are done, is within what there is. */
static bool
hand_is_sound(const struct store_region *region)
{
    const struct hand *hand = &region->hand;
    uint32_t n_applied = undo_mark(&region->undo);

    if (hand->filled > 1 || hand->at > HAND_DATAGRAMS || hand->busy >= HAND_DATAGRAMS ||
        hand->offset > HAND_DATAGRAM_MAX + 1 || n_applied > HAND_LINES)
        return false;
    for (uint32_t i = 0; i < n_applied; i++) {
        if (!verdict_is_sound(hand->verdicts[i]))
            return false;
    }
    return true;
}

int
store_recover(const struct store_map *map, size_t i)
{
    struct store_region *region = store_region(map, i);

    if (undo_roll_back(&region->undo, region, region_size(&map->opts)) != 0 ||
        region->stats_check != selfstat_check(&region->stats) ||
        region->closed_check != selfstat_check(&region->closed) ||
        region->total_check != selfstat_check(&region->total) || !hand_is_sound(region))
        return -EBADMSG;
    return 0;
}

void
store_settled(struct store *store)
{
    store->magic = MAGIC;
    store->check = head_check(store);
    store->n_failed = 0;
    store->adopting = 0;
}
