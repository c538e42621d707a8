/*
 * check_forks: who is told of a fork, and with which locks held.
 */
#include <check.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/forks.h"

static pthread_mutex_t mutexes[3] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                     PTHREAD_MUTEX_INITIALIZER};
static struct forks_member members[3];
static int n_told[3];

static void
on_child(struct forks_member *member)
{
    long i = member - members;

    n_told[i] += pthread_mutex_trylock(member->mutex) != 0 ? 1 : 100; /* it is held */
}

static bool
is_free(pthread_mutex_t *mutex)
{
    return pthread_mutex_trylock(mutex) == 0 && pthread_mutex_unlock(mutex) == 0;
}

/* Forks; the child checks, in bits, who was told, and that all locks are free. */
static void
assert_told(int wanted)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        int told = 0;
        for (int i = 0; i < 3; i++)
            told |= n_told[i] == 1 && is_free(&mutexes[i]) ? 1 << i : n_told[i] != 0 ? 8 : 0;
        _exit(told);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), wanted);
    for (int i = 0; i < 3; i++)
        ck_assert(n_told[i] == 0 && is_free(&mutexes[i]));
}

START_TEST(test_members_are_told)
{
    for (int i = 0; i < 3; i++) {
        members[i] = (struct forks_member){.mutex = &mutexes[i], .on_child = on_child};
        ck_assert_int_eq(forks_join(&members[i]), 0);
        assert_told((2 << i) - 1);
    }
    forks_leave(&members[1]);
    assert_told(5);
    forks_leave(&members[2]);
    assert_told(1);
    forks_leave(&members[0]);
    assert_told(0);
    ck_assert_int_eq(forks_join(&members[2]), 0);
    assert_told(4);
    forks_leave(&members[2]);
}
END_TEST

static void
do_nothing(struct forks_member *member)
{
    (void)member;
}

static struct forks_member early = {.mutex = &mutexes[0], .on_child = do_nothing};
static int *was_free; /* shared with children */

static void
use(void)
{
    *was_free += is_free(early.mutex);
}

/* A program's handlers may be older than its first client, and yet use it. In the order in which
 * they are run: locked behind the program's, and free again before. */
START_TEST(test_handlers_of_before)
{
    int status;

    was_free =
        mmap(NULL, sizeof *was_free, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(was_free, MAP_FAILED);
    ck_assert_int_eq(pthread_atfork(use, use, use), 0);
    ck_assert_int_eq(forks_join(&early), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(*was_free, 3);
    forks_leave(&early);
}
END_TEST

int
main(void)
{
    TCase *tcase = tcase_create("forks");
    Suite *suite = suite_create("forks");

    tcase_add_test(tcase, test_handlers_of_before);
    tcase_add_test(tcase, test_members_are_told);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
