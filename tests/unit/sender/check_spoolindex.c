/*
 * check_spoolindex: files stand in order, and the sums are those of what is there.
 */
#include <check.h>
#include <stdlib.h>

#include "sender/spoolindex.h"

static void
enter(struct spool *spool, uint64_t timestamp_s, uint64_t id)
{
    struct spool_file file = {.timestamp_s = timestamp_s, .id = id, .n_lines = id, .size = 10 * id};

    spoolindex_enter(spool, spoolindex_place(spool, &file), &file);
}

START_TEST(test_order_and_sums)
{
    static const uint64_t want[] = {4, 3, 5, 1, 2};
    struct spool spool = {0};

    ck_assert_int_eq(spoolindex_init(&spool), 0);
    enter(&spool, 20, 1);
    enter(&spool, 30, 2);
    enter(&spool, 10, 3);
    enter(&spool, 5, 4);
    enter(&spool, 10, 5);
    for (size_t i = 0; i < 5; i++)
        ck_assert_uint_eq(spool.files[i].id, want[i]);
    ck_assert_uint_eq(spool.n_lines, 15);
    ck_assert_uint_eq(spool.n_bytes, 150);
    spoolindex_forget(&spool, 1, 2);
    ck_assert_uint_eq(spool.n_files, 3);
    ck_assert_uint_eq(spool.files[1].id, 1);
    ck_assert_uint_eq(spool.n_lines, 7);
    ck_assert_uint_eq(spool.n_bytes, 70);
    spoolindex_release(&spool);
    spoolindex_release(&spool);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("spoolindex");
    TCase *tcase = tcase_create("spoolindex");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_order_and_sums);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
