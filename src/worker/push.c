/*
 * push: see push.h. Knows nothing of when an interval is closed.
 */
#include "worker/push.h"

#include <errno.h>
#include <string.h>

/* How much is done before the others get their turn. */
#define RECORDS_PER_TURN 2048

void
push_begin(struct push *push, uint64_t now_ms)
{
    flush_begin(&push->flush);
    outlet_begin(&push->outlet, push->flush.interval.end_ms, push->flush.interval.end_ms);
    selfstat_list_reset(&push->own);
    push->n_own_sent = 0;
    push->started_ms = now_ms;
    push->state = PUSH_MORE;
}

/* Puts a record into the frame at hand, which is sent first where it is full. */
static int
put_record(struct push *push, const struct record *record)
{
    int error;

    if (record_encode(record, &push->outlet.payload) == 0)
        return 0;
    if ((error = outlet_send(&push->outlet, 0)) != 0)
        return error;
    return record_encode(record, &push->outlet.payload);
}

/* Returns 1 at the end of the metrics, 0 when the turn is over, or -errno. */
static int
push_metrics(struct push *push)
{
    struct record record;
    int error;

    for (int i = 0; i < RECORDS_PER_TURN; i++) {
        if (!flush_peek(&push->flush, &record))
            return 1;
        if ((error = put_record(push, &record)) != 0)
            return error;
        flush_advance(&push->flush);
    }
    return 0;
}

/* Made when all metrics have been counted. */
static void
list_own(struct push *push)
{
    struct selfstat_list *own = &push->own;

    selfstat_list_add(own, "numStats", NULL, push->flush.n_records);
    if (!push->self_stats)
        return;
    selfstat_list_fill(own, &push->stats);
    selfstat_list_add(own, "flush_ms", NULL, push->flush_ms);
    selfstat_list_add(own, "flush_overruns", NULL, push->overruns);
    selfstat_list_add(own, "restarts", "worker", push->n_restarts);
    for (unsigned i = 0; i < METRIC_TYPE_COUNT; i++)
        selfstat_list_add(own, "metrics_active", metric_type_name(i), push->flush.n_metrics[i]);
}

/* Returns 1 when everything is sent, or -errno. */
static int
push_own(struct push *push)
{
    int error;

    if (push->own.n == 0)
        list_own(push);
    for (; push->n_own_sent < push->own.n; push->n_own_sent++) {
        const struct selfstat_item *item = &push->own.items[push->n_own_sent];
        struct record record = {
            .source = RECORD_SELF,
            .name = item->name,
            .name_len = (uint16_t)strlen(item->name),
        };

        record_add(&record, STATISTIC_VALUE, 0, item->value);
        if ((error = put_record(push, &record)) != 0)
            return error;
    }
    error = outlet_send(&push->outlet, FRAME_LAST);
    return error == 0 ? 1 : error;
}

int
push_step(struct push *push, uint64_t now_ms)
{
    int result;

    if (push->state == PUSH_DONE)
        return 0;
    result = push_metrics(push);
    if (result == 1)
        result = push_own(push);
    push->state = result == 1 ? PUSH_DONE : result == -EAGAIN ? PUSH_BLOCKED : PUSH_MORE;
    if (push->state == PUSH_DONE)
        push->flush_ms = now_ms - push->started_ms;
    return result < 0 && result != -EAGAIN ? result : 0;
}
