/*
 * check_losses: what of an interval is told, by all shards together, and that nothing is where
 * nothing was lost.
 */
#include "worker/losses.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "worker/said.h"

#define N_SHARDS 3

static struct worker_opts opts;
static struct shard shards[N_SHARDS];
static struct store_region *regions;

static void
set_up(void)
{
    const int size = 10000;

    opts = (struct worker_opts){.n_threads = N_SHARDS, .board = board_new()};
    ck_assert_ptr_nonnull(opts.board);
    opts.sockets[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(opts.sockets[0], 0);
    ck_assert_int_eq(setsockopt(opts.sockets[0], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
    memset(shards, 0, sizeof(shards));
    regions = calloc(N_SHARDS, sizeof(*regions));
    ck_assert_ptr_nonnull(regions);
    for (size_t i = 0; i < N_SHARDS; i++)
        shards[i].region = &regions[i];
}

static void
tear_down(void)
{
    close(opts.sockets[0]);
    free(regions);
}

/* What is told of the interval. */
static void
tell(char *out, size_t size)
{
    int saved = dup(STDERR_FILENO), ends[2];
    ssize_t n;

    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_init(LOG_TO_STDERR, LOG_INFO);
    losses_log(&opts, shards);
    dup2(saved, STDERR_FILENO);
    close(saved);
    n = read(ends[0], out, size - 1);
    ck_assert_int_ge(n, 0);
    out[n] = '\0';
    close(ends[0]);
}

START_TEST(test_nothing)
{
    char told[1024];

    set_up();
    tell(told, sizeof(told));
    ck_assert_str_eq(told, "");
    tear_down();
}
END_TEST

START_TEST(test_all_shards)
{
    struct name name = {.text = "app.user.4711", .len = 13};
    char told[1024];

    set_up();
    regions[0].closed.udp_drops = 5;
    regions[2].closed.udp_drops = 7;
    regions[1].stats.udp_drops = 100; /* of the one that is open */
    culprit_add(&shards[1].closed_culprit, &name);
    tell(told, sizeof(told));
    ck_assert_ptr_nonnull(strstr(told, "[WARNING] the kernel dropped 12 datagrams in an interval: "
                                       "raise RECEIVE_BUFFER (now 10000 bytes) and "
                                       "net.core.rmem_max\n"));
    ck_assert_ptr_nonnull(strstr(told, "most of them under app.user\n"));
    tell(told, sizeof(told)); /* within the same minute */
    ck_assert_str_eq(told, "");
    ck_assert_uint_eq(said_limit(&opts, SAID_DROPS)->n_unsaid, 1);
    tear_down();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("losses");
    TCase *tcase = tcase_create("losses");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_nothing);
    tcase_add_test(tcase, test_all_shards);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
