/*
 * queue: see queue.h.
 */
#include "sender/queue.h"

#include <assert.h>
#include <string.h>

void
queue_init(struct queue *queue, size_t limit)
{
    memset(queue, 0, sizeof(*queue));
    queue->limit = limit;
}

/* Unlinks the batch behind before, or the first where before is NULL. */
static void
drop_behind(struct queue *queue, struct batch *before)
{
    struct batch *batch = before == NULL ? queue->first : before->next;

    if (before == NULL)
        queue->first = batch->next;
    else
        before->next = batch->next;
    if (queue->last == batch)
        queue->last = before;
    queue->size -= batch_size(batch);
    queue->n_lines -= batch->n_lines;
    queue->n_batches--;
    batch_free(batch);
}

void
queue_release(struct queue *queue)
{
    while (queue->first != NULL)
        drop_behind(queue, NULL);
}

void
queue_make_room(struct queue *queue, size_t size, bool first_busy)
{
    while (queue->size + size > queue->limit) {
        struct batch *before = first_busy ? queue->first : NULL;
        struct batch *oldest = before == NULL ? queue->first : before->next;

        if (oldest == NULL)
            return;
        queue->n_dropped += oldest->n_lines;
        drop_behind(queue, before);
    }
}

void
queue_push(struct queue *queue, struct batch *batch)
{
    batch->next = NULL;
    if (queue->last == NULL)
        queue->first = batch;
    else
        queue->last->next = batch;
    queue->last = batch;
    queue->size += batch_size(batch);
    queue->n_lines += batch->n_lines;
    queue->n_batches++;
    queue->n_dropped += batch->n_dropped;
}

void
queue_pop(struct queue *queue)
{
    assert(queue->first != NULL);
    drop_behind(queue, NULL);
}
