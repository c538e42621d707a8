/*
 * check_durable: a file is there whole or not at all, whichever step fails or is the last.
 */
#include "sender/durable.h"

#include <stdint.h>
#include <sys/wait.h>

#include "calls.h"
#include "folder.h"

static char old[] = "what was there before", first[] = "first, ", second[] = "second";
static struct durable file;

static void
setup(void)
{
    folder_make();
    file = (struct durable){
        .dir_fd = folder,
        .name = "name",
        .temporary = "name.tmp",
        .fault_points = {"1", "2", "3", "4", "5"},
    };
}

static void
teardown(void)
{
    calls.at = 0;
    folder_remove();
}

static int
put(void)
{
    const struct iovec parts[] = {
        {.iov_base = first, .iov_len = strlen(first)},
        {.iov_base = NULL, .iov_len = 0},
        {.iov_base = second, .iov_len = strlen(second)},
    };

    return durable_put(&file, parts, 3);
}

/* The file holds what was put, or all of what was there before. */
static bool
is_new(void)
{
    char now[100] = {0};

    folder_read("name", now, sizeof(now) - 1);
    if (strcmp(now, old) == 0)
        return false;
    ck_assert_str_eq(now, "first, second");
    return true;
}

START_TEST(test_new_and_again)
{
    struct stat entry;

    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(put(), 0);
        ck_assert(is_new());
        ck_assert_str_eq(folder_list(), "name ");
        ck_assert_uint_eq(calls.n_syncs, 2 * (unsigned)(i + 1));
    }
    ck_assert_int_eq(fstatat(folder, "name", &entry, 0), 0);
    ck_assert_uint_eq(entry.st_mode, S_IFREG | 0600);
}
END_TEST

START_TEST(test_every_call_fails)
{
    unsigned at = 0, n_new = 0;
    int status;

    do {
        folder_write("name", old, strlen(old));
        calls.at = ++at;
        calls.error = EIO;
        status = put();
        calls.at = 0;
        ck_assert(status == 0 || status == -EIO);
        ck_assert_str_eq(folder_list(), "name ");
        n_new += is_new();
    } while (status != 0);
    ck_assert(is_new());
    ck_assert_uint_eq(n_new, 2); /* and where the directory was not synced */
    ck_assert_uint_gt(at, 10);
}
END_TEST

START_TEST(test_every_kill)
{
    unsigned at = 0;
    int status;

    do {
        pid_t pid;

        folder_empty(folder);
        folder_write("name", old, strlen(old));
        at++;
        pid = fork();
        if (pid == 0) {
            calls.at = at;
            calls.error = 0;
            _exit(put());
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(is_new() || WIFSIGNALED(status));
    } while (WIFSIGNALED(status));
    ck_assert_int_eq(status, 0);
    ck_assert_uint_gt(at, 10);
}
END_TEST

START_TEST(test_interrupted)
{
    calls.at = 2;
    calls.error = EINTR;
    ck_assert_int_eq(put(), 0);
    ck_assert(is_new());
}
END_TEST

START_TEST(test_names_that_are_taken)
{
    folder_write("target", old, strlen(old));
    ck_assert_int_eq(symlinkat("target", folder, "name.tmp"), 0);
    ck_assert_int_eq(put(), -EEXIST);
    ck_assert_str_eq(folder_list(), "name.tmp target ");
    ck_assert_int_eq(unlinkat(folder, "name.tmp", 0), 0);

    ck_assert_int_eq(symlinkat("target", folder, "name"), 0);
    ck_assert_int_eq(put(), 0);
    ck_assert(is_new());
    ck_assert_int_eq(unlinkat(folder, "name", 0), 0);
    ck_assert_int_eq(renameat(folder, "target", folder, "name"), 0);
    ck_assert(!is_new());

    ck_assert_int_eq(unlinkat(folder, "name", 0), 0);
    ck_assert_int_eq(mkdirat(folder, "name", 0700), 0);
    ck_assert_int_eq(put(), -EISDIR);
    ck_assert_str_eq(folder_list(), "name ");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("durable");
    TCase *tcase = tcase_create("durable");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_new_and_again);
    tcase_add_test(tcase, test_every_call_fails);
    tcase_add_test(tcase, test_every_kill);
    tcase_add_test(tcase, test_interrupted);
    tcase_add_test(tcase, test_names_that_are_taken);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
