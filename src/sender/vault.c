/*
 * vault: see vault.h. The process may be killed at any instruction; another goes on with what it
 * wrote, and trusts none of it.
 */
#include "sender/vault.h"

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

struct vault_file {
    uint64_t magic;
    uint32_t layout, size, slot_size, n_slots; /* of this struct, and of a slot */
    struct journal_pair journal;
    struct vault_slot slots[VAULT_SLOTS];
};

_Static_assert(sizeof(struct vault_slot) == 64, "a slot has no holes");

/* Where the batches' pages begin. */
#define PAGES_START ((sizeof(struct vault_file) + VAULT_PAGE - 1) / VAULT_PAGE * VAULT_PAGE)

static uint32_t
checksum(const struct vault_slot *slot)
{
    return hash_crc32c(0, &slot->len, sizeof(*slot) - offsetof(struct vault_slot, len));
}

static uint8_t *
page_at(const struct vault *vault, size_t page)
{
    return (uint8_t *)vault->file + PAGES_START + page * VAULT_PAGE;
}

static size_t
n_pages_of(const struct vault_slot *slot)
{
    return vault_size(slot->len) / VAULT_PAGE;
}

static size_t
n_pages_in(const struct vault *vault)
{
    return (vault->size - PAGES_START) / VAULT_PAGE;
}

/* So that a machine without memory says so here, and not by a signal later. */
static int
get_memory(const struct vault *vault, size_t start, size_t len)
{
    int result;

    do
        result = fallocate(vault->fd, 0, (off_t)start, (off_t)len);
    while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : -errno;
}

static void
give_back(const struct vault *vault, size_t page, size_t n_pages)
{
    (void)fallocate(vault->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    (off_t)(PAGES_START + page * VAULT_PAGE), (off_t)(n_pages * VAULT_PAGE));
}

static void
add_live(struct vault *vault, uint32_t slot)
{
    vault->live[vault->n_live++] = slot;
    vault->taken += vault_size(vault->slots[slot].len);
}

static void
remove_live(struct vault *vault, uint32_t slot)
{
    const struct vault_slot *gone = &vault->slots[slot];
    uint32_t i = 0;

    while (vault->live[i] != slot)
        i++;
    vault->n_live--;
    memmove(&vault->live[i], &vault->live[i + 1], (vault->n_live - i) * sizeof(vault->live[0]));
    vault->taken -= vault_size(gone->len);
    give_back(vault, gone->page, n_pages_of(gone));
}

/* What the journal says of its slot is done in the file. */
static void
do_last_change(const struct vault *vault)
{
    const struct journal *journal = &vault->journal;
    struct vault_slot *slot;

    if (journal->slot >= VAULT_SLOTS)
        return;
    slot = &vault->file->slots[journal->slot];
    slot->stamp_ms = journal->stamp_ms;
    __atomic_store_n(&slot->state, journal->state, __ATOMIC_RELEASE);
}

static void
change_slot(struct vault *vault, uint32_t slot, uint32_t state, uint64_t stamp_ms)
{
    uint32_t before = vault->slots[slot].state;

    vault->slots[slot].state = state;
    vault->slots[slot].stamp_ms = stamp_ms;
    if (before == VAULT_FREE)
        add_live(vault, slot);
    else if (state == VAULT_FREE)
        remove_live(vault, slot);
}

void
vault_change(struct vault *vault, uint32_t slot, uint32_t state, uint64_t stamp_ms)
{
    vault->journal.slot = slot;
    vault->journal.state = state;
    vault->journal.stamp_ms = stamp_ms;
    journal_save(&vault->file->journal, &vault->journal);
    fault_point("sender_redo");
    do_last_change(vault);
    if (slot != VAULT_NONE)
        change_slot(vault, slot, state, stamp_ms);
}

const struct vault_slot *
vault_at(const struct vault *vault, uint32_t slot)
{
    return &vault->slots[slot];
}

struct batch
vault_batch(const struct vault *vault, uint32_t slot)
{
    const struct vault_slot *from = vault_at(vault, slot);
    struct batch batch = {
        .id = from->id,
        .timestamp_s = from->timestamp_s,
        .n_lines = from->n_lines,
        .crc = from->records_crc,
    };

    buf_init_fixed(&batch.records, page_at(vault, from->page), from->len);
    batch.records.len = from->len;
    return batch;
}

static int
compare_ages(const void *a, const void *b, void *slots)
{
    uint64_t order_a = ((const struct vault_slot *)slots)[*(const uint32_t *)a].order;
    uint64_t order_b = ((const struct vault_slot *)slots)[*(const uint32_t *)b].order;

    return (order_a > order_b) - (order_a < order_b);
}

static void
list_places(const struct vault *vault, struct place out[VAULT_SLOTS])
{
    for (uint32_t i = 0; i < vault->n_live; i++) {
        const struct vault_slot *slot = &vault->slots[vault->live[i]];

        out[i] = (struct place){.page = slot->page, .n_pages = (uint32_t)n_pages_of(slot)};
    }
    places_sort(out, vault->n_live);
}

/* The first page of a place for len bytes, or VAULT_NONE. */
static uint32_t
find_place(const struct vault *vault, size_t len)
{
    struct place places[VAULT_SLOTS];

    list_places(vault, places);
    return places_find(places, vault->n_live, vault_size(len) / VAULT_PAGE, n_pages_in(vault));
}

static uint32_t
find_free_slot(const struct vault *vault)
{
    uint32_t slot = 0;

    while (slot < VAULT_SLOTS && vault->slots[slot].state != VAULT_FREE)
        slot++;
    return slot < VAULT_SLOTS ? slot : VAULT_NONE;
}

int
vault_put(struct vault *vault, const struct batch *batch)
{
    uint32_t slot = find_free_slot(vault);
    struct vault_slot put = {
        .state = VAULT_FREE,
        .len = batch->records.len,
        .id = batch->id,
        .timestamp_s = batch->timestamp_s,
        .n_lines = batch->n_lines,
        .order = vault->journal.order + 1,
        .page = find_place(vault, batch->records.len),
        .records_crc = batch->crc,
    };
    int error;

    if (slot == VAULT_NONE || put.page == VAULT_NONE)
        return -ENOSPC;
    error = get_memory(vault, PAGES_START + (size_t)put.page * VAULT_PAGE, vault_size(put.len));
    if (error != 0)
        return error == -ENOSPC ? -ENOMEM : error;
    fault_point("sender_copy");
    if (put.len > 0)
        memcpy(page_at(vault, put.page), batch->records.data, put.len);
    put.crc = checksum(&put);
    vault->slots[slot] = vault->file->slots[slot] = put;
    vault->journal.order = put.order;
    fault_point("sender_copied");
    return (int)slot;
}

/* Whether it and its batch are what was once written. */
static bool
is_intact(const struct vault *vault, const struct vault_slot *slot)
{
    if (slot->state != VAULT_QUEUED && slot->state != VAULT_DELIVERED &&
        slot->state != VAULT_REPLAY)
        return false;
    if (slot->crc != checksum(slot) || slot->len > vault->size ||
        slot->page + n_pages_of(slot) > n_pages_in(vault))
        return false;
    return slot->records_crc == hash_crc32c(0, page_at(vault, slot->page), slot->len);
}

/* What no live slot takes: pages that a batch was being copied to, or that were not given back. */
static void
give_back_the_rest(const struct vault *vault)
{
    struct place places[VAULT_SLOTS];
    size_t page = 0;

    list_places(vault, places);
    for (uint32_t i = 0; i < vault->n_live; i++) {
        if (places[i].page > page)
            give_back(vault, page, places[i].page - page);
        page = (size_t)places[i].page + places[i].n_pages;
    }
    if (n_pages_in(vault) > page)
        give_back(vault, page, n_pages_in(vault) - page);
}

static void
adopt_slots(struct vault *vault)
{
    for (uint32_t slot = 0; slot < VAULT_SLOTS; slot++) {
        vault->slots[slot] = vault->file->slots[slot];
        if (is_intact(vault, &vault->slots[slot]))
            add_live(vault, slot);
        else
            vault->slots[slot].state = vault->file->slots[slot].state = VAULT_FREE;
    }
    qsort_r(vault->live, vault->n_live, sizeof(vault->live[0]), compare_ages, vault->slots);
    give_back_the_rest(vault);
}

/* Of a journal that was lost, what the batches tell. */
static void
begin_journal(struct vault *vault)
{
    vault->journal = (struct journal){0};
    if (vault->n_live > 0)
        vault->journal.order = vault->slots[vault->live[vault->n_live - 1]].order;
    vault_change(vault, VAULT_NONE, VAULT_FREE, 0);
}

static enum vault_found
adopt(struct vault *vault)
{
    int error = journal_load(&vault->file->journal, &vault->journal);

    fault_point("sender_adopt");
    if (error == 0)
        do_last_change(vault);
    adopt_slots(vault);
    fault_point("sender_adopted");
    if (error == 0)
        return VAULT_ADOPTED;
    begin_journal(vault);
    return VAULT_DAMAGED;
}

static void
begin(struct vault *vault)
{
    struct vault_file *file = vault->file;

    file->layout = VAULT_LAYOUT;
    file->size = sizeof(*file);
    file->slot_size = sizeof(file->slots[0]);
    file->n_slots = VAULT_SLOTS;
    begin_journal(vault);
    fault_point("sender_begin");
    __atomic_store_n(&file->magic, MAGIC, __ATOMIC_RELEASE);
}

/* What is in the file: what is to be adopted, or what must go. A file that nobody has finished to
 * set up is empty. */
static enum vault_found
look(int fd)
{
    struct vault_file head = {0};
    ssize_t n = pread(fd, &head, offsetof(struct vault_file, journal), 0);

    if (n <= 0 || head.magic == 0)
        return VAULT_EMPTY;
    if (n == offsetof(struct vault_file, journal) && head.magic == MAGIC &&
        head.layout == VAULT_LAYOUT && head.size == sizeof(head) &&
        head.slot_size == sizeof(head.slots[0]) && head.n_slots == VAULT_SLOTS)
        return VAULT_ADOPTED;
    return VAULT_FOREIGN;
}

/* The size of the file from now on, which never becomes smaller, or -errno. */
static off_t
resize(int fd, size_t limit)
{
    off_t size = (off_t)(PAGES_START + 2 * vault_size(limit));
    struct stat now;

    if (fstat(fd, &now) != 0)
        return -errno;
    if (now.st_size >= size)
        return now.st_size;
    return ftruncate(fd, size) == 0 ? size : -errno;
}

static int
map(struct vault *vault, size_t limit)
{
    off_t size = resize(vault->fd, limit);
    void *mapped;
    int error;

    if (size < 0)
        return (int)size;
    vault->size = (size_t)size;
    if ((error = get_memory(vault, 0, PAGES_START)) != 0)
        return error;
    mapped = mmap(NULL, vault->size, PROT_READ | PROT_WRITE, MAP_SHARED, vault->fd, 0);
    if (mapped == MAP_FAILED)
        return -errno;
    vault->file = mapped;
    return 0;
}

int
vault_open(struct vault *vault, int fd, size_t limit, enum vault_found *out)
{
    enum vault_found found = look(fd);
    int error;

    memset(vault, 0, sizeof(*vault));
    vault->fd = fd;
    if (found != VAULT_ADOPTED && ftruncate(fd, 0) != 0)
        return -errno;
    vault->slots = calloc(VAULT_SLOTS, sizeof(vault->slots[0]));
    error = vault->slots == NULL ? -ENOMEM : map(vault, limit);
    if (error != 0) {
        vault_close(vault);
        return error;
    }
    if (found == VAULT_ADOPTED)
        found = adopt(vault);
    else
        begin(vault);
    *out = found;
    return 0;
}

void
vault_close(struct vault *vault)
{
    if (vault->file != NULL)
        munmap(vault->file, vault->size);
    free(vault->slots);
    vault->file = NULL;
    vault->slots = NULL;
}
