/*
 * batch: see batch.h. Knows nothing of frames or of the wire.
 */
#include "sender/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

struct batch *
batch_new(uint64_t id, uint64_t end_ms, size_t limit)
{
    struct batch *batch = calloc(1, sizeof(*batch));

    if (batch == NULL)
        return NULL;
    batch->id = id;
    batch->timestamp_s = end_ms / 1000;
    batch->metrics_limit = limit - (limit / 2 < BATCH_OWN_ROOM ? limit / 2 : BATCH_OWN_ROOM);
    buf_init(&batch->records, limit);
    return batch;
}

void
batch_free(struct batch *batch)
{
    if (batch == NULL)
        return;
    buf_release(&batch->records);
    free(batch);
}

/* What says that metrics had no room always has some itself. */
static bool
has_room(const struct batch *batch, const struct record *record, size_t len)
{
    return record->source == RECORD_SELF || batch->records.len + len <= batch->metrics_limit;
}

/* Counts a record that was not added. */
static void
leave_out(struct batch *batch, size_t len, uint64_t n_points)
{
    if (len > batch->records.limit - batch->records.len)
        batch->n_dropped += n_points;
    else
        batch->n_unkept += n_points;
}

int
batch_add(struct batch *batch, const uint8_t *payload, size_t len)
{
    const uint8_t *at = payload, *end = payload + len;
    struct record record;

    while (at < end) {
        const uint8_t *start = at;

        if (record_decode(&at, end, &record) != 0)
            return -1;
        if (!has_room(batch, &record, (size_t)(at - start)))
            batch->n_dropped += record.n_points;
        else if (buf_append(&batch->records, start, (size_t)(at - start)) == 0)
            batch->n_lines += record.n_points;
        else
            leave_out(batch, (size_t)(at - start), record.n_points);
    }
    return 0;
}

void
batch_add_own(struct batch *batch, const char *name, double value)
{
    struct record record = {
        .source = RECORD_SELF,
        .name = name,
        .name_len = (uint16_t)strlen(name),
    };

    record_add(&record, STATISTIC_VALUE, 0, value);
    if (record_encode(&record, &batch->records) == 0)
        batch->n_lines++;
    else
        batch->n_dropped++;
}

void
batch_seal(struct batch *batch)
{
    batch->crc = hash_crc32c(0, batch->records.data, batch->records.len);
}

bool
batch_is_intact(const struct batch *batch)
{
    return batch->crc == hash_crc32c(0, batch->records.data, batch->records.len);
}
