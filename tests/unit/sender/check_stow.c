/*
 * check_stow: the way into the spool and out of it, and the ledger of it: after limits, damage,
 * kills and disks that take nothing.
 */
#include "arena.h"
#include "folder.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <syslog.h>

#include "base/log.h"
#include "sender/said.h"
#include "sender/stow.h"

#define LIMIT ((size_t)64 * VAULT_PAGE)

static struct queue queue;
static struct stow stow;
static struct sender_opts opts;
static struct board board;
static int arena;
static uint64_t max_bytes;
static bool never_twice;

/* The process is killed at that one of the moments, from 1 on, before and behind a call that
 * changes the directory; 0: never. */
static unsigned kill_at;
static unsigned n_calls;

/* Errno of the removals to come; 0: none. */
static int unlink_error;

static void
count_call(void)
{
    if (++n_calls == kill_at)
        raise(SIGKILL);
}

int __real_renameat(int old_fd, const char *old, int new_fd, const char *new);
int __wrap_renameat(int old_fd, const char *old, int new_fd, const char *new);
int __real_unlinkat(int fd, const char *name, int flags);
int __wrap_unlinkat(int fd, const char *name, int flags);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

/* The linker puts them in the place of the calls. */
int
__wrap_renameat(int old_fd, const char *old, int new_fd, const char *new)
{
    int result;

    count_call();
    result = __real_renameat(old_fd, old, new_fd, new);
    count_call();
    return result;
}

int
__wrap_unlinkat(int fd, const char *name, int flags)
{
    int result;

    if (unlink_error != 0) {
        errno = unlink_error;
        return -1;
    }
    count_call();
    result = __real_unlinkat(fd, name, flags);
    count_call();
    return result;
}

/* Errno of the writes to come; 0: none. */
static int write_error;

int
__wrap_fdatasync(int fd)
{
    count_call();
    errno = write_error;
    return write_error != 0 ? -1 : __real_fdatasync(fd);
}

static void
open_it(void)
{
    enum vault_found found;

    ck_assert_int_eq(queue_open(&queue, arena, LIMIT, &found), 0);
    opts = (struct sender_opts){.never_twice = never_twice,
                                .spool_fd = folder,
                                .spool_max_bytes = max_bytes,
                                .spool_max_age_ms = UINT64_MAX,
                                .board = &board};
    stow_open(&stow, &queue, &opts);
}

static void
set_up(void)
{
    log_init(LOG_TO_STDERR, LOG_ERR);
    memset(&board, 0, sizeof(board));
    folder_make();
    arena = new_arena();
    max_bytes = 1 << 20;
    open_it();
}

static void
close_it(void)
{
    ck_assert(is_closed(&queue));
    stow_close(&stow);
    queue_close(&queue);
}

static void
tear_down(void)
{
    close_it();
    close(arena);
    folder_remove();
}

/* As the next process finds it. */
static void
open_again(void)
{
    close_it();
    open_it();
}

static void
assert_counts(uint64_t n_queued, uint64_t n_spooled, uint64_t n_delivered, uint64_t n_dropped)
{
    const struct ledger *ledger = queue_ledger(&queue);
    size_t n_batches;

    ck_assert(is_closed(&queue));
    ck_assert_uint_eq(queue_lines(&queue, &n_batches), n_queued);
    ck_assert_uint_eq(ledger->spooled, n_spooled);
    ck_assert_uint_eq(ledger->delivered, n_delivered);
    ck_assert_uint_eq(ledger_dropped(ledger), n_dropped);
}

/* How often it was logged, or would have been, were it not for its limit. */
static uint64_t
n_said(enum said what)
{
    const struct log_limit *limit = said_limit(&opts, what);

    return limit->again_ms != 0 ? limit->n_unsaid + 1 : 0;
}

/* The oldest of the spool is the n-th flush, and n lines; it is delivered. */
static void
deliver(unsigned n)
{
    struct batch *want = batch_of(n, n), *got = stow_load(&stow, &queue);

    ck_assert_ptr_nonnull(got);
    ck_assert_uint_eq(got->id, want->id);
    ck_assert_uint_eq(got->records.len, want->records.len);
    ck_assert_int_eq(memcmp(got->records.data, want->records.data, want->records.len), 0);
    stow_delivered(&stow, &queue, got, 0);
    batch_free(want);
    batch_free(got);
}

START_TEST(test_in_and_out)
{
    set_up();
    for (unsigned n = 1; n <= 4; n++)
        take(&queue, n, n);
    stow_put_all(&stow, &queue, queue_oldest(&queue, VAULT_QUEUED, VAULT_NONE));
    assert_counts(1 + 4, 2 + 3, 0, 0); /* not the one that is busy, nor the newest */
    ck_assert_ptr_nonnull(stow_find(&stow, EPOCH | 2));
    ck_assert_ptr_null(stow_find(&stow, EPOCH | 1));
    deliver(2);
    assert_counts(5, 3, 2, 0);
    open_again();
    assert_counts(5, 3, 2, 0);
    stow_dropped(&stow, &queue, stow_find(&stow, EPOCH | 3), LEDGER_UNCERTAIN);
    assert_counts(5, 0, 2, 3);
    ck_assert_str_eq(folder_list(), "");
    ck_assert_ptr_null(stow_load(&stow, &queue));
    tear_down();
}
END_TEST

/* The arena was lost; then the directory. */
START_TEST(test_one_without_the_other)
{
    set_up();
    for (unsigned n = 1; n <= 2; n++) {
        take(&queue, n, n);
        stow_put(&stow, &queue, queue_oldest(&queue, VAULT_QUEUED, VAULT_NONE));
    }
    close_it();
    ck_assert_int_eq(ftruncate(arena, 0), 0);
    open_it();
    assert_counts(0, 3, 0, 0);
    deliver(1);
    close_it();
    folder_empty(dup(folder));
    open_it();
    assert_counts(0, 0, 1, 2);
    ck_assert_uint_eq(queue_ledger(&queue)->dropped[LEDGER_SPOOL], 2);
    ck_assert_uint_eq(n_said(SAID_GONE), 1);
    ck_assert_uint_eq(n_said(SAID_SPOOL_FULL), 0);
    tear_down();
}
END_TEST

/* What is under a name of ours and is no file is nobody's to touch; what was there is missed. */
START_TEST(test_no_file)
{
    char name[64];

    set_up();
    take(&queue, 1, 1);
    stow_put(&stow, &queue, queue_oldest(&queue, VAULT_QUEUED, VAULT_NONE));
    ck_assert_uint_eq(n_said(SAID_IGNORED), 0);
    ck_assert_int_eq(sscanf(folder_list(), "%63s", name), 1);
    close_it();
    ck_assert_int_eq(unlinkat(folder, name, 0), 0);
    ck_assert_int_eq(mkdirat(folder, name, 0700), 0);
    open_it();
    assert_counts(0, 0, 0, 1);
    ck_assert_uint_eq(n_said(SAID_IGNORED), 1);
    ck_assert_uint_eq(n_said(SAID_GONE), 1);
    ck_assert_int_eq(unlinkat(folder, name, AT_REMOVEDIR), 0);
    tear_down();
}
END_TEST

/* What has to go for the limits is counted; what is on its way does not go. */
START_TEST(test_limits)
{
    struct batch *going;

    set_up();
    max_bytes = 800; /* three of them */
    open_again();
    for (unsigned n = 1; n <= 3; n++) {
        take(&queue, n, 10);
        stow_put(&stow, &queue, queue_oldest(&queue, VAULT_QUEUED, VAULT_NONE));
    }
    assert_counts(0, 30, 0, 0);
    going = stow_load(&stow, &queue);
    for (unsigned n = 4; n <= 5; n++) {
        take(&queue, n, 10);
        stow_put(&stow, &queue, queue_oldest(&queue, VAULT_QUEUED, VAULT_NONE));
    }
    assert_counts(0, 30, 0, 20);
    ck_assert_ptr_nonnull(stow_find(&stow, EPOCH | 1));
    ck_assert_ptr_nonnull(stow_find(&stow, EPOCH | 5));
    ck_assert_uint_eq(queue_ledger(&queue)->dropped[LEDGER_SPOOL], 20);
    ck_assert_uint_eq(n_said(SAID_SPOOL_FULL), 2);
    ck_assert_str_eq(stow.spool.limit, "SPOOL_MAX_BYTES is reached");
    ck_assert_uint_eq(n_said(SAID_GONE), 0);
    stow_delivered(&stow, &queue, going, 1);
    assert_counts(0, 20, 9, 21);
    batch_free(going);
    tear_down();
}
END_TEST

/* One that is larger than the spool does not hold up the others. */
START_TEST(test_too_large)
{
    set_up();
    max_bytes = 1000;
    open_again();
    take(&queue, 1, 100);
    take(&queue, 2, 2);
    take(&queue, 3, 3);
    stow_put_all(&stow, &queue, VAULT_NONE);
    assert_counts(103, 2, 0, 0);
    tear_down();
}
END_TEST

START_TEST(test_damaged_files)
{
    char name[64];

    set_up();
    for (unsigned n = 1; n <= 4; n++)
        take(&queue, n, n);
    queue.live = VAULT_NONE;
    stow_put_all(&stow, &queue, VAULT_NONE);
    ck_assert_int_eq(sscanf(folder_list(), "%63s", name), 1);
    folder_write(name, "no flush", 8);
    deliver(2); /* it was found to be damaged here */
    assert_counts(0, 3 + 4, 2, 1);
    ck_assert_uint_eq(queue_ledger(&queue)->dropped[LEDGER_CORRUPT], 1);
    ck_assert_int_eq(sscanf(folder_list(), "%*s %63s", name), 1);
    folder_write(name, "no flush", 8);
    open_again(); /* and here */
    assert_counts(0, 4, 2, 1 + 3);
    ck_assert_uint_eq(queue_ledger(&queue)->dropped[LEDGER_CORRUPT], 1 + 3);
    deliver(4);
    tear_down();
}
END_TEST

/* Some go for the limits while another is found damaged. */
START_TEST(test_damaged_and_too_many)
{
    char name[64];

    set_up();
    for (unsigned n = 1; n <= 4; n++)
        take(&queue, n, 10 + n);
    queue.live = VAULT_NONE;
    stow_put_all(&stow, &queue, VAULT_NONE);
    ck_assert_int_eq(sscanf(folder_list(), "%63s", name), 1);
    folder_write(name, "no flush", 8);
    max_bytes = 48 + 18 * 14 + 10;
    open_again();
    assert_counts(0, 14, 0, 11 + 12 + 13);
    ck_assert_uint_eq(queue_ledger(&queue)->dropped[LEDGER_CORRUPT], 11);
    ck_assert_uint_eq(queue_ledger(&queue)->dropped[LEDGER_SPOOL], 12 + 13);
    ck_assert_uint_eq(n_said(SAID_SPOOL_FULL), 1);
    ck_assert_uint_eq(n_said(SAID_GONE), 0);
    tear_down();
}
END_TEST

START_TEST(test_disk_that_takes_nothing)
{
    static const int errors[] = {ENOSPC, EIO, EROFS, EMFILE};

    set_up();
    for (unsigned n = 1; n <= 3; n++)
        take(&queue, n, n);
    for (size_t i = 0; i < 4; i++) {
        write_error = errors[i];
        ck_assert_int_eq(stow_put(&stow, &queue, queue_oldest(&queue, VAULT_QUEUED, VAULT_NONE)),
                         -errors[i]);
        stow_put_all(&stow, &queue, VAULT_NONE);
        assert_counts(6, 0, 0, 0);
        ck_assert_str_eq(folder_list(), "");
    }
    write_error = 0;
    stow_put_all(&stow, &queue, VAULT_NONE);
    assert_counts(3, 3, 0, 0);
    tear_down();
}
END_TEST

/* What is delivered and cannot be removed is not sent again, and with never_twice it is waited for.
 */
START_TEST(test_disk_that_gives_nothing_up)
{
    struct batch *batch;

    never_twice = _i != 0;
    set_up();
    for (unsigned n = 1; n <= 3; n++)
        take(&queue, n, n);
    queue.live = VAULT_NONE;
    stow_put_all(&stow, &queue, VAULT_NONE);
    unlink_error = EROFS;
    deliver(1);
    for (int again = 0; again < 2; again++) {
        assert_counts(0, 2 + 3, 1, 0);
        vault_change(&queue.vault, VAULT_NONE, VAULT_FREE, 0); /* whatever else happens */
        batch = stow_load(&stow, &queue);
        ck_assert_uint_eq(batch == NULL, never_twice);
        batch_free(batch);
        open_again();
    }
    unlink_error = 0;
    deliver(2);
    deliver(3);
    assert_counts(0, 0, 1 + 2 + 3, 0);
    ck_assert_str_eq(folder_list(), "");
    ck_assert_uint_eq(queue.vault.journal.unspooled, 0);
    tear_down();
}
END_TEST

/* Each write may take long. */
START_TEST(test_beat)
{
    uint64_t beat = 0;

    set_up();
    stow.spool.beat = &beat;
    for (unsigned n = 1; n <= 3; n++)
        take(&queue, n, n);
    stow_put_all(&stow, &queue, VAULT_NONE);
    ck_assert_uint_eq(beat, 2 * 2);
    tear_down();
}
END_TEST

START_TEST(test_no_spool)
{
    enum vault_found found;
    int fd = new_arena();

    ck_assert_int_eq(queue_open(&queue, fd, LIMIT, &found), 0);
    opts = (struct sender_opts){.spool_fd = -1, .board = &board};
    stow_open(&stow, &queue, &opts);
    take(&queue, 1, 1);
    ck_assert_int_lt(stow_put(&stow, &queue, queue_oldest(&queue, VAULT_QUEUED, VAULT_NONE)), 0);
    stow_put_all(&stow, &queue, VAULT_NONE);
    ck_assert_ptr_null(stow_load(&stow, &queue));
    ck_assert_ptr_null(stow_find(&stow, EPOCH | 1));
    assert_counts(1, 0, 0, 0);
    close_it();
    close(fd);
}
END_TEST

/* ---- kills */

/* Flushes go in, and come out one behind. */
static void
work(void)
{
    for (unsigned n = 1; n <= 3; n++) {
        struct batch *batch;

        take(&queue, n, n);
        stow_put(&stow, &queue, queue_oldest(&queue, VAULT_QUEUED, VAULT_NONE));
        if (n < 2)
            continue;
        batch = stow_load(&stow, &queue);
        stow_delivered(&stow, &queue, batch, 0);
        batch_free(batch);
    }
}

/* Returns whether it was killed, and not at its end. */
static bool
is_killed(unsigned at)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        kill_at = at;
        n_calls = 0;
        open_it();
        work();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status);
}

/* The next process finds every line in one place. */
START_TEST(test_killed_at_any_call)
{
    unsigned at = 0;
    bool killed = true;

    while (killed) {
        uint64_t n_taken, n_delivered;

        set_up();
        close_it();
        killed = is_killed(++at);
        open_it();
        n_taken = queue_ledger(&queue)->emitted;
        n_delivered = queue_ledger(&queue)->delivered;
        ck_assert_uint_eq(n_taken, queue.vault.journal.committed == (EPOCH | 3)   ? 6
                                   : queue.vault.journal.committed == (EPOCH | 2) ? 3
                                                                                  : 1);
        ck_assert_uint_eq(ledger_dropped(queue_ledger(&queue)), 0);
        ck_assert_uint_eq(queue_ledger(&queue)->spooled, stow.spool.n_lines);
        ck_assert(is_closed(&queue));
        /* A delivered one does not come again. */
        ck_assert(n_delivered < 1 || stow_find(&stow, EPOCH | 1) == NULL);
        ck_assert(n_delivered < 3 || stow_find(&stow, EPOCH | 2) == NULL);
        if (!killed)
            ck_assert_uint_eq(n_delivered, 3);
        tear_down();
    }
    ck_assert_uint_gt(at, 10);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("stow");
    TCase *tcase = tcase_create("stow");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_in_and_out);
    tcase_add_test(tcase, test_one_without_the_other);
    tcase_add_test(tcase, test_no_file);
    tcase_add_test(tcase, test_limits);
    tcase_add_test(tcase, test_too_large);
    tcase_add_test(tcase, test_damaged_files);
    tcase_add_test(tcase, test_damaged_and_too_many);
    tcase_add_test(tcase, test_disk_that_takes_nothing);
    tcase_add_test(tcase, test_beat);
    tcase_add_loop_test(tcase, test_disk_that_gives_nothing_up, 0, 2);
    tcase_add_test(tcase, test_no_spool);
    tcase_add_test(tcase, test_killed_at_any_call);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
