/*
 * check_state: whose files a daemon takes for its own, and that no two share them.
 */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/state.h"

#define PATIENCE_MS 20000

static char home[] = "/tmp/check_state.XXXXXX";
static char dir[64];
static char error[STATE_ERROR_MAX];

static void
make_home(void)
{
    ck_assert_ptr_nonnull(mkdtemp(home));
    snprintf(dir, sizeof(dir), "%s/state", home);
}

static void
remove_home(void)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -r %s", home);
    ck_assert_int_eq(system(command), 0);
}

static void
close_state(struct state *state)
{
    close(state->worker_arena);
    close(state->sender_arena);
    if (state->quarantine >= 0)
        close(state->quarantine);
}

static const char *
path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void
assert_refused(const char *why)
{
    struct state state;
    char expected[128];

    ck_assert_int_eq(state_open(&state, dir, 0, error), -1);
    snprintf(expected, sizeof(expected), "STATE_DIR (%s): ", dir);
    ck_assert_msg(strncmp(error, expected, strlen(expected)) == 0, "%s", error);
    ck_assert_msg(strstr(error, why) != NULL, "%s", error);
    ck_assert_ptr_null(strchr(error, '\n'));
}

START_TEST(test_nameless)
{
    struct state state;

    ck_assert_int_eq(state_open(&state, "", 0, error), 0);
    ck_assert_int_eq(write(state.worker_arena, "w", 1), 1);
    ck_assert_int_eq(write(state.sender_arena, "s", 1), 1);
    ck_assert_int_eq(fcntl(state.worker_arena, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(state.quarantine, -1);
    ck_assert_str_eq(state.foreign, "");
    close_state(&state);
}
END_TEST

static const char *const names[] = {"worker-1.arena", "sender-1.arena", "quarantine"};

START_TEST(test_made)
{
    mode_t mask = umask(077);
    struct state state;
    struct stat stat;

    ck_assert_int_eq(state_open(&state, dir, 0, error), 0);
    umask(mask);
    ck_assert_int_eq(lstat(dir, &stat), 0);
    ck_assert_uint_eq(stat.st_mode, S_IFDIR | S_IRWXU | S_IXGRP | S_IXOTH);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ck_assert_int_eq(lstat(path_of(names[i]), &stat), 0);
        ck_assert_uint_eq(stat.st_mode, S_IFREG | S_IRUSR | S_IWUSR);
    }
    ck_assert_int_eq(fcntl(state.quarantine, F_GETFL) & (O_ACCMODE | O_APPEND),
                     O_WRONLY | O_APPEND);
    close_state(&state);
}
END_TEST

START_TEST(test_what_was_left_is_there_again)
{
    struct state state;
    char text[8] = "";

    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(state_open(&state, dir, 0, error), 0);
        ck_assert_int_eq(read(state.worker_arena, text, sizeof(text)), i);
        ck_assert_int_eq(pwrite(state.worker_arena, "w", 1, 0), 1);
        close_state(&state);
    }
    ck_assert_str_eq(text, "w");
}
END_TEST

START_TEST(test_one_daemon_at_a_time)
{
    struct state state;

    ck_assert_int_eq(state_open(&state, dir, 0, error), 0);
    assert_refused("another pystatsd uses it");
    close_state(&state);
    ck_assert_int_eq(state_open(&state, dir, 0, error), 0);
    close_state(&state);
}
END_TEST

/* The master is gone, and a child that has an arena from it is not yet. */
START_TEST(test_waits_for_those_that_are_ending)
{
    struct state state;
    int ready[2];
    pid_t child;
    char byte;

    ck_assert_int_eq(pipe(ready), 0);
    ck_assert_int_eq(state_open(&state, dir, 0, error), 0);
    child = fork();
    if (child == 0) {
        close(ready[0]);
        close(state.worker_arena);
        close(ready[1]);
        pause();
    }
    close_state(&state);
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 0);
    close(ready[0]);
    assert_refused("another pystatsd uses it");
    if (fork() == 0) {
        /* Whenever it gets to it: the patience is long. */
        kill(child, SIGKILL);
        _exit(0);
    }
    ck_assert_int_eq(state_open(&state, dir, PATIENCE_MS, error), 0);
    close_state(&state);
    ck_assert_int_gt(wait(NULL), 0);
    ck_assert_int_gt(wait(NULL), 0);
}
END_TEST

static void
make_link(const char *path)
{
    ck_assert_int_eq(symlink("/tmp/check_state.target", path), 0);
}

static void
make_twin(const char *path)
{
    const char *twin = path_of("twin");
    char at[128];

    strcpy(at, path);
    close(open(twin, O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(link(twin, at), 0);
}

static void
make_fifo(const char *path)
{
    ck_assert_int_eq(mkfifo(path, 0600), 0);
}

static void
make_directory(const char *path)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
}

static void
make_open_to_all(const char *path)
{
    close(open(path, O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(chmod(path, 0606), 0);
}

static void
make_foreigners(const char *path)
{
    close(open(path, O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(chown(path, 65534, 65534), 0);
}

static const struct {
    void (*make)(const char *path);
    const char *why;
} traps[] = {
    {make_link, "cannot open "},
    {make_directory, "cannot open "},
    {make_fifo, ""}, /* which of the two depends on the way it is opened */
    {make_open_to_all, " must be a file of uid "},
    {make_twin, " must be a file of uid "},
    {make_foreigners, " must be a file of uid "},
};

enum { N_TRAPS = sizeof(traps) / sizeof(traps[0]), N_NAMES = sizeof(names) / sizeof(names[0]) };

START_TEST(test_traps)
{
    const char *name = names[_i % N_NAMES];
    char path[128];

    if (traps[_i / N_NAMES].make == make_foreigners && geteuid() != 0)
        return; /* who is not root cannot give anything away */
    ck_assert_int_eq(mkdir(dir, 0700), 0);
    strcpy(path, path_of(name));
    traps[_i / N_NAMES].make(path);
    assert_refused(traps[_i / N_NAMES].why);
    ck_assert_ptr_nonnull(strstr(error, name));
    ck_assert_int_ne(access("/tmp/check_state.target", F_OK), 0);
    /* Nothing is held: without the trap all is well. */
    ck_assert_int_eq(remove(path), 0);
    (void)unlink(path_of("twin"));
    struct state state;
    ck_assert_msg(state_open(&state, dir, 0, error) == 0, "%s", error);
    close_state(&state);
}
END_TEST

START_TEST(test_no_directory_of_ours)
{
    ck_assert_int_eq(symlink(home, dir), 0);
    assert_refused("cannot open the directory");
    ck_assert_int_eq(unlink(dir), 0);
    ck_assert_int_eq(mkdir(dir, 0700), 0);
    ck_assert_int_eq(chmod(dir, 0770), 0);
    assert_refused("the directory must belong to uid");
    ck_assert_int_eq(rmdir(dir), 0);
    snprintf(dir, sizeof(dir), "%s/no/such", home);
    assert_refused("cannot make the directory");
}
END_TEST

static const struct {
    const char *name;
    bool is_foreign;
} others[] = {
    {"worker-2.arena", true},   {"sender-17.arena", true}, {"worker-1.arena.old", false},
    {"worker-0.arena", true},   {"worker-.arena", false},  {"sender-2.arenas", false},
    {"xworker-2.arena", false}, {"notes", false},
};

START_TEST(test_other_versions_are_left_alone)
{
    struct state state;

    ck_assert_int_eq(mkdir(dir, 0700), 0);
    close(open(path_of(others[_i].name), O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(state_open(&state, dir, 0, error), 0);
    ck_assert_str_eq(state.foreign, others[_i].is_foreign ? others[_i].name : "");
    ck_assert_int_eq(access(path_of(others[_i].name), F_OK), 0);
    close_state(&state);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("state");
    TCase *tcase = tcase_create("state");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, make_home, remove_home);
    tcase_add_test(tcase, test_nameless);
    tcase_add_test(tcase, test_made);
    tcase_add_test(tcase, test_what_was_left_is_there_again);
    tcase_add_test(tcase, test_one_daemon_at_a_time);
    tcase_add_test(tcase, test_waits_for_those_that_are_ending);
    tcase_add_loop_test(tcase, test_traps, 0, N_TRAPS * N_NAMES);
    tcase_add_test(tcase, test_no_directory_of_ours);
    tcase_add_loop_test(tcase, test_other_versions_are_left_alone, 0,
                        sizeof(others) / sizeof(others[0]));
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
