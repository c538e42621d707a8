/*
 * check_queue: the order of batches, what goes when there is no room, and the counts of both.
 */
#include <check.h>
#include <stdlib.h>

#include "sender/queue.h"

/* A sealed batch of n_lines lines, all of one size. */
static struct batch *
batch_of(uint64_t id, unsigned n_lines)
{
    struct batch *batch = batch_new(id, 100000);

    for (unsigned i = 0; i < n_lines; i++)
        batch_add_own(batch, "name", i);
    batch_seal(batch);
    return batch;
}

static size_t
size_of(unsigned n_lines)
{
    struct batch *batch = batch_of(1, n_lines);
    size_t size = batch_size(batch);

    batch_free(batch);
    return size;
}

/* The ids in it are those from first to last, each of two lines. */
static void
assert_holds(const struct queue *queue, uint64_t first, uint64_t last)
{
    uint64_t id = first;

    for (const struct batch *batch = queue->first; batch != NULL; batch = batch->next) {
        ck_assert_uint_eq(batch->id, id++);
        ck_assert(batch->next != NULL || queue->last == batch);
    }
    ck_assert_uint_eq(id, last + 1);
    ck_assert(queue->first != NULL || queue->last == NULL);
    ck_assert_uint_eq(queue->n_batches, last + 1 - first);
    ck_assert_uint_eq(queue->n_lines, 2 * queue->n_batches);
    ck_assert_uint_eq(queue->size, queue->n_batches * size_of(2));
}

static void
fill(struct queue *queue, size_t limit, uint64_t n)
{
    queue_init(queue, limit);
    for (uint64_t id = 1; id <= n; id++)
        queue_push(queue, batch_of(id, 2));
}

START_TEST(test_first_in_first_out)
{
    struct queue queue;

    fill(&queue, 100000, 3);
    assert_holds(&queue, 1, 3);
    queue_pop(&queue);
    assert_holds(&queue, 2, 3);
    queue_push(&queue, batch_of(4, 2));
    assert_holds(&queue, 2, 4);
    for (uint64_t id = 3; id <= 5; id++) {
        queue_pop(&queue);
        assert_holds(&queue, id, 4);
    }
    queue_push(&queue, batch_of(5, 2)); /* empty, and in use again */
    assert_holds(&queue, 5, 5);
    ck_assert_uint_eq(queue.n_dropped, 0);
    queue_release(&queue);
    assert_holds(&queue, 1, 0);
}
END_TEST

START_TEST(test_room)
{
    static const struct {
        size_t n_held, n_limit, n_wanted; /* in batches */
        bool first_busy;
        size_t n_dropped;
    } rows[] = {
        {0, 3, 1, false, 0}, {2, 3, 1, false, 0}, {3, 3, 1, false, 1}, {3, 3, 2, false, 2},
        {3, 3, 3, false, 3}, {3, 3, 9, false, 3}, {0, 3, 9, false, 0}, {2, 3, 1, true, 0},
        {3, 3, 1, true, 1},  {3, 3, 2, true, 2},  {3, 3, 3, true, 2},  {1, 1, 1, true, 0},
        {1, 1, 1, false, 1}, {3, 3, 0, false, 0}, {4, 3, 0, false, 1}, {0, 3, 1, true, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct queue queue;
        size_t n_left = rows[i].n_held - rows[i].n_dropped;

        fill(&queue, rows[i].n_limit * size_of(2), rows[i].n_held);
        queue_make_room(&queue, rows[i].n_wanted * size_of(2), rows[i].first_busy);
        ck_assert_msg(queue.n_dropped == 2 * rows[i].n_dropped, "row %zu", i);
        ck_assert_msg(queue.n_batches == n_left, "row %zu", i);
        if (rows[i].first_busy && n_left > 0) { /* what is behind it went */
            ck_assert_uint_eq(queue.first->id, 1);
            queue_pop(&queue);
            n_left--;
        }
        assert_holds(&queue, rows[i].n_held - n_left + 1, rows[i].n_held);
        queue_push(&queue, batch_of(rows[i].n_held + 1, 2));
        assert_holds(&queue, rows[i].n_held - n_left + 1, rows[i].n_held + 1);
        queue_release(&queue);
    }
}
END_TEST

/* One byte too many is too many. */
START_TEST(test_room_to_the_byte)
{
    struct queue queue;

    fill(&queue, 3 * size_of(2), 2);
    queue_make_room(&queue, size_of(2), false);
    ck_assert_uint_eq(queue.n_batches, 2);
    queue_make_room(&queue, size_of(2) + 1, false);
    assert_holds(&queue, 2, 2);
    queue_release(&queue);
}
END_TEST

START_TEST(test_lines_that_a_batch_had_no_room_for)
{
    struct batch *batch = batch_new(1, 20);
    struct queue queue;

    for (int i = 0; i < 4; i++)
        batch_add_own(batch, "name", i);
    batch_seal(batch);
    queue_init(&queue, 100000);
    queue_push(&queue, batch);
    ck_assert_uint_eq(queue.n_lines, 1);
    ck_assert_uint_eq(queue.n_dropped, 3);
    queue_make_room(&queue, 100000, false);
    ck_assert_uint_eq(queue.n_lines, 0);
    ck_assert_uint_eq(queue.n_dropped, 4);
    queue_release(&queue);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("queue");
    TCase *tcase = tcase_create("queue");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_first_in_first_out);
    tcase_add_test(tcase, test_room);
    tcase_add_test(tcase, test_room_to_the_byte);
    tcase_add_test(tcase, test_lines_that_a_batch_had_no_room_for);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
