/*
 * check_replay: which delivered flushes go again, and when one is too old for that.
 */
#include "arena.h"

#include "sender/replay.h"

#define WINDOW_MS 60000
#define NOW_MS    UINT64_C(1000000)

/* The flushes from 1 on, delivered a second after one another; but the last, which waits. */
static void
fill(struct queue *queue, unsigned n)
{
    enum vault_found found;

    ck_assert_int_eq(queue_open(queue, new_arena(), 1 << 20, &found), 0);
    for (unsigned i = 1; i <= n; i++) {
        ck_assert_int_eq(take(queue, i, 2), 0);
        if (i < n)
            queue_delivered(queue, queue_oldest(queue, VAULT_QUEUED, VAULT_NONE), 0, true,
                            NOW_MS + 1000 * i);
    }
}

static void
assert_states(const struct queue *queue, const char *want)
{
    char got[32] = "";

    for (uint32_t i = 0; i < queue->vault.n_live; i++) {
        const struct vault_slot *slot = vault_at(&queue->vault, queue->vault.live[i]);
        char text[8];

        snprintf(text, sizeof(text), "%u%c ", (unsigned)(slot->id - EPOCH),
                 slot->state == VAULT_QUEUED   ? 'q'
                 : slot->state == VAULT_REPLAY ? 'r'
                                               : 'd');
        strcat(got, text);
    }
    ck_assert_str_eq(got, want);
}

START_TEST(test_mark)
{
    struct queue queue;

    fill(&queue, 4);
    assert_states(&queue, "1d 2d 3d 4q ");
    replay_mark(&queue, WINDOW_MS, NOW_MS + WINDOW_MS + 2000);
    assert_states(&queue, "2r 3r 4q ");
    replay_mark(&queue, WINDOW_MS, NOW_MS + 10 * WINDOW_MS); /* they wait, however long it takes */
    assert_states(&queue, "2r 3r 4q ");
    queue_delivered(&queue, queue_oldest(&queue, VAULT_REPLAY, VAULT_NONE), 1, true, NOW_MS);
    assert_states(&queue, "2d 3r 4q ");
    ck_assert_uint_eq(queue_ledger(&queue)->delivered, 6);
    ck_assert_uint_eq(queue_ledger(&queue)->replayed, 1);
    ck_assert_uint_eq(ledger_dropped(queue_ledger(&queue)), 0);
    ck_assert(is_closed(&queue));
    queue_close(&queue);
}
END_TEST

START_TEST(test_expire)
{
    static const struct {
        uint64_t now_ms;
        const char *left;
    } rows[] = {
        {NOW_MS + 4000, "1d 2d 3d 4q "},
        {NOW_MS + 1000 + WINDOW_MS, "1d 2d 3d 4q "},
        {NOW_MS + 1001 + WINDOW_MS, "2d 3d 4q "},
        {NOW_MS + 3001 + WINDOW_MS, "4q "},
        {10, "4q "}, /* another clock: they are from before a reboot */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct queue queue;

        fill(&queue, 4);
        replay_expire(&queue, WINDOW_MS, rows[i].now_ms);
        assert_states(&queue, rows[i].left);
        ck_assert_uint_eq(ledger_dropped(queue_ledger(&queue)), 0);
        ck_assert(is_closed(&queue));
        queue_close(&queue);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("replay");
    TCase *tcase = tcase_create("replay");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_mark);
    tcase_add_test(tcase, test_expire);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
