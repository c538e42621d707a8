/*
 * check_bulletin: that a text comes across whole, also while it is being replaced.
 */
#include "base/bulletin.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEN 20000

START_TEST(test_post_and_read)
{
    struct bulletin *bulletin = bulletin_new();
    struct buf out;

    ck_assert_ptr_nonnull(bulletin);
    buf_init(&out, 100);
    ck_assert_int_eq(bulletin_read(bulletin, &out), 0);
    ck_assert_uint_eq(out.len, 0);
    bulletin_post(bulletin, "one", 3);
    ck_assert_int_eq(bulletin_read(bulletin, &out), 0);
    bulletin_post(bulletin, "and two", 7);
    ck_assert_int_eq(bulletin_read(bulletin, &out), 0);
    ck_assert_uint_eq(out.len, 10);
    ck_assert_mem_eq(out.data, "oneand two", 10);
    buf_release(&out);
}
END_TEST

START_TEST(test_no_room)
{
    struct bulletin *bulletin = bulletin_new();
    char storage[4];
    struct buf out;

    buf_init_fixed(&out, storage, sizeof(storage));
    bulletin_post(bulletin, "12345", 5);
    ck_assert_int_eq(bulletin_read(bulletin, &out), -1);
    ck_assert_uint_eq(out.len, 0);
}
END_TEST

/* Never of two texts. */
START_TEST(test_while_it_is_replaced)
{
    struct bulletin *bulletin = bulletin_new();
    static char text[LEN];
    struct buf out;
    pid_t pid;

    memset(text, 'a', LEN);
    bulletin_post(bulletin, text, LEN);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    for (unsigned i = 0; pid == 0; i++) {
        memset(text, 'a' + (int)(i % 26), LEN);
        bulletin_post(bulletin, text, LEN - i % 100);
    }
    buf_init(&out, LEN);
    for (int i = 0; i < 2000; i++) {
        out.len = 0;
        if (bulletin_read(bulletin, &out) != 0)
            continue;
        ck_assert_uint_gt(out.len, LEN - 100);
        for (size_t at = 1; at < out.len; at++) {
            if (out.data[at] != out.data[0])
                ck_abort_msg("two texts in one");
        }
    }
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    buf_release(&out);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("bulletin");
    TCase *tcase = tcase_create("bulletin");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_post_and_read);
    tcase_add_test(tcase, test_no_room);
    tcase_add_test(tcase, test_while_it_is_replaced);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
