/*
 * check_holdings: that each of the master's descriptors is in the table, with who keeps it.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "master/holdings.h"

/* Ready to be opened on the loopback, at a port that was free a moment ago. */
static struct master_opts
options(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    struct master_opts opts = {.listen_address = "127.0.0.1", .receive_buffer = 65536};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    opts.listen_port = ntohs(address.sin_port);
    return opts;
}

static unsigned
keepers_of(const struct holdings *holdings, int fd)
{
    for (size_t i = 0; i < holdings->fds.n; i++) {
        if (holdings->fds.held[i].fd == fd)
            return holdings->fds.held[i].keepers;
    }
    ck_abort_msg("descriptor %d is not in the table", fd);
}

START_TEST(test_who_keeps_what)
{
    struct master_opts opts = options();
    struct holdings holdings = {.fds = {.n = 0}};
    const struct resolve *resolver = &holdings.resolve;

    holdings_open(&holdings, &opts, 1);
    ck_assert_uint_eq(holdings.listeners.n, 1);
    ck_assert_uint_eq(holdings.fds.n, 10);
    ck_assert_uint_eq(keepers_of(&holdings, holdings.listeners.sockets[0]), KEPT_BY_WORKER);
    ck_assert_uint_eq(keepers_of(&holdings, holdings.pipe_write), KEPT_BY_WORKER);
    ck_assert_uint_eq(keepers_of(&holdings, holdings.pipe_read), KEPT_BY_SENDER);
    ck_assert_uint_eq(keepers_of(&holdings, holdings.ack_fd), KEPT_BY_WORKER | KEPT_BY_SENDER);
    ck_assert_uint_eq(keepers_of(&holdings, holdings.state.worker_arena), KEPT_BY_WORKER);
    ck_assert_uint_eq(keepers_of(&holdings, holdings.state.sender_arena), KEPT_BY_SENDER);
    ck_assert_uint_eq(keepers_of(&holdings, resolver->ask_read), KEPT_BY_NONE);
    ck_assert_uint_eq(keepers_of(&holdings, resolver->ask_write), KEPT_BY_SENDER);
    ck_assert_uint_eq(keepers_of(&holdings, resolver->addresses_read), KEPT_BY_SENDER);
    ck_assert_uint_eq(keepers_of(&holdings, resolver->addresses_write), KEPT_BY_RESOLVER);
    holdings_release(&holdings);
    ck_assert_uint_eq(holdings.listeners.n, 0);
    ck_assert_int_eq(holdings.pipe_write, -1);
    ck_assert_uint_eq(holdings.fds.n, 1 + 4); /* what listen and resolve close or leave */
}
END_TEST

START_TEST(test_what_is_shared)
{
    struct master_opts opts = options();
    struct holdings holdings = {.fds = {.n = 0}};
    uint64_t rung;

    holdings_open(&holdings, &opts, 1);
    holdings_open_folders(&holdings, &opts);
    ck_assert_int_eq(holdings.state.quarantine, -1);
    ck_assert_int_eq(holdings.spool_dir, -1);
    ck_assert_int_eq(holdings.gauges_dir, -1);
    ck_assert_uint_eq(board_get(&holdings.board->committed), 0);
    ck_assert_int_eq(read(holdings.ack_fd, &rung, sizeof(rung)), -1);
    ck_assert_int_eq(errno, EAGAIN);
    holdings_release(&holdings);
}
END_TEST

static char home[] = "/tmp/check_holdings.XXXXXX";

static void
make_home(void)
{
    ck_assert_ptr_nonnull(mkdtemp(home));
}

static void
remove_home(void)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -r %s", home);
    ck_assert_int_eq(system(command), 0);
}

/* In its parts, as in a start: what needs privileges, what must do without, what each worker gets
 * anew. */
START_TEST(test_files_and_directories)
{
    struct master_opts opts = options();
    struct holdings holdings = {.fds = {.n = 0}};
    char path[128], text[8] = "";

    snprintf(opts.user, sizeof(opts.user), "root's, who is not looked up");
    snprintf(opts.state_dir, sizeof(opts.state_dir), "%s/state", home);
    snprintf(opts.spool_dir, sizeof(opts.spool_dir), "%s/spool", home);
    snprintf(opts.gauges_file, sizeof(opts.gauges_file), "%s/lib/gauges", home);
    if (geteuid() == 0)
        snprintf(opts.user, sizeof(opts.user), "nobody");
    holdings_open(&holdings, &opts, 1);
    holdings_open_folders(&holdings, &opts);
    ck_assert_uint_eq(keepers_of(&holdings, holdings.state.quarantine), KEPT_BY_WORKER);
    ck_assert_uint_eq(keepers_of(&holdings, holdings.spool_dir), KEPT_BY_SENDER);
    ck_assert_uint_eq(keepers_of(&holdings, holdings.gauges_dir), KEPT_BY_SENDER);

    holdings_open_gauges(&holdings, "gauges");
    ck_assert_int_eq(holdings.gauges, -1);
    for (int i = 1; i <= 2; i++) {
        char number = (char)('0' + i);
        int fd = openat(holdings.gauges_dir, "new", O_WRONLY | O_CREAT, 0600);

        ck_assert_int_eq(write(fd, &number, 1), 1);
        close(fd);
        ck_assert_int_eq(renameat(holdings.gauges_dir, "new", holdings.gauges_dir, "gauges"), 0);
        holdings_open_gauges(&holdings, "gauges");
        ck_assert_uint_eq(keepers_of(&holdings, holdings.gauges), KEPT_BY_WORKER);
        ck_assert_int_eq(read(holdings.gauges, text, sizeof(text)), 1);
        ck_assert_int_eq(text[0], number);
    }
    snprintf(path, sizeof(path), "%s/lib/gauges", home);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    holdings_open_gauges(&holdings, "gauges");
    ck_assert_int_eq(holdings.gauges, -1);
    holdings_release(&holdings);
    ck_assert_uint_eq(holdings.fds.n, 1 + 4);
}
END_TEST

START_TEST(test_frame_pipe)
{
    struct master_opts opts = options();
    struct holdings holdings = {.fds = {.n = 0}};
    char in[4096];

    holdings_open(&holdings, &opts, 1);
    ck_assert_int_ge(fcntl(holdings.pipe_write, F_GETPIPE_SZ), 65536);
    /* Two writes are two packets. */
    ck_assert_int_eq(write(holdings.pipe_write, "one", 3), 3);
    ck_assert_int_eq(write(holdings.pipe_write, "three", 5), 5);
    ck_assert_int_eq(read(holdings.pipe_read, in, sizeof(in)), 3);
    ck_assert_int_eq(read(holdings.pipe_read, in, sizeof(in)), 5);
    holdings_release(&holdings);
}
END_TEST

START_TEST(test_no_socket_no_start)
{
    struct master_opts opts = options();
    int status;
    pid_t pid;

    strcpy(opts.listen_address, "192.0.2.1"); /* nobody's */
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct holdings holdings = {.fds = {.n = 0}};

        close(STDERR_FILENO);
        holdings_open(&holdings, &opts, 1);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 78 << 8);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("holdings");
    TCase *tcase = tcase_create("holdings");
    SRunner *runner;
    int n_failed;

    log_init(LOG_TO_STDERR, LOG_ERR);
    tcase_add_checked_fixture(tcase, make_home, remove_home);
    tcase_add_test(tcase, test_who_keeps_what);
    tcase_add_test(tcase, test_frame_pipe);
    tcase_add_test(tcase, test_what_is_shared);
    tcase_add_test(tcase, test_files_and_directories);
    tcase_add_test(tcase, test_no_socket_no_start);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
