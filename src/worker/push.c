/*
 * push: see push.h. Knows nothing of when an interval is closed.
 */
#include "worker/push.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"

/* How much is done before the others get their turn. */
#define RECORDS_PER_TURN 2048
#define CLEARED_PER_TURN 8192
/* Of an open interval, whose samples have to wait meanwhile: so many, and no longer. */
#define OPEN_PER_TURN 512
#define OPEN_TURN_US  500

static void
begin(struct push *push)
{
    if (push->job.is_open)
        flush_begin_open(&push->flush, &push->job.interval);
    else
        flush_begin(&push->flush, &push->job.interval);
    outlet_begin(&push->outlet, push->job.flush_id, push->job.interval.end_ms);
    selfstat_list_reset(&push->own);
    push->n_own_sent = 0;
    push->sender_starts = board_get(&push->board->sender_starts);
    push->state = PUSH_SENDING;
}

void
push_begin(struct push *push, const struct push_job *job, uint64_t now_ms)
{
    push->job = *job;
    push->started_ms = now_ms;
    begin(push);
}

void
push_clear(struct push *push)
{
    flush_begin_clear(&push->flush);
    push->state = PUSH_CLEARING;
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
    int max = push->job.is_open ? OPEN_PER_TURN : RECORDS_PER_TURN, error;
    uint64_t end_us = push->job.is_open ? clock_mono_us() + OPEN_TURN_US : 0;
    struct record record;

    for (int i = 0; i < max; i++) {
        if (end_us != 0 && i > 0 && clock_mono_us() >= end_us)
            return 0;
        if (!flush_peek(&push->flush, &record))
            return 1;
        if ((error = put_record(push, &record)) != 0)
            return error;
        flush_advance(&push->flush);
        fault_point("worker_render");
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
    selfstat_list_fill(own, &push->job.stats);
    selfstat_list_add(own, "flush_ms", NULL, push->flush_ms);
    selfstat_list_add(own, "flush_overruns", NULL, push->job.overruns);
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
    fault_point("worker_last_frame");
    error = outlet_send(&push->outlet, FRAME_LAST);
    return error == 0 ? 1 : error;
}

static int
send_more(struct push *push)
{
    int result = push_metrics(push);

    if (result == 1)
        result = push_own(push);
    push->state = result == 1 ? PUSH_WAITING : result == -EAGAIN ? PUSH_BLOCKED : PUSH_SENDING;
    return result < 0 && result != -EAGAIN ? result : 0;
}

static bool
is_committed(const struct push *push)
{
    uint64_t committed = board_get(&push->board->committed);

    return frame_epoch(committed) == frame_epoch(push->job.flush_id) &&
           frame_number(committed) >= frame_number(push->job.flush_id);
}

/* A sender that was started since may not have what the one before it had read. */
static int
bring_across(struct push *push, uint64_t now_ms)
{
    if (is_committed(push)) {
        push->flush_ms = now_ms - push->started_ms;
        push->state = push->job.is_open ? PUSH_DONE : PUSH_COMMITTED;
        return 0;
    }
    if (board_get(&push->board->sender_starts) != push->sender_starts)
        begin(push);
    return push->state == PUSH_WAITING ? 0 : send_more(push);
}

int
push_step(struct push *push, uint64_t now_ms)
{
    switch (push->state) {
    case PUSH_DONE:
    case PUSH_COMMITTED: break;
    case PUSH_SENDING:
    case PUSH_BLOCKED:
    case PUSH_WAITING: return bring_across(push, now_ms);
    case PUSH_CLEARING:
        fault_point("worker_clear");
        if (!flush_clear(&push->flush, CLEARED_PER_TURN))
            push->state = PUSH_DONE;
        break;
    }
    return 0;
}
