/*
 * check_asking: the sockets on which the daemon can be asked, and the file of one.
 */
#include "master/asking.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct master_opts opts;
static struct asking asking;
static char folder[64], error[ASKING_ERROR_MAX];

static void
set_up(void)
{
    memset(&opts, 0, sizeof(opts));
    strcpy(folder, "/tmp/pystatsd-check-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(opts.admin_socket, sizeof(opts.admin_socket), "%s/socket", folder);
    opts.admin_mode = 0640;
}

static void
tear_down(void)
{
    (void)unlink(opts.admin_socket);
    ck_assert_int_eq(rmdir(folder), 0);
}

static int
open_both(void)
{
    return asking_open(&asking, &opts, getegid(), error);
}

static int
try_to_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), result;

    ck_assert_int_ge(fd, 0);
    memcpy(address.sun_path, opts.admin_socket, sizeof(address.sun_path) - 1);
    result = connect(fd, (struct sockaddr *)&address, sizeof(address));
    close(fd);
    return result;
}

START_TEST(test_socket)
{
    struct stat status;

    set_up();
    ck_assert_int_eq(open_both(), 0);
    ck_assert_int_ge(asking.admin, 0);
    ck_assert_int_eq(asking.console, -1);
    ck_assert_int_eq(stat(opts.admin_socket, &status), 0);
    ck_assert(S_ISSOCK(status.st_mode));
    ck_assert_uint_eq(status.st_mode & 07777, 0640);
    ck_assert_int_ne(fcntl(asking.admin, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(asking.admin, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(try_to_connect(), 0);
    asking_remove(&asking);
    ck_assert_int_ne(stat(opts.admin_socket, &status), 0);
    close(asking.admin);
    tear_down();
}
END_TEST

START_TEST(test_stale_one_is_replaced)
{
    set_up();
    ck_assert_int_eq(open_both(), 0);
    close(asking.admin);
    ck_assert_int_ne(try_to_connect(), 0);
    ck_assert_int_eq(open_both(), 0);
    ck_assert_int_eq(try_to_connect(), 0);
    close(asking.admin);
    tear_down();
}
END_TEST

START_TEST(test_live_one_is_not)
{
    int first;

    set_up();
    ck_assert_int_eq(open_both(), 0);
    first = asking.admin;
    ck_assert_int_eq(open_both(), -1);
    ck_assert_ptr_nonnull(strstr(error, opts.admin_socket));
    ck_assert_int_eq(asking.admin, -1);
    ck_assert_int_eq(try_to_connect(), 0);
    close(first);
    tear_down();
}
END_TEST

/* What another daemon has put there meanwhile is that one's. */
START_TEST(test_removes_its_own_only)
{
    struct asking before;
    struct stat status;

    set_up();
    ck_assert_int_eq(open_both(), 0);
    before = asking;
    ck_assert_int_eq(unlink(opts.admin_socket), 0);
    ck_assert_int_eq(open_both(), 0);
    asking_remove(&before);
    ck_assert_int_eq(stat(opts.admin_socket, &status), 0);
    close(before.admin);
    close(asking.admin);
    tear_down();
}
END_TEST

START_TEST(test_no_socket_is_replaced)
{
    int fd;

    set_up();
    fd = open(opts.admin_socket, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(open_both(), -1);
    ck_assert_int_eq(access(opts.admin_socket, F_OK), 0);
    tear_down();
}
END_TEST

/* Another daemon that is about to listen, as slowly as it may. */
static void
be_slow(int told)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), lock = open(folder, O_RDONLY | O_DIRECTORY);

    memcpy(address.sun_path, opts.admin_socket, sizeof(address.sun_path) - 1);
    if (flock(lock, LOCK_EX) != 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        write(told, "", 1) != 1)
        _exit(1);
    (void)poll(NULL, 0, 100);
    if (listen(fd, 1) != 0)
        _exit(2);
    close(lock);
    pause();
}

START_TEST(test_one_that_is_about_to_listen_is_live)
{
    int told[2];
    pid_t pid;
    char byte;

    set_up();
    ck_assert_int_eq(pipe(told), 0);
    if ((pid = fork()) == 0)
        be_slow(told[1]);
    ck_assert_int_eq(read(told[0], &byte, 1), 1);
    ck_assert_int_eq(open_both(), -1);
    ck_assert_int_eq(try_to_connect(), 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    tear_down();
}
END_TEST

START_TEST(test_console)
{
    static const struct {
        const char *host;
        bool is_local;
    } rows[] = {{"127.0.0.1", true}, {"127.1.2.3", true}, {"0.0.0.0", false}};

    set_up();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        opts.admin_socket[0] = '\0';
        strcpy(opts.console_host, rows[i].host);
        ck_assert_int_eq(open_both(), 0);
        ck_assert_int_eq(asking.admin, -1);
        ck_assert_int_ge(asking.console, 0);
        ck_assert_int_eq(asking.is_local, rows[i].is_local);
        close(asking.console);
    }
    tear_down();
}
END_TEST

/* What was opened before is closed and gone. */
START_TEST(test_console_that_cannot_be)
{
    set_up();
    strcpy(opts.console_host, "192.0.2.1");
    opts.console_port = 9;
    ck_assert_int_eq(open_both(), -1);
    ck_assert_ptr_nonnull(strstr(error, "CONSOLE (192.0.2.1 port 9)"));
    ck_assert_int_ne(access(opts.admin_socket, F_OK), 0);
    tear_down();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("asking");
    TCase *tcase = tcase_create("asking");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_socket);
    tcase_add_test(tcase, test_stale_one_is_replaced);
    tcase_add_test(tcase, test_live_one_is_not);
    tcase_add_test(tcase, test_removes_its_own_only);
    tcase_add_test(tcase, test_no_socket_is_replaced);
    tcase_add_test(tcase, test_one_that_is_about_to_listen_is_live);
    tcase_add_test(tcase, test_console);
    tcase_add_test(tcase, test_console_that_cannot_be);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
