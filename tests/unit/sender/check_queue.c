/*
 * check_queue: the flushes in memory, and that every line of them is in one of the counts.
 */
#include "arena.h"

#include <errno.h>

#define LIMIT ((size_t)16 * VAULT_PAGE)

static struct queue queue;
static int arena;

static void
set_up(void)
{
    enum vault_found found;

    arena = new_arena();
    ck_assert_int_eq(queue_open(&queue, arena, LIMIT, &found), 0);
    ck_assert_int_eq(found, VAULT_EMPTY);
}

static void
tear_down(void)
{
    queue_close(&queue);
    close(arena);
}

/* As the next process sees it. */
static void
open_again(void)
{
    enum vault_found found;

    queue_close(&queue);
    ck_assert_int_eq(queue_open(&queue, arena, LIMIT, &found), 0);
    ck_assert_int_eq(found, VAULT_ADOPTED);
}

static uint32_t
oldest(void)
{
    return queue_oldest(&queue, VAULT_QUEUED, VAULT_NONE);
}

static unsigned
number_of(uint32_t slot)
{
    return (unsigned)(vault_at(&queue.vault, slot)->id - EPOCH);
}

/* The ledger, now and as the next process finds it. */
static void
assert_counts(uint64_t emitted, uint64_t delivered, uint64_t n_queued, uint64_t n_dropped)
{
    for (int i = 0; i < 2; i++) {
        const struct ledger *ledger = queue_ledger(&queue);
        size_t n_batches;

        ck_assert_uint_eq(ledger->emitted, emitted);
        ck_assert_uint_eq(ledger->delivered, delivered);
        ck_assert_uint_eq(queue_lines(&queue, &n_batches), n_queued);
        ck_assert_uint_eq(ledger_dropped(ledger), n_dropped);
        ck_assert(is_closed(&queue));
        open_again();
    }
}

START_TEST(test_first_in_first_out)
{
    size_t n_batches;

    set_up();
    ck_assert_uint_eq(oldest(), VAULT_NONE);
    ck_assert_uint_eq(queue.live, VAULT_NONE);
    for (unsigned n = 1; n <= 3; n++) {
        ck_assert_int_eq(take(&queue, n, n), 0);
        ck_assert_uint_eq(number_of(queue.live), n);
        ck_assert_uint_eq(queue.vault.journal.committed, EPOCH | n);
    }
    ck_assert_uint_eq(number_of(oldest()), 1);
    ck_assert_uint_eq(number_of(queue_oldest(&queue, VAULT_QUEUED, oldest())), 2);
    ck_assert_uint_eq(queue_oldest(&queue, VAULT_REPLAY, VAULT_NONE), VAULT_NONE);
    ck_assert_uint_eq(queue_lines(&queue, &n_batches), 6);
    ck_assert_uint_eq(n_batches, 3);
    assert_counts(6, 0, 6, 0);
    ck_assert_uint_eq(queue.live, VAULT_NONE); /* nobody knows whether it was tried */
    ck_assert_uint_eq(number_of(oldest()), 1);
    ck_assert_uint_eq(queue.vault.journal.committed, EPOCH | 3);
    tear_down();
}
END_TEST

START_TEST(test_delivered)
{
    set_up();
    for (unsigned n = 1; n <= 4; n++)
        take(&queue, n, 10);
    queue_delivered(&queue, oldest(), 0, false, 5);
    assert_counts(40, 10, 30, 0);
    queue_delivered(&queue, oldest(), 3, true, 6);
    assert_counts(40, 17, 20, 3);
    ck_assert_uint_eq(queue_ledger(&queue)->dropped[LEDGER_REFUSED], 3);
    ck_assert_uint_eq(queue.vault.n_live, 3);
    ck_assert_uint_eq(number_of(queue_oldest(&queue, VAULT_DELIVERED, VAULT_NONE)), 2);
    queue_drop(&queue, queue_oldest(&queue, VAULT_DELIVERED, VAULT_NONE), LEDGER_QUEUE);
    assert_counts(40, 17, 20, 3); /* what was delivered is no loss */
    ck_assert_uint_eq(number_of(oldest()), 3);
    tear_down();
}
END_TEST

START_TEST(test_dropped)
{
    set_up();
    for (unsigned n = 1; n <= 2; n++)
        take(&queue, n, 10);
    queue.vault.journal.touched = EPOCH | 2;
    queue_drop(&queue, oldest(), LEDGER_QUEUE);
    ck_assert_uint_eq(queue.vault.journal.touched, EPOCH | 2);
    assert_counts(20, 0, 10, 10);
    queue_drop(&queue, oldest(), LEDGER_UNCERTAIN);
    ck_assert_uint_eq(queue.vault.journal.touched, 0);
    ck_assert_uint_eq(queue.live, VAULT_NONE);
    assert_counts(20, 0, 0, 20);
    ck_assert_uint_eq(queue_ledger(&queue)->dropped[LEDGER_QUEUE], 10);
    ck_assert_uint_eq(queue_ledger(&queue)->dropped[LEDGER_UNCERTAIN], 10);
    tear_down();
}
END_TEST

/* What of a flush is not in its batch is counted with it. */
START_TEST(test_left_out)
{
    struct batch *batch = batch_of(1, 10);

    set_up();
    batch->n_dropped = 3;
    batch->n_unkept = 4;
    ck_assert_int_eq(queue_take(&queue, batch, queue_ledger(&queue)), 0);
    assert_counts(17, 0, 10, 7);
    batch->id = EPOCH | 2;
    queue_refuse(&queue, batch);
    assert_counts(34, 0, 10, 24);
    ck_assert_uint_eq(queue_ledger(&queue)->dropped[LEDGER_QUEUE], 6);
    ck_assert_uint_eq(queue_ledger(&queue)->dropped[LEDGER_MEMORY], 18);
    ck_assert_uint_eq(queue.vault.journal.committed, EPOCH | 2);
    batch_free(batch);
    tear_down();
}
END_TEST

/* Where there is no room nothing changes. */
START_TEST(test_no_room)
{
    unsigned n = 0;

    set_up();
    while (take(&queue, n + 1, 4 * LINES_OF_A_PAGE) == 0)
        n++;
    ck_assert_uint_eq(n, 8); /* twice the limit: to keep that is another's */
    ck_assert_int_eq(take(&queue, n + 1, 1), -ENOSPC);
    ck_assert_uint_eq(queue.vault.journal.committed, EPOCH | n);
    assert_counts(32 * LINES_OF_A_PAGE, 0, 32 * LINES_OF_A_PAGE, 0);
    tear_down();
}
END_TEST

/* What was told is told once, whoever tells the rest. */
START_TEST(test_told)
{
    struct ledger told = {.emitted = 7};
    struct batch *batch = batch_of(1, 1);

    set_up();
    ck_assert_int_eq(queue_take(&queue, batch, &told), 0);
    open_again();
    ck_assert_uint_eq(queue.vault.journal.told.emitted, 7);
    batch_free(batch);
    tear_down();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("queue");
    TCase *tcase = tcase_create("queue");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_first_in_first_out);
    tcase_add_test(tcase, test_delivered);
    tcase_add_test(tcase, test_dropped);
    tcase_add_test(tcase, test_left_out);
    tcase_add_test(tcase, test_no_room);
    tcase_add_test(tcase, test_told);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
