/*
 * store: see store.h. The process may be killed at any instruction; another goes on with what it
 * wrote, and trusts none of it.
 */
#include "sender/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/hash.h"
#include "sender/places.h"

/* "pystatsd" */
#define MAGIC UINT64_C(0x6473746174737970)

struct store_file {
    uint64_t magic;
    uint32_t layout, size, slot_size, n_slots; /* of this struct, and of a slot */
    struct journal_pair journal;
    struct store_slot slots[STORE_SLOTS];
};

_Static_assert(sizeof(struct store_slot) == 64, "a slot has no holes");

/* Where the batches' pages begin. */
#define PAGES_START ((sizeof(struct store_file) + STORE_PAGE - 1) / STORE_PAGE * STORE_PAGE)

static uint32_t
checksum(const struct store_slot *slot)
{
    return hash_crc32c(0, &slot->len, sizeof(*slot) - offsetof(struct store_slot, len));
}

static uint8_t *
page_at(const struct store *store, size_t page)
{
    return (uint8_t *)store->file + PAGES_START + page * STORE_PAGE;
}

static size_t
n_pages_of(const struct store_slot *slot)
{
    return store_size(slot->len) / STORE_PAGE;
}

static size_t
n_pages_in(const struct store *store)
{
    return (store->size - PAGES_START) / STORE_PAGE;
}

/* So that a machine without memory says so here, and not by a signal later. */
static int
get_memory(const struct store *store, size_t start, size_t len)
{
    int result;

    do
        result = fallocate(store->fd, 0, (off_t)start, (off_t)len);
    while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : -errno;
}

static void
give_back(const struct store *store, size_t page, size_t n_pages)
{
    (void)fallocate(store->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    (off_t)(PAGES_START + page * STORE_PAGE), (off_t)(n_pages * STORE_PAGE));
}

static void
add_live(struct store *store, uint32_t slot)
{
    store->live[store->n_live++] = slot;
    store->taken += store_size(store->slots[slot].len);
}

static void
remove_live(struct store *store, uint32_t slot)
{
    const struct store_slot *gone = &store->slots[slot];
    uint32_t i = 0;

    while (store->live[i] != slot)
        i++;
    store->n_live--;
    memmove(&store->live[i], &store->live[i + 1], (store->n_live - i) * sizeof(store->live[0]));
    store->taken -= store_size(gone->len);
    give_back(store, gone->page, n_pages_of(gone));
}

/* What the journal says of its slot is done in the file. */
static void
do_last_change(const struct store *store)
{
    const struct journal *journal = &store->journal;
    struct store_slot *slot;

    if (journal->slot >= STORE_SLOTS)
        return;
    slot = &store->file->slots[journal->slot];
    slot->stamp_ms = journal->stamp_ms;
    __atomic_store_n(&slot->state, journal->state, __ATOMIC_RELEASE);
}

static void
change_slot(struct store *store, uint32_t slot, uint32_t state, uint64_t stamp_ms)
{
    uint32_t before = store->slots[slot].state;

    store->slots[slot].state = state;
    store->slots[slot].stamp_ms = stamp_ms;
    if (before == STORE_FREE)
        add_live(store, slot);
    else if (state == STORE_FREE)
        remove_live(store, slot);
}

void
store_change(struct store *store, uint32_t slot, uint32_t state, uint64_t stamp_ms)
{
    store->journal.slot = slot;
    store->journal.state = state;
    store->journal.stamp_ms = stamp_ms;
    journal_save(&store->file->journal, &store->journal);
    fault_point("sender_redo");
    do_last_change(store);
    store->journal.unspooled = 0;
    if (slot != STORE_NONE)
        change_slot(store, slot, state, stamp_ms);
}

const struct store_slot *
store_at(const struct store *store, uint32_t slot)
{
    return &store->slots[slot];
}

struct batch
store_batch(const struct store *store, uint32_t slot)
{
    const struct store_slot *from = store_at(store, slot);
    struct batch batch = {
        .id = from->id,
        .timestamp_s = from->timestamp_s,
        .n_lines = from->n_lines,
        .crc = from->records_crc,
    };

    buf_init_fixed(&batch.records, page_at(store, from->page), from->len);
    batch.records.len = from->len;
    return batch;
}

static int
compare_ages(const void *a, const void *b, void *slots)
{
    uint64_t order_a = ((const struct store_slot *)slots)[*(const uint32_t *)a].order;
    uint64_t order_b = ((const struct store_slot *)slots)[*(const uint32_t *)b].order;

    return (order_a > order_b) - (order_a < order_b);
}

static void
list_places(const struct store *store, struct place out[STORE_SLOTS])
{
    for (uint32_t i = 0; i < store->n_live; i++) {
        const struct store_slot *slot = &store->slots[store->live[i]];

        out[i] = (struct place){.page = slot->page, .n_pages = (uint32_t)n_pages_of(slot)};
    }
    places_sort(out, store->n_live);
}

/* The first page of a place for len bytes, or STORE_NONE. */
static uint32_t
find_place(const struct store *store, size_t len)
{
    struct place places[STORE_SLOTS];

    list_places(store, places);
    return places_find(places, store->n_live, store_size(len) / STORE_PAGE, n_pages_in(store));
}

static uint32_t
find_free_slot(const struct store *store)
{
    uint32_t slot = 0;

    while (slot < STORE_SLOTS && store->slots[slot].state != STORE_FREE)
        slot++;
    return slot < STORE_SLOTS ? slot : STORE_NONE;
}

int
store_put(struct store *store, const struct batch *batch)
{
    uint32_t slot = find_free_slot(store);
    struct store_slot put = {
        .state = STORE_FREE,
        .len = batch->records.len,
        .id = batch->id,
        .timestamp_s = batch->timestamp_s,
        .n_lines = batch->n_lines,
        .order = store->journal.order + 1,
        .page = find_place(store, batch->records.len),
        .records_crc = batch->crc,
    };
    int error;

    if (slot == STORE_NONE || put.page == STORE_NONE)
        return -ENOSPC;
    error = get_memory(store, PAGES_START + (size_t)put.page * STORE_PAGE, store_size(put.len));
    if (error != 0)
        return error == -ENOSPC ? -ENOMEM : error;
    fault_point("sender_copy");
    if (put.len > 0)
        memcpy(page_at(store, put.page), batch->records.data, put.len);
    put.crc = checksum(&put);
    store->slots[slot] = store->file->slots[slot] = put;
    store->journal.order = put.order;
    fault_point("sender_copied");
    return (int)slot;
}

/* Whether it and its batch are what was once written. */
static bool
is_intact(const struct store *store, const struct store_slot *slot)
{
    if (slot->state != STORE_QUEUED && slot->state != STORE_DELIVERED &&
        slot->state != STORE_REPLAY)
        return false;
    if (slot->crc != checksum(slot) || slot->len > store->size ||
        slot->page + n_pages_of(slot) > n_pages_in(store))
        return false;
    return slot->records_crc == hash_crc32c(0, page_at(store, slot->page), slot->len);
}

/* What no live slot takes: pages that a batch was being copied to, or that were not given back. */
static void
give_back_the_rest(const struct store *store)
{
    struct place places[STORE_SLOTS];
    size_t page = 0;

    list_places(store, places);
    for (uint32_t i = 0; i < store->n_live; i++) {
        if (places[i].page > page)
            give_back(store, page, places[i].page - page);
        page = (size_t)places[i].page + places[i].n_pages;
    }
    if (n_pages_in(store) > page)
        give_back(store, page, n_pages_in(store) - page);
}

static void
adopt_slots(struct store *store)
{
    for (uint32_t slot = 0; slot < STORE_SLOTS; slot++) {
        store->slots[slot] = store->file->slots[slot];
        if (is_intact(store, &store->slots[slot]))
            add_live(store, slot);
        else
            store->slots[slot].state = store->file->slots[slot].state = STORE_FREE;
    }
    qsort_r(store->live, store->n_live, sizeof(store->live[0]), compare_ages, store->slots);
    give_back_the_rest(store);
}

/* Of a journal that was lost, what the batches tell. */
static void
begin_journal(struct store *store)
{
    store->journal = (struct journal){0};
    if (store->n_live > 0)
        store->journal.order = store->slots[store->live[store->n_live - 1]].order;
    store_change(store, STORE_NONE, STORE_FREE, 0);
}

static enum store_found
adopt(struct store *store)
{
    int error = journal_load(&store->file->journal, &store->journal);

    fault_point("sender_adopt");
    if (error == 0)
        do_last_change(store);
    adopt_slots(store);
    fault_point("sender_adopted");
    if (error == 0)
        return STORE_ADOPTED;
    begin_journal(store);
    return STORE_DAMAGED;
}

static void
begin(struct store *store)
{
    struct store_file *file = store->file;

    file->layout = STORE_LAYOUT;
    file->size = sizeof(*file);
    file->slot_size = sizeof(file->slots[0]);
    file->n_slots = STORE_SLOTS;
    begin_journal(store);
    fault_point("sender_begin");
    __atomic_store_n(&file->magic, MAGIC, __ATOMIC_RELEASE);
}

/* What is in the file: what is to be adopted, or what must go. A file that nobody has finished to
 * set up is empty. */
static enum store_found
look(int fd)
{
    struct store_file head = {0};
    ssize_t n = pread(fd, &head, offsetof(struct store_file, journal), 0);

    if (n <= 0 || head.magic == 0)
        return STORE_EMPTY;
    if (n == offsetof(struct store_file, journal) && head.magic == MAGIC &&
        head.layout == STORE_LAYOUT && head.size == sizeof(head) &&
        head.slot_size == sizeof(head.slots[0]) && head.n_slots == STORE_SLOTS)
        return STORE_ADOPTED;
    return STORE_FOREIGN;
}

/* The size of the file from now on, which never becomes smaller, or -errno. */
static off_t
resize(int fd, size_t limit)
{
    off_t size = (off_t)(PAGES_START + 2 * store_size(limit));
    struct stat now;

    if (fstat(fd, &now) != 0)
        return -errno;
    if (now.st_size >= size)
        return now.st_size;
    return ftruncate(fd, size) == 0 ? size : -errno;
}

static int
map(struct store *store, size_t limit)
{
    off_t size = resize(store->fd, limit);
    void *mapped;
    int error;

    if (size < 0)
        return (int)size;
    store->size = (size_t)size;
    if ((error = get_memory(store, 0, PAGES_START)) != 0)
        return error;
    mapped = mmap(NULL, store->size, PROT_READ | PROT_WRITE, MAP_SHARED, store->fd, 0);
    if (mapped == MAP_FAILED)
        return -errno;
    store->file = mapped;
    return 0;
}

int
store_open(struct store *store, int fd, size_t limit, enum store_found *out)
{
    enum store_found found = look(fd);
    int error;

    memset(store, 0, sizeof(*store));
    store->fd = fd;
    if (found != STORE_ADOPTED && ftruncate(fd, 0) != 0)
        return -errno;
    store->slots = calloc(STORE_SLOTS, sizeof(store->slots[0]));
    error = store->slots == NULL ? -ENOMEM : map(store, limit);
    if (error != 0) {
        store_close(store);
        return error;
    }
    if (found == STORE_ADOPTED)
        found = adopt(store);
    else
        begin(store);
    *out = found;
    return 0;
}

void
store_close(struct store *store)
{
    if (store->file != NULL)
        munmap(store->file, store->size);
    free(store->slots);
    store->file = NULL;
    store->slots = NULL;
}
