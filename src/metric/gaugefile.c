/*
 * gaugefile: see gaugefile.h. Knows neither files nor the table.
 */
#include "metric/gaugefile.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "metric/point.h"

#define VERSION 1

static const char magic[8] = "PYSTATSG";

static const char *const verdicts[] = {
    [GAUGEFILE_OK] = "ok",
    [GAUGEFILE_SHORT] = "shorter than a header",
    [GAUGEFILE_FOREIGN] = "no file of gauges",
    [GAUGEFILE_VERSION] = "of another version",
    [GAUGEFILE_LENGTH] = "not as long as it says",
    [GAUGEFILE_CHECKSUM] = "wrong checksum",
    [GAUGEFILE_ENTRY] = "what it holds is no gauge",
};

_Static_assert(sizeof(struct gaugefile_header) == 32, "a gauge file's header has no holes");

const char *
gaugefile_strerror(enum gaugefile_verdict verdict)
{
    return verdicts[verdict];
}

static uint32_t
checksum(const struct gaugefile_header *header, const uint8_t *entries)
{
    struct gaugefile_header copy = *header;

    copy.crc = 0;
    return hash_crc32c(hash_crc32c(0, &copy, sizeof(copy)), entries, header->length);
}

int
gaugefile_begin(struct buf *buf)
{
    struct gaugefile_header header = {.version = VERSION};

    assert(buf->len == 0);
    memcpy(header.magic, magic, sizeof(magic));
    return buf_append(buf, &header, sizeof(header));
}

static bool
is_entry(const struct gaugefile_entry *entry)
{
    return entry->name_len > 0 && entry->name_len <= RECORD_NAME_MAX && isfinite(entry->value) &&
           entry->set_ms <= GAUGEFILE_SET_MS_MAX;
}

int
gaugefile_add(struct buf *buf, const struct gaugefile_entry *entry)
{
    uint16_t name_len = (uint16_t)entry->name_len;
    uint8_t *to = NULL;

    if (is_entry(entry))
        to = buf_reserve(buf, GAUGEFILE_ENTRY_LEN + entry->name_len);
    if (to == NULL)
        return -1;
    memcpy(to, &entry->set_ms, sizeof(entry->set_ms));
    memcpy(to + 8, &entry->value, sizeof(entry->value));
    memcpy(to + 16, &name_len, sizeof(name_len));
    memcpy(to + GAUGEFILE_ENTRY_LEN, entry->name, entry->name_len);
    buf->len += GAUGEFILE_ENTRY_LEN + entry->name_len;
    return 0;
}

bool
gaugefile_next(struct gaugefile *file, struct gaugefile_entry *out)
{
    struct gaugefile_entry entry;
    uint16_t name_len;

    if (file->end - file->at < GAUGEFILE_ENTRY_LEN)
        return false;
    memcpy(&entry.set_ms, file->at, sizeof(entry.set_ms));
    memcpy(&entry.value, file->at + 8, sizeof(entry.value));
    memcpy(&name_len, file->at + 16, sizeof(name_len));
    entry.name = (const char *)file->at + GAUGEFILE_ENTRY_LEN;
    entry.name_len = name_len;
    if (!is_entry(&entry) || file->end - file->at - GAUGEFILE_ENTRY_LEN < name_len)
        return false;
    file->at += GAUGEFILE_ENTRY_LEN + name_len;
    *out = entry;
    return true;
}

/* All entries up to the first that is none, or the end. */
static uint64_t
count_entries(struct gaugefile *file)
{
    struct gaugefile_entry entry;
    uint64_t n = 0;

    while (gaugefile_next(file, &entry))
        n++;
    return n;
}

void
gaugefile_end(struct buf *buf)
{
    struct gaugefile_header header;
    struct gaugefile entries = {buf->data + sizeof(header), buf->data + buf->len};

    memcpy(&header, buf->data, sizeof(header));
    header.length = buf->len - sizeof(header);
    header.n = count_entries(&entries);
    header.crc = checksum(&header, buf->data + sizeof(header));
    memcpy(buf->data, &header, sizeof(header));
}

enum gaugefile_verdict
gaugefile_open(const void *bytes, size_t len, struct gaugefile *out)
{
    struct gaugefile_header header;
    struct gaugefile file, walk;

    if (len < sizeof(header))
        return GAUGEFILE_SHORT;
    memcpy(&header, bytes, sizeof(header));
    if (memcmp(header.magic, magic, sizeof(magic)) != 0)
        return GAUGEFILE_FOREIGN;
    if (header.version != VERSION)
        return GAUGEFILE_VERSION;
    if (header.length != len - sizeof(header))
        return GAUGEFILE_LENGTH;
    file.at = (const uint8_t *)bytes + sizeof(header);
    file.end = file.at + header.length;
    if (checksum(&header, file.at) != header.crc)
        return GAUGEFILE_CHECKSUM;
    walk = file;
    if (count_entries(&walk) != header.n || walk.at != walk.end)
        return GAUGEFILE_ENTRY;
    *out = file;
    return GAUGEFILE_OK;
}
