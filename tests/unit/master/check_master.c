/*
 * check_master: the whole daemon in a process of the test's own, from its start to its end, on the
 * loopback and without a carbon.
 */
#include <bsd/unistd.h>
#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/master.h"

#define PATIENCE_MS 20000

static int manager = -1; /* what a service manager hears */

static int
take_port(char out[8])
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(out, 8, "%u", (unsigned)ntohs(address.sin_port));
    return fd;
}

static void
start_manager(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(address);
    char name[sizeof(address.sun_path) + 1];
    size_t name_len;

    manager = socket(AF_UNIX, SOCK_DGRAM, 0);
    ck_assert_int_eq(bind(manager, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    ck_assert_int_eq(getsockname(manager, (struct sockaddr *)&address, &len), 0);
    name_len = len - sizeof(sa_family_t);
    memcpy(name, address.sun_path, name_len);
    name[0] = '@';
    name[name_len] = '\0';
    ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
}

/* Waits for the next word that is no status and brings no socket. */
static void
assert_told(const char *word)
{
    struct pollfd arrival = {.fd = manager, .events = POLLIN};
    char text[512];
    ssize_t n;

    do {
        ck_assert_int_eq(poll(&arrival, 1, PATIENCE_MS), 1);
        n = recv(manager, text, sizeof(text) - 1, 0);
        ck_assert_int_gt(n, 0);
        text[n] = '\0';
    } while (strncmp(text, "STATUS=", strlen("STATUS=")) == 0 ||
             strncmp(text, "FDSTORE", strlen("FDSTORE")) == 0);
    ck_assert_msg(strncmp(text, word, strlen(word)) == 0, "told \"%s\", not \"%s\"", text, word);
}

/* A daemon that says what it has to on nobody's terminal. */
static pid_t
start_daemon(const char *port)
{
    struct args args = {.action = ARGS_RUN, .config_file = "/dev/null"};
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct config *config = calloc(1, sizeof(*config));
        struct buf error, warnings;

        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(90);
        args.settings[0] = (struct args_setting){"-p", "LOCAL_PYSTATD_PORT", port};
        args.settings[1] = (struct args_setting){"-n", "LISTEN_ADDRESS", "127.0.0.1"};
        args.settings[2] = (struct args_setting){"--set", "TRANSPORT", "none"};
        args.n_settings = 3;
        buf_init(&error, 4096);
        buf_init(&warnings, 4096);
        if (config == NULL || config_load(&args, config, &error, &warnings) != 0)
            _exit(91);
        _exit(master_run(&args, config, &warnings));
    }
    return pid;
}

static void
assert_exits(pid_t pid, int expected)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == expected, "status %#x",
                  (unsigned)status);
}

static const int stop_signals[] = {SIGTERM, SIGINT};

START_TEST(test_from_start_to_end)
{
    char port[8];
    pid_t pid;

    close(take_port(port));
    pid = start_daemon(port);
    assert_told("READY=1");
    kill(pid, SIGHUP);
    assert_told("RELOADING=1");
    assert_told("READY=1");
    kill(pid, stop_signals[_i]);
    assert_told("STOPPING=1");
    /* A second one changes nothing. */
    kill(pid, SIGTERM);
    assert_exits(pid, 0);
}
END_TEST

START_TEST(test_port_in_use)
{
    char port[8];
    int taken = take_port(port);

    assert_exits(start_daemon(port), 78);
    close(taken);
}
END_TEST

int
main(int argc, char **argv, char **envp)
{
    Suite *suite = suite_create("master");
    TCase *tcase = tcase_create("master");
    SRunner *runner;
    int n_failed;

    setproctitle_init(argc, argv, envp);
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, start_manager, NULL);
    tcase_add_loop_test(tcase, test_from_start_to_end, 0,
                        sizeof(stop_signals) / sizeof(stop_signals[0]));
    tcase_add_test(tcase, test_port_in_use);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
