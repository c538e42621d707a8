/*
 * check_board: that the board is empty at first, and that what one process writes another reads.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/board.h"

START_TEST(test_empty)
{
    const struct board zeros = {.committed = 0};
    const struct board *board = board_new();

    ck_assert_ptr_nonnull(board);
    ck_assert_mem_eq(board, &zeros, sizeof(zeros));
}
END_TEST

START_TEST(test_shared)
{
    struct board *board = board_new();
    int status;
    pid_t pid;

    ck_assert_ptr_nonnull(board);
    board_set(&board->committed, UINT64_C(1) << 40);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        for (int i = 0; i < 3; i++)
            board_count(&board->beats[BOARD_SENDER]);
        _exit(board_get(&board->committed) == UINT64_C(1) << 40 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(board_get(&board->beats[BOARD_SENDER]), 3);
    ck_assert_uint_eq(board_get(&board->beats[BOARD_WORKER]), 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("board");
    TCase *tcase = tcase_create("board");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_empty);
    tcase_add_test(tcase, test_shared);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
