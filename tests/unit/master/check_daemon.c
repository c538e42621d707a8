/*
 * check_daemon: pidfiles of every kind, and the way into the background, each in processes of the
 * test's own.
 */
#include <bsd/libutil.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "master/daemon.h"

static char directory[64];
static char path[96];

static void
make_directory(void)
{
    log_init(LOG_TO_STDERR, LOG_ERR);
    snprintf(directory, sizeof(directory), "/tmp/check_daemon.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/pid", directory);
}

static void
remove_directory(void)
{
    unlink(path);
    ck_assert_int_eq(rmdir(directory), 0);
}

static bool
is_there(const char *file)
{
    return access(file, F_OK) == 0;
}

static void
write_file(const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* Runs daemon_stop with stderr into out. */
static int
stop(char *out, size_t size)
{
    int saved = dup(STDERR_FILENO), ends[2], status;
    ssize_t n;

    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    status = daemon_stop(path);
    dup2(saved, STDERR_FILENO);
    close(saved);
    n = read(ends[0], out, size - 1);
    close(ends[0]);
    out[n > 0 ? n : 0] = '\0';
    return status;
}

START_TEST(test_stop_without_a_pidfile)
{
    char said[512], expected[512];

    ck_assert_int_eq(stop(said, sizeof(said)), 0);
    snprintf(expected, sizeof(expected), "pidfile (%s) does not exist. Daemon not running?\n",
             path);
    ck_assert_str_eq(said, expected);
}
END_TEST

/* Whatever a file says that nobody holds, no process is touched. */
static const char *const stale[] = {"", "1\n", "rubbish", "-1", "999999999999999999999", "self"};

START_TEST(test_stop_with_a_stale_pidfile)
{
    char said[512], own[16];

    snprintf(own, sizeof(own), "%d", (int)getpid());
    prctl(PR_SET_NAME, DAEMON_COMM);
    write_file(strcmp(stale[_i], "self") == 0 ? own : stale[_i]);
    ck_assert_int_eq(stop(said, sizeof(said)), 0);
    ck_assert_ptr_nonnull(strstr(said, "is stale. Daemon not running?\n"));
    ck_assert(!is_there(path));
}
END_TEST

START_TEST(test_stop_where_no_file_can_be)
{
    char said[512];

    snprintf(path, sizeof(path), "/dev/null/pid");
    ck_assert_int_eq(stop(said, sizeof(said)), 1);
    ck_assert_ptr_nonnull(strstr(said, "cannot be read: Not a directory\n"));
    snprintf(path, sizeof(path), "%s/pid", directory);
}
END_TEST

/* A process that holds the pidfile, under a name, and waits for what comes. The file says text,
 * NULL: its pid. */
static pid_t
start_holder(const char *comm, const char *text)
{
    int ends[2];
    char byte;
    pid_t pid;

    ck_assert_int_eq(pipe(ends), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        int fd = open(path, O_RDWR | O_CREAT, 0644);

        signal(SIGTERM, SIG_DFL); /* Check's handler ends the whole group */
        prctl(PR_SET_NAME, comm);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (fd < 0 || flock(fd, LOCK_EX) != 0)
            _exit(1);
        if (text != NULL)
            dprintf(fd, "%s", text);
        else
            dprintf(fd, "%d", (int)getpid());
        if (write(ends[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ends[1]);
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    return pid;
}

/* Processes that look at the pidfile again and again, most of the time. */
#define LOOKERS 2
#define TURNS   5

static void
start_lookers(pid_t pids[LOOKERS])
{
    for (int i = 0; i < LOOKERS; i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] != 0)
            continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            int fd = open(path, O_RDONLY);

            if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0)
                usleep(arc4random_uniform(4000));
            close(fd);
            usleep(arc4random_uniform(4000)); /* in no step with anybody */
        }
    }
}

static void
end_lookers(const pid_t pids[LOOKERS])
{
    for (int i = 0; i < LOOKERS; i++) {
        ck_assert_int_eq(kill(pids[i], SIGKILL), 0);
        ck_assert_int_eq(waitpid(pids[i], NULL, 0), pids[i]);
    }
}

/* Until somebody has it. */
static void
write_looked_at(const char *text)
{
    int fd;

    write_file(text);
    fd = open(path, O_RDONLY);
    ck_assert_int_ge(fd, 0);
    while (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        ck_assert_int_eq(flock(fd, LOCK_UN), 0);
        usleep(100);
    }
    close(fd);
}

START_TEST(test_stop_while_others_look)
{
    pid_t pids[LOOKERS];
    char said[512];

    start_lookers(pids);
    for (int i = 0; i < TURNS; i++) {
        write_looked_at("4194304\n"); /* nobody's */
        ck_assert_int_eq(stop(said, sizeof(said)), 0);
        ck_assert_msg(strstr(said, "is stale. Daemon not running?\n") != NULL, "%s", said);
        ck_assert(!is_there(path));
    }
    end_lookers(pids);
}
END_TEST

static void
assert_alive_then_end(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, SIGKILL);
}

START_TEST(test_stop_ends_the_daemon)
{
    pid_t pid = start_holder(DAEMON_COMM, NULL);
    char said[512];
    int status;

    ck_assert_int_eq(stop(said, sizeof(said)), 0);
    ck_assert_str_eq(said, "");
    ck_assert(!is_there(path));
    ck_assert_int_eq(waitpid(pid, &status, WNOHANG), pid);
    ck_assert_int_eq(status, SIGTERM);
}
END_TEST

START_TEST(test_stop_leaves_others_alone)
{
    pid_t pid = start_holder("innocent", NULL);
    char said[512];

    ck_assert_int_eq(stop(said, sizeof(said)), 1);
    ck_assert_ptr_nonnull(strstr(said, "is no pystatsd-server: left alone\n"));
    ck_assert(is_there(path));
    assert_alive_then_end(pid);
}
END_TEST

START_TEST(test_stop_with_a_pidfile_that_names_nobody)
{
    pid_t pid = start_holder(DAEMON_COMM, "0");
    char said[512];

    ck_assert_int_eq(stop(said, sizeof(said)), 1);
    ck_assert_ptr_nonnull(strstr(said, "names no process that could be stopped\n"));
    assert_alive_then_end(pid);
}
END_TEST

START_TEST(test_stop_of_somebody_elses)
{
    pid_t pid = start_holder(DAEMON_COMM, NULL), child;
    int status;

    if (geteuid() == 0) {
        child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            char said[512];

            if (chmod(directory, 0755) != 0 || setuid(65534) != 0)
                _exit(9);
            status = stop(said, sizeof(said));
            _exit(strstr(said, "cannot stop pid") != NULL ? status : 9);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 1 << 8);
    }
    assert_alive_then_end(pid);
}
END_TEST

/* What the daemon does once it is there. */
typedef void behaviour(struct daemon *daemon);

/* The exit status of the process that was started, with the background process doing as told. */
static int
run(const char *pidfile, behaviour *behave)
{
    int status;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct daemon *daemon;

        if (chdir(directory) != 0)
            _exit(90);
        daemon = daemon_start(pidfile);
        if (daemon == NULL)
            _exit(91);
        behave(daemon);
        exit(92);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void
exit_70(struct daemon *daemon)
{
    daemon_lock(daemon);
    exit(70);
}

static void
die(struct daemon *daemon)
{
    (void)daemon;
    raise(SIGKILL);
}

/* A child that ends is no end of the daemon. */
static void
child_exits_71_then_exit_72(struct daemon *daemon)
{
    pid_t pid;

    daemon_lock(daemon);
    pid = fork();
    if (pid == 0)
        exit(71);
    waitpid(pid, NULL, 0);
    exit(is_there(daemon->path) ? 72 : 73);
}

static void
check_place(struct daemon *daemon)
{
    char cwd[64];
    mode_t mask = umask(0);

    (void)daemon;
    exit(getcwd(cwd, sizeof(cwd)) != NULL && strcmp(cwd, "/") == 0 && mask == 022 &&
                 getsid(0) != getpid()
             ? 74
             : 75);
}

START_TEST(test_exit_status_arrives)
{
    ck_assert_int_eq(run(path, exit_70), 70);
    ck_assert(!is_there(path));
}
END_TEST

START_TEST(test_sudden_death_arrives)
{
    ck_assert_int_eq(run(path, die), EXIT_FAILURE);
}
END_TEST

START_TEST(test_children_do_not_speak_for_the_daemon)
{
    ck_assert_int_eq(run(path, child_exits_71_then_exit_72), 72);
}
END_TEST

START_TEST(test_where_a_daemon_lives)
{
    ck_assert_int_eq(run(path, check_place), 74);
}
END_TEST

static void
serve(struct daemon *daemon)
{
    signal(SIGTERM, SIG_DFL); /* Check's handler ends the whole group */
    prctl(PR_SET_NAME, DAEMON_COMM);
    daemon_lock(daemon);
    daemon_ready(daemon);
    alarm(60); /* should the test not end it */
    for (;;)
        pause();
}

START_TEST(test_ready_then_stopped)
{
    char said[512];

    /* The path is relative to where the daemon was started. */
    ck_assert_int_eq(run("pid", serve), 0);
    ck_assert(is_there(path));
    /* A second one does not take over. */
    ck_assert_int_eq(run(path, serve), 78);
    ck_assert(is_there(path));
    ck_assert_int_eq(stop(said, sizeof(said)), 0);
    ck_assert_str_eq(said, "");
    ck_assert(!is_there(path));
}
END_TEST

START_TEST(test_stale_pidfile_is_taken_over)
{
    char said[512];

    write_file("1\n");
    ck_assert_int_eq(run(path, serve), 0);
    ck_assert_int_eq(stop(said, sizeof(said)), 0);
}
END_TEST

START_TEST(test_stale_pidfile_that_others_look_at)
{
    pid_t pids[LOOKERS];
    char said[512];

    start_lookers(pids);
    for (int i = 0; i < TURNS; i++) {
        write_looked_at("4194304\n");
        ck_assert_int_eq(run(path, serve), 0);
        ck_assert_int_eq(stop(said, sizeof(said)), 0);
        ck_assert_str_eq(said, "");
    }
    end_lookers(pids);
}
END_TEST

/* Whoever may open it could hold its lock, and keep the daemon from starting. */
START_TEST(test_pidfile_is_for_its_owner)
{
    struct stat status;
    char said[512];

    if (_i == 1) {
        write_file("");
        ck_assert_int_eq(chmod(path, 0644), 0);
    }
    ck_assert_int_eq(run(path, serve), 0);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0600);
    ck_assert_int_eq(stop(said, sizeof(said)), 0);
}
END_TEST

static const char *said_path; /* the daemon's directory is another */

static void
lock_and_say(struct daemon *daemon)
{
    if (freopen(said_path, "w", stderr) == NULL || dup2(fileno(stderr), STDERR_FILENO) < 0)
        exit(93);
    daemon_lock(daemon);
    exit(94);
}

static const struct {
    const char *comm;
    const char *said;
} holders[] = {
    {DAEMON_COMM, "already running as pid"},
    {"innocent", "locked by another process"},
};

START_TEST(test_who_holds_the_pidfile)
{
    pid_t pid = start_holder(holders[_i].comm, NULL);
    char file[128], line[512] = "";
    FILE *said;

    snprintf(file, sizeof(file), "%s/said", directory);
    said_path = file;
    ck_assert_int_eq(run(path, lock_and_say), 78);
    said = fopen(file, "r");
    ck_assert_ptr_nonnull(said);
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), said));
    ck_assert_msg(strstr(line, holders[_i].said) != NULL, "%s", line);
    fclose(said);
    unlink(file);
    assert_alive_then_end(pid);
}
END_TEST

/* After the drop of privileges the directory is somebody else's. */
static void
drop_then_exit_76(struct daemon *daemon)
{
    daemon_lock(daemon);
    if (setuid(65534) != 0)
        exit(95);
    exit(76);
}

START_TEST(test_pidfile_that_cannot_be_removed_is_emptied)
{
    struct stat status;
    char said[512];

    if (geteuid() != 0)
        return;
    ck_assert_int_eq(chmod(directory, 0755), 0);
    ck_assert_int_eq(run(path, drop_then_exit_76), 76);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_size, 0);
    /* And is stale to both. */
    ck_assert_int_eq(run(path, serve), 0);
    ck_assert_int_eq(stop(said, sizeof(said)), 0);
    ck_assert_int_eq(run(path, drop_then_exit_76), 76);
    ck_assert_int_eq(stop(said, sizeof(said)), 0);
    ck_assert_ptr_nonnull(strstr(said, "is stale. Daemon not running?\n"));
    ck_assert(!is_there(path));
}
END_TEST

START_TEST(test_absolute)
{
    char absolute[PATH_MAX], expected[PATH_MAX], long_path[PATH_MAX + 1];

    ck_assert_int_eq(chdir(directory), 0);
    ck_assert_int_eq(daemon_absolute("/a/../b", absolute), 0);
    ck_assert_str_eq(absolute, "/a/../b");
    /* A link stays a link. */
    ck_assert_int_eq(symlink("/dev/null", "link"), 0);
    ck_assert_int_eq(daemon_absolute("link", absolute), 0);
    snprintf(expected, sizeof(expected), "%s/link", directory);
    ck_assert_str_eq(absolute, expected);
    unlink("link");
    memset(long_path, '/', PATH_MAX);
    long_path[PATH_MAX] = '\0';
    ck_assert_int_eq(daemon_absolute(long_path, absolute), -ENAMETOOLONG);
}
END_TEST

START_TEST(test_no_place_for_a_pidfile)
{
    ck_assert_int_eq(run("/dev/null/pid", serve), 78);
}
END_TEST

START_TEST(test_clean_fds)
{
    int fd = open("/dev/null", O_RDONLY);
    struct stat stdin_stat, null_stat;

    ck_assert_int_gt(fd, STDERR_FILENO);
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    daemon_clean_fds(STDERR_FILENO);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
    for (int stdio = STDIN_FILENO; stdio <= STDERR_FILENO; stdio++)
        ck_assert_int_eq(fcntl(stdio, F_GETFD), 0);
    ck_assert_int_eq(fstat(STDIN_FILENO, &stdin_stat), 0);
    ck_assert_int_eq(stat("/dev/null", &null_stat), 0);
    ck_assert_uint_eq(stdin_stat.st_rdev, null_stat.st_rdev);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("daemon");
    TCase *tcase = tcase_create("daemon");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, make_directory, remove_directory);
    tcase_add_test(tcase, test_stop_without_a_pidfile);
    tcase_add_loop_test(tcase, test_stop_with_a_stale_pidfile, 0, sizeof(stale) / sizeof(stale[0]));
    tcase_add_test(tcase, test_stop_while_others_look);
    tcase_add_test(tcase, test_stop_where_no_file_can_be);
    tcase_add_test(tcase, test_stop_ends_the_daemon);
    tcase_add_test(tcase, test_stop_leaves_others_alone);
    tcase_add_test(tcase, test_stop_with_a_pidfile_that_names_nobody);
    tcase_add_test(tcase, test_stop_of_somebody_elses);
    tcase_add_test(tcase, test_exit_status_arrives);
    tcase_add_test(tcase, test_sudden_death_arrives);
    tcase_add_test(tcase, test_children_do_not_speak_for_the_daemon);
    tcase_add_test(tcase, test_where_a_daemon_lives);
    tcase_add_test(tcase, test_ready_then_stopped);
    tcase_add_test(tcase, test_stale_pidfile_is_taken_over);
    tcase_add_test(tcase, test_stale_pidfile_that_others_look_at);
    tcase_add_loop_test(tcase, test_pidfile_is_for_its_owner, 0, 2);
    tcase_add_loop_test(tcase, test_who_holds_the_pidfile, 0, sizeof(holders) / sizeof(holders[0]));
    tcase_add_test(tcase, test_pidfile_that_cannot_be_removed_is_emptied);
    tcase_add_test(tcase, test_absolute);
    tcase_add_test(tcase, test_no_place_for_a_pidfile);
    tcase_add_test(tcase, test_clean_fds);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
