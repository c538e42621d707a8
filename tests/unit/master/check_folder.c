/*
 * check_folder: what becomes a directory to work in, and what is none.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/folder.h"

#define NOBODY 65534

static char home[] = "/tmp/check_folder.XXXXXX";
static char path[64]; /* of what is to be the directory */

static void
make_home(void)
{
    ck_assert_ptr_nonnull(mkdtemp(home));
    ck_assert_int_eq(chmod(home, 0755), 0);
    snprintf(path, sizeof(path), "%s/folder", home);
}

static void
remove_home(void)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -r %s", home);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(test_made_and_given_away)
{
    uid_t uid = geteuid() == 0 ? NOBODY : geteuid();
    gid_t gid = geteuid() == 0 ? NOBODY : getegid();
    mode_t mask = umask(077);
    struct stat stat;

    ck_assert_int_eq(folder_make(path, 0710, uid, gid), 0);
    umask(mask);
    ck_assert_int_eq(lstat(path, &stat), 0);
    ck_assert_uint_eq(stat.st_mode, S_IFDIR | 0710);
    ck_assert_uint_eq(stat.st_uid, uid);
    ck_assert_uint_eq(stat.st_gid, gid);
}
END_TEST

START_TEST(test_one_that_is_there_stays)
{
    struct stat stat;

    ck_assert_int_eq(mkdir(path, 0750), 0);
    ck_assert_int_eq(folder_make(path, 0700, NOBODY, NOBODY), 0);
    ck_assert_int_eq(lstat(path, &stat), 0);
    ck_assert_uint_eq(stat.st_mode & 0777, 0750);
    ck_assert_uint_eq(stat.st_uid, geteuid());
}
END_TEST

START_TEST(test_nowhere_to_make_it)
{
    ck_assert_int_eq(folder_make("/proc/no/such", 0700, geteuid(), getegid()), -ENOENT);
}
END_TEST

START_TEST(test_opened)
{
    int fd, file;

    ck_assert_int_eq(mkdir(path, 0700), 0);
    fd = folder_open(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    file = openat(fd, "file", O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(fsync(fd), 0);
    close(file);
    close(fd);
}
END_TEST

START_TEST(test_no_directory)
{
    ck_assert_int_eq(folder_open(path), -ENOENT);
    ck_assert_int_eq(symlink("/tmp", path), 0);
    ck_assert_int_eq(folder_open(path), -ENOTDIR);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(folder_open(path), -ENOTDIR);
}
END_TEST

/* As somebody who may read and enter it, and no more. */
START_TEST(test_not_to_be_written_to)
{
    int status;
    pid_t pid;

    ck_assert_int_eq(mkdir(path, geteuid() == 0 ? 0755 : 0555), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (geteuid() == 0 && setuid(NOBODY) != 0)
            _exit(2);
        _exit(folder_open(path) == -EACCES ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("folder");
    TCase *tcase = tcase_create("folder");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, make_home, remove_home);
    tcase_add_test(tcase, test_made_and_given_away);
    tcase_add_test(tcase, test_one_that_is_there_stays);
    tcase_add_test(tcase, test_nowhere_to_make_it);
    tcase_add_test(tcase, test_opened);
    tcase_add_test(tcase, test_no_directory);
    tcase_add_test(tcase, test_not_to_be_written_to);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
