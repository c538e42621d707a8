/*
 * check_journal: what holds is the last that was written whole, wherever a kill came between; what
 * is not what was written is never taken for it.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sender/journal.h"

static struct journal
journal_of(uint64_t n)
{
    struct journal journal;

    memset(&journal, (int)(n * 37), sizeof(journal));
    journal.now.emitted = n;
    return journal;
}

static void
assert_holds(const struct journal_pair *pair, uint64_t n)
{
    struct journal want = journal_of(n), got;

    ck_assert_int_eq(journal_load(pair, &got), 0);
    want.serial = got.serial;
    want.crc = got.crc;
    ck_assert_int_eq(memcmp(&want, &got, sizeof(got)), 0);
}

static struct journal_pair
pair_of(uint64_t n)
{
    struct journal_pair pair = {0};

    for (uint64_t i = 1; i <= n; i++) {
        struct journal journal = journal_of(i);

        journal_save(&pair, &journal);
    }
    return pair;
}

START_TEST(test_last_one_holds)
{
    for (uint64_t n = 1; n < 5; n++) {
        struct journal_pair pair = pair_of(n);

        assert_holds(&pair, n);
    }
}
END_TEST

START_TEST(test_nothing_written)
{
    struct journal_pair pair = {0};
    struct journal journal;

    ck_assert_int_eq(journal_load(&pair, &journal), -1);
}
END_TEST

/* However much of the next one is there, and whatever of it: until its serial is, it is not. */
START_TEST(test_killed_while_writing)
{
    struct journal_pair before = pair_of(3), after = pair_of(4);

    for (size_t n = 0; n <= sizeof(struct journal); n++) {
        struct journal_pair pair = before;

        memcpy(&pair.copies[0], &after.copies[0], n);
        assert_holds(&pair, 3);
        pair = before;
        memcpy((uint8_t *)&pair.copies[0] + sizeof(struct journal) - n,
               (uint8_t *)&after.copies[0] + sizeof(struct journal) - n, n);
        assert_holds(&pair, 3);
    }
    assert_holds(&after, 4);
}
END_TEST

START_TEST(test_flipped_bits)
{
    for (size_t bit = 0; bit < 8 * sizeof(struct journal_pair); bit++) {
        struct journal_pair pair = pair_of(4);
        struct journal journal;

        ((uint8_t *)&pair)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (journal_load(&pair, &journal) == 0) {
            ck_assert_uint_ge(bit / 8, offsetof(struct journal_pair, copies[0].crc) + 4);
            ck_assert_uint_eq(journal.now.emitted, 4);
        }
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("journal");
    TCase *tcase = tcase_create("journal");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_last_one_holds);
    tcase_add_test(tcase, test_nothing_written);
    tcase_add_test(tcase, test_killed_while_writing);
    tcase_add_test(tcase, test_flipped_bits);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
