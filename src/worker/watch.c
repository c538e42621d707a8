/*
 * watch: see watch.h. head and tail only grow; what lies between them is the reader's, the rest the
 * writer's, and each is published with one store.
 */
#include "worker/watch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Followed by the address and the line, as they came. */
struct entry {
    uint32_t line_len; /* of the whole line, of which at most WATCH_LINE_MAX bytes follow */
    uint32_t from_len;
};

struct watch {
    char glob[FILTER_PATTERN_MAX];
    size_t glob_len;
    size_t size;
    /* Apart from each other, so that the threads do not fight for one line of the cache. */
    _Alignas(64) uint64_t head; /* the writer's */
    uint64_t n_skipped;
    _Alignas(64) uint64_t tail; /* the reader's */
    uint64_t n_told;            /* of n_skipped */
    _Alignas(64) char ring[];
};

struct watch *
watch_new(const char *glob, size_t size)
{
    size_t len = strlen(glob);
    struct watch *watch = NULL;

    assert(len <= FILTER_PATTERN_MAX && size >= 4096 && (size & (size - 1)) == 0);
    if (posix_memalign((void **)&watch, 64, sizeof(*watch) + size) != 0)
        return NULL;
    memset(watch, 0, sizeof(*watch));
    memcpy(watch->glob, glob, len);
    watch->glob_len = len;
    watch->size = size;
    return watch;
}

void
watch_free(struct watch *watch)
{
    free(watch);
}

bool
watch_wants(const struct watch *watch, const struct name *name)
{
    return watch->glob_len == 0 ||
           filter_matches(watch->glob, watch->glob_len, name->text, name->len);
}

static void
copy_in(struct watch *watch, uint64_t at, const void *bytes, size_t len)
{
    size_t offset = at & (watch->size - 1);
    size_t first = len < watch->size - offset ? len : watch->size - offset;

    memcpy(watch->ring + offset, bytes, first);
    memcpy(watch->ring, (const char *)bytes + first, len - first);
}

static void
copy_out(const struct watch *watch, uint64_t at, void *bytes, size_t len)
{
    size_t offset = at & (watch->size - 1);
    size_t first = len < watch->size - offset ? len : watch->size - offset;

    memcpy(bytes, watch->ring + offset, first);
    memcpy((char *)bytes + first, watch->ring, len - first);
}

static size_t
shown_len(const struct entry *entry)
{
    return entry->line_len < WATCH_LINE_MAX ? entry->line_len : WATCH_LINE_MAX;
}

void
watch_put(struct watch *watch, const struct net_address *from, const char *line, size_t len)
{
    struct entry entry = {.line_len = (uint32_t)len, .from_len = from->len};
    uint64_t tail = __atomic_load_n(&watch->tail, __ATOMIC_ACQUIRE);
    uint64_t at = watch->head;

    if (watch->size - (at - tail) < sizeof(entry) + entry.from_len + shown_len(&entry)) {
        __atomic_store_n(&watch->n_skipped, watch->n_skipped + 1, __ATOMIC_RELAXED);
        return;
    }
    copy_in(watch, at, &entry, sizeof(entry));
    at += sizeof(entry);
    copy_in(watch, at, &from->storage, entry.from_len);
    at += entry.from_len;
    copy_in(watch, at, line, shown_len(&entry));
    at += shown_len(&entry);
    __atomic_store_n(&watch->head, at, __ATOMIC_RELEASE);
}

/* Returns where the next entry begins. */
static uint64_t
append_entry(const struct watch *watch, uint64_t at, struct buf *out)
{
    struct net_address from = {0};
    char text[NET_TEXT_MAX], line[WATCH_LINE_MAX];
    struct entry entry;

    copy_out(watch, at, &entry, sizeof(entry));
    at += sizeof(entry);
    from.len = entry.from_len;
    copy_out(watch, at, &from.storage, from.len);
    at += from.len;
    copy_out(watch, at, line, shown_len(&entry));
    net_format(&from, text);
    (void)buf_append_str(out, text);
    (void)buf_append_str(out, " ");
    buf_append_escaped(out, line, shown_len(&entry), WATCH_LINE_MAX);
    (void)buf_append_str(out, entry.line_len > WATCH_LINE_MAX ? "...\n" : "\n");
    return at + shown_len(&entry);
}

bool
watch_take(struct watch *watch, struct buf *out, size_t max)
{
    uint64_t head = __atomic_load_n(&watch->head, __ATOMIC_ACQUIRE);
    uint64_t at = watch->tail;

    while (at != head && out->len < max)
        at = append_entry(watch, at, out);
    __atomic_store_n(&watch->tail, at, __ATOMIC_RELEASE);
    return at != head;
}

uint64_t
watch_skipped(struct watch *watch)
{
    uint64_t n_skipped = __atomic_load_n(&watch->n_skipped, __ATOMIC_RELAXED);
    uint64_t n = n_skipped - watch->n_told;

    watch->n_told = n_skipped;
    return n;
}
