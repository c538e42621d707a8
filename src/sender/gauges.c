/*
 * gauges: see gauges.h. Knows nothing of when it is time.
 */
#include "sender/gauges.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "metric/gaugefile.h"
#include "metric/point.h"
#include "sender/durable.h"

static int
add_gauge(const struct record *record, struct buf *buf)
{
    struct gaugefile_entry entry = {
        .set_ms = record->set_ms,
        .name = record->name,
        .name_len = record->name_len,
    };

    for (size_t i = 0; i < record->n_points; i++) {
        if (record->points[i].statistic != STATISTIC_VALUE)
            continue;
        entry.value = record->points[i].value;
        return gaugefile_add(buf, &entry) == 0 ? 0 : -ENOMEM;
    }
    return 0;
}

/* The file, of a flush's records. */
static int
collect(const uint8_t *records, size_t len, struct buf *buf)
{
    const uint8_t *at = records, *end = records + len;
    struct record record;
    int status = gaugefile_begin(buf) == 0 ? 0 : -ENOMEM;

    while (at < end && status == 0) {
        if (record_decode(&at, end, &record) != 0)
            return -EBADMSG;
        if (record.source == METRIC_GAUGE)
            status = add_gauge(&record, buf);
    }
    if (status == 0)
        gaugefile_end(buf);
    return status;
}

int
gauges_save(int dir_fd, const char *name, const uint8_t *records, size_t len)
{
    char temporary[NAME_MAX + 1];
    const struct durable durable = {
        .dir_fd = dir_fd,
        .name = name,
        .temporary = temporary,
        .fault_points = {"gauges_create", "gauges_write", "gauges_sync", "gauges_rename",
                         "gauges_dirsync"},
    };
    struct buf buf;
    int status;

    if (snprintf(temporary, sizeof(temporary), "%s.tmp", name) >= (int)sizeof(temporary))
        return -ENAMETOOLONG;
    /* An entry is never longer than the record that it is made of. */
    buf_init(&buf, sizeof(struct gaugefile_header) + len);
    status = collect(records, len, &buf);
    if (status == 0) {
        unlinkat(dir_fd, temporary, 0); /* of a process that was killed */
        status =
            durable_put(&durable, &(struct iovec){.iov_base = buf.data, .iov_len = buf.len}, 1);
    }
    buf_release(&buf);
    return status;
}
