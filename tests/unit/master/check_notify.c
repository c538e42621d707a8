/*
 * check_notify: by which name the service manager is found, and what comes of one that is full.
 * What it is told is check_service's.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "master/notify.h"

static char folder[] = "/tmp/check_notify.XXXXXX";
static char path[sizeof(folder) + sizeof("/manager")];
static int manager;

static void
start_manager(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/manager", folder);
    strcpy(address.sun_path, path);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(manager, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void
stop_manager(void)
{
    close(manager);
    unlink(path);
    rmdir(folder);
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
}

START_TEST(test_path)
{
    char text[32] = "";

    setenv("NOTIFY_SOCKET", path, 1);
    ck_assert_int_eq(notify_send("A=1\nB=2", -1), 0);
    ck_assert_int_eq(recv(manager, text, sizeof(text), 0), 7);
    ck_assert_str_eq(text, "A=1\nB=2");
}
END_TEST

/* Too long by one, none, of another kind: nobody is told. */
START_TEST(test_names)
{
    char longest[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
    const char *names[] = {longest, "", "@", "/", "manager", "vsock:2:1"};

    memset(longest, 'x', sizeof(longest) - 1);
    longest[0] = '/';
    longest[sizeof(longest) - 1] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        ck_assert_int_eq(notify_send("A=1", -1), 0);
    }
    unsetenv("NOTIFY_SOCKET");
    ck_assert_int_eq(notify_send("A=1", -1), 0);
}
END_TEST

/* Nothing is wrong with what is said, or with the manager. */
START_TEST(test_without_descriptors)
{
    struct rlimit before, none;
    int error;

    setenv("NOTIFY_SOCKET", path, 1);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    error = notify_send("A=1", -1);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(error, -EAGAIN);
    ck_assert_int_eq(notify_send("A=1", -1), 0);
}
END_TEST

START_TEST(test_full)
{
    int error = 0;

    setenv("NOTIFY_SOCKET", path, 1);
    for (int i = 0; i < 10000 && error == 0; i++)
        error = notify_send("A=1", -1);
    ck_assert_int_eq(error, -EAGAIN);
    close(manager);
    ck_assert_int_eq(notify_send("A=1", -1), 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("notify");
    TCase *tcase = tcase_create("notify");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, start_manager, stop_manager);
    tcase_add_test(tcase, test_path);
    tcase_add_test(tcase, test_names);
    tcase_add_test(tcase, test_without_descriptors);
    tcase_add_test(tcase, test_full);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
