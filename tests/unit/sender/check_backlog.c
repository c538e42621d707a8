/*
 * check_backlog: what has to go where there is no room, and what the next process finds: after a
 * kill at any instruction, and after any flipped bit.
 */
#include "arena.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <syslog.h>

#include "base/log.h"
#include "sender/backlog.h"
#include "sender/choice.h"
#include "sender/replay.h"
#include "sender/said.h"

#define N_PAGES   8
#define WINDOW_MS 60000

static struct backlog backlog;
static struct sender_opts opts;
static struct board board;
static const struct backlog_item nothing = {.slot = VAULT_NONE};

static void
set_opts(int fd)
{
    log_init(LOG_TO_STDERR, LOG_ERR);
    memset(&board, 0, sizeof(board));
    opts = (struct sender_opts){
        .board = &board,
        .arena_fd = fd,
        .spool_fd = -1,
        .deliver = true,
        .queue_memory = (size_t)N_PAGES * VAULT_PAGE,
        .replay_window_ms = WINDOW_MS,
    };
}

static enum vault_found
open_it(void)
{
    enum vault_found found;

    ck_assert_int_eq(backlog_open(&backlog, &opts, &found), 0);
    return found;
}

static void
set_up(void)
{
    set_opts(new_arena());
    ck_assert_int_eq(open_it(), VAULT_EMPTY);
}

static void
tear_down(void)
{
    ck_assert(is_closed(&backlog.queue));
    backlog_close(&backlog);
    close(opts.arena_fd);
}

/* Takes the n-th flush, of so many pages. */
static bool
take_pages(unsigned n, unsigned n_pages, const struct backlog_item *busy)
{
    struct batch *batch = batch_of(n, n_pages * LINES_OF_A_PAGE);
    bool taken = backlog_take(&backlog, batch, queue_ledger(&backlog.queue), busy, 1000 * n);

    batch_free(batch);
    return taken;
}

static void
assert_holds(const char *want)
{
    char got[64] = "";

    for (uint32_t i = 0; i < backlog.queue.vault.n_live; i++) {
        const struct vault_slot *slot = vault_at(&backlog.queue.vault, backlog.queue.vault.live[i]);
        char text[8];

        snprintf(text, sizeof(text), "%u%c ", (unsigned)(slot->id - EPOCH),
                 slot->state == VAULT_QUEUED   ? 'q'
                 : slot->state == VAULT_REPLAY ? 'r'
                                               : 'd');
        strcat(got, text);
    }
    ck_assert_str_eq(got, want);
}

static void
pick(struct backlog_item *out)
{
    choice_make(&backlog, true, 0, out);
    ck_assert_int_ne(out->kind, BACKLOG_NOTHING);
}

/* How often it was logged, or would have been, were it not for its limit. */
static uint64_t
n_said(enum said what)
{
    const struct log_limit *limit = said_limit(&opts, what);

    return limit->again_ms != 0 ? limit->n_unsaid + 1 : 0;
}

START_TEST(test_the_oldest_goes)
{
    set_up();
    for (unsigned n = 1; n <= 4; n++)
        ck_assert(take_pages(n, 2, &nothing));
    assert_holds("1q 2q 3q 4q ");
    ck_assert_uint_eq(n_said(SAID_QUEUE_FULL), 0);
    ck_assert(take_pages(5, 1, &nothing));
    assert_holds("2q 3q 4q 5q ");
    ck_assert(take_pages(6, 1, &nothing));
    assert_holds("2q 3q 4q 5q 6q ");
    ck_assert(take_pages(7, N_PAGES, &nothing));
    assert_holds("7q ");
    ck_assert_uint_eq(queue_ledger(&backlog.queue)->dropped[LEDGER_QUEUE], 10 * LINES_OF_A_PAGE);
    ck_assert_uint_eq(n_said(SAID_QUEUE_FULL), 6);
    tear_down();
}
END_TEST

/* What was delivered goes before what was not, and what is on its way not at all. */
START_TEST(test_the_order_of_going)
{
    struct backlog_item item;

    set_up();
    for (unsigned n = 1; n <= 4; n++) {
        ck_assert(take_pages(n, 2, &nothing));
        if (n == 2 || n == 3) {
            pick(&item); /* the newest */
            backlog_delivered(&backlog, &item, 0, 1000);
        }
    }
    assert_holds("1q 2d 3d 4q ");
    replay_mark(&backlog.queue, WINDOW_MS, 2000);
    ck_assert(take_pages(5, 2, &nothing));
    assert_holds("1q 3r 4q 5q ");
    backlog.queue.live = VAULT_NONE;
    pick(&item);
    ck_assert(take_pages(6, 2, &item));
    assert_holds("1q 4q 5q 6q ");
    ck_assert(take_pages(7, 6, &item));
    assert_holds("1q 7q ");
    ck_assert(!take_pages(8, 7, &item));
    assert_holds("1q ");
    backlog_failed(&backlog, &item);
    ck_assert_int_eq(item.kind, BACKLOG_NOTHING);
    ck_assert(take_pages(8, 7, &item));
    assert_holds("8q ");
    ck_assert_uint_eq(queue_ledger(&backlog.queue)->delivered, 4 * LINES_OF_A_PAGE);
    ck_assert_uint_eq(n_said(SAID_QUEUE_FULL), 5); /* what was delivered is no loss */
    tear_down();
}
END_TEST

/* A part of an interval is on its way again, and the whole would have to go: the part does. */
START_TEST(test_part_before_the_whole)
{
    struct backlog_item item;

    set_up();
    for (unsigned n = 1; n <= 2; n++) {
        struct batch *batch = batch_of(n, 2 * LINES_OF_A_PAGE);

        batch->timestamp_s = 1700000000;
        ck_assert(backlog_take(&backlog, batch, queue_ledger(&backlog.queue), &nothing, 1000));
        batch_free(batch);
        pick(&item);
        backlog_delivered(&backlog, &item, 0, 1000);
    }
    replay_mark(&backlog.queue, WINDOW_MS, 2000);
    pick(&item);
    assert_holds("1r 2r ");
    ck_assert_uint_eq(item.batch.id, EPOCH | 1);
    ck_assert(!take_pages(3, 5, &item));
    assert_holds("1r 2r ");
    backlog_failed(&backlog, &item);
    ck_assert(take_pages(3, 5, &item));
    assert_holds("2r 3q ");
    tear_down();
}
END_TEST

/* Of a kill while an aggregator may have been taking it. */
START_TEST(test_touched)
{
    set_up();
    take_pages(1, 1, &nothing);
    take_pages(2, 1, &nothing);
    backlog.queue.vault.journal.touched = EPOCH | 1;
    vault_change(&backlog.queue.vault, VAULT_NONE, VAULT_FREE, 0);
    backlog_close(&backlog);
    ck_assert_int_eq(open_it(), VAULT_ADOPTED);
    assert_holds("2q ");
    ck_assert_uint_eq(queue_ledger(&backlog.queue)->dropped[LEDGER_UNCERTAIN], LINES_OF_A_PAGE);
    ck_assert_uint_eq(n_said(SAID_UNCERTAIN), 1);
    ck_assert_uint_eq(backlog.queue.vault.journal.touched, 0);
    tear_down();
}
END_TEST

/* What one before had kept, to be sent again, is not where nothing may be sent twice. */
START_TEST(test_nothing_twice)
{
    struct backlog_item item;

    set_up();
    for (unsigned n = 1; n <= 3; n++) {
        ck_assert(take_pages(n, 1, &nothing));
        if (n == 3)
            break;
        pick(&item);
        backlog_delivered(&backlog, &item, 0, 1000);
        if (n == 1)
            replay_mark(&backlog.queue, WINDOW_MS, 2000);
    }
    assert_holds("1r 2d 3q ");
    backlog_close(&backlog);
    opts.never_twice = _i == 0;
    opts.replay_window_ms = _i == 0 ? WINDOW_MS : 0;
    ck_assert_int_eq(open_it(), VAULT_ADOPTED);
    assert_holds("3q ");
    ck_assert_uint_eq(queue_ledger(&backlog.queue)->delivered, 2 * LINES_OF_A_PAGE);
    tear_down();
}
END_TEST

/* ---- a kill at any instruction */

/* What happens in a sender's life without a spool. The steps of small flushes, since every
 * instruction of it is one. */
static void
live(void)
{
    struct backlog_item item;
    struct batch *batches[5];
    enum vault_found found;

    for (unsigned n = 1; n <= 4; n++)
        batches[n] = batch_of(n, n);
    (void)backlog_open(&backlog, &opts, &found);
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    for (unsigned n = 1; n <= 4; n++) {
        backlog_take(&backlog, batches[n], queue_ledger(&backlog.queue), &nothing, 0);
        choice_make(&backlog, true, 0, &item);
        if (n == 1)
            backlog_failed(&backlog, &item);
        else
            backlog_delivered(&backlog, &item, 0, 0);
    }
    replay_mark(&backlog.queue, WINDOW_MS, 0);
    choice_make(&backlog, false, 0, &item);
    backlog_dropped(&backlog, &item, LEDGER_UNCERTAIN);
    choice_make(&backlog, false, 0, &item);
    backlog_delivered(&backlog, &item, 0, 0);
    backlog_make_room(&backlog, (N_PAGES - 1) * VAULT_PAGE, &nothing);
    _exit(0);
}

/* What the arena held then, as the next process sees it. Each flush is whole, and every line is in
 * one of the counts, which never go back. */
static void
assert_adopted(int fd, struct ledger *before)
{
    int copy = copy_arena(fd);
    const struct ledger *ledger;

    opts.arena_fd = copy;
    ck_assert_int_eq(open_it(), VAULT_ADOPTED);
    ledger = queue_ledger(&backlog.queue);
    ck_assert(is_closed(&backlog.queue));
    ck_assert_uint_eq(ledger->dropped[LEDGER_CORRUPT], 0);
    ck_assert_uint_ge(ledger->emitted, before->emitted);
    ck_assert_uint_ge(ledger->delivered, before->delivered);
    ck_assert_uint_ge(ledger_dropped(ledger), ledger_dropped(before));
    for (uint32_t i = 0; i < backlog.queue.vault.n_live; i++) {
        struct batch batch = vault_batch(&backlog.queue.vault, backlog.queue.vault.live[i]);

        ck_assert(batch_is_intact(&batch));
        ck_assert_uint_eq(batch.n_lines, batch.id - EPOCH);
    }
    *before = *ledger;
    backlog_close(&backlog);
    close(copy);
}

START_TEST(test_killed_at_any_instruction)
{
    /* The head, the journal and the first slots. */
    enum { WATCHED = 2048 };
    static uint8_t shadow[WATCHED];
    struct ledger ledger = {0};
    unsigned n_changes = 0;
    int status, fd = new_arena();
    uint8_t *watched;
    pid_t pid;

    set_opts(fd);
    pid = fork();
    if (pid == 0)
        live();
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSTOPPED(status));
    watched = mmap(NULL, WATCHED, PROT_READ, MAP_SHARED, fd, 0);
    while (WIFSTOPPED(status)) {
        if (memcmp(shadow, watched, WATCHED) != 0) {
            memcpy(shadow, watched, WATCHED);
            assert_adopted(fd, &ledger);
            n_changes++;
        }
        ck_assert_int_eq((int)ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    }
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_uint_gt(n_changes, 50);
    ck_assert_uint_eq(ledger.emitted, 10);
    ck_assert_uint_eq(ledger.delivered, 9);
    ck_assert_uint_eq(ledger.replayed, 2);
    ck_assert_uint_eq(ledger.dropped[LEDGER_UNCERTAIN], 1);
    munmap(watched, WATCHED);
    close(fd);
}
END_TEST

/* ---- bits that flip */

static unsigned n_exact, n_counted, n_anew;

/* The file that is opened has one bit or more that is another; four flushes of n lines were in it,
 * the first delivered, and another had been dropped. */
static void
assert_survives(int fd)
{
    enum vault_found found;
    const struct ledger *ledger;

    opts.arena_fd = fd;
    found = open_it();
    ledger = queue_ledger(&backlog.queue);
    ck_assert(is_closed(&backlog.queue));
    ck_assert_uint_le(backlog.queue.vault.n_live, 4);
    for (uint32_t i = 0; i < backlog.queue.vault.n_live; i++) {
        struct batch got = vault_batch(&backlog.queue.vault, backlog.queue.vault.live[i]);
        struct batch *want = batch_of((unsigned)(got.id - EPOCH), (unsigned)got.n_lines);

        ck_assert_uint_eq(got.id - EPOCH, got.n_lines);
        ck_assert_uint_eq(got.records.len, want->records.len);
        ck_assert_int_eq(memcmp(got.records.data, want->records.data, want->records.len), 0);
        batch_free(want);
    }
    if (found == VAULT_ADOPTED) {
        ck_assert_uint_eq(ledger->emitted, 15);
        ck_assert_uint_eq(ledger->delivered, 1);
        ck_assert_uint_eq(ledger->dropped[LEDGER_QUEUE], 5);
    }
    n_anew += found != VAULT_ADOPTED;
    n_counted += ledger->dropped[LEDGER_CORRUPT] > 0;
    n_exact += found == VAULT_ADOPTED && ledger->dropped[LEDGER_CORRUPT] == 0;
    backlog_close(&backlog);
}

static int
make_arena(void)
{
    struct backlog_item item;

    set_up();
    for (unsigned n = 1; n <= 5; n++) {
        struct batch *batch = batch_of(n, n);

        backlog_take(&backlog, batch, queue_ledger(&backlog.queue), &nothing, 0);
        batch_free(batch);
    }
    choice_make(&backlog, false, 0, &item);
    backlog_dropped(&backlog, &item, LEDGER_QUEUE); /* the newest */
    choice_make(&backlog, false, 0, &item);
    backlog_delivered(&backlog, &item, 0, 0);
    assert_holds("1d 2q 3q 4q ");
    backlog_close(&backlog);
    return opts.arena_fd;
}

static void
flip(int fd, size_t bit)
{
    uint8_t byte;

    ck_assert_int_eq((int)pread(fd, &byte, 1, (off_t)(bit / 8)), 1);
    byte ^= (uint8_t)(1 << bit % 8);
    ck_assert_int_eq((int)pwrite(fd, &byte, 1, (off_t)(bit / 8)), 1);
}

/* Puts back what a test has changed in the part of a file that is in use. */
static void
restore(int fd, int from, off_t at, size_t len)
{
    static uint8_t bytes[VAULT_PAGE];

    for (size_t done = 0; done < len; done += sizeof(bytes)) {
        size_t n = len - done < sizeof(bytes) ? len - done : sizeof(bytes);

        ck_assert_int_eq((int)pread(from, bytes, n, at + (off_t)done), (int)n);
        ck_assert_int_eq((int)pwrite(fd, bytes, n, at + (off_t)done), (int)n);
    }
}

/* The table's end; the records are behind it. */
static off_t
records_start(void)
{
    off_t size = lseek(opts.arena_fd, 0, SEEK_END);

    return size - 2 * N_PAGES * VAULT_PAGE;
}

/* It is new to who finds it, and known to who comes then. */
START_TEST(test_found_once)
{
    opts.arena_fd = make_arena();
    flip(opts.arena_fd, 8 * (size_t)(records_start() + VAULT_PAGE));
    open_it();
    ck_assert_uint_eq(backlog.n_found_corrupt, 2);
    backlog_close(&backlog);
    open_it();
    ck_assert_uint_eq(backlog.n_found_corrupt, 0);
    ck_assert_uint_eq(queue_ledger(&backlog.queue)->dropped[LEDGER_CORRUPT], 2);
    tear_down();
}
END_TEST

/* Every bit of the head, the journal and the slots in use, and of the records. */
START_TEST(test_any_bit)
{
    int good = make_arena(), fd = copy_arena(good);
    off_t records = records_start();

    for (size_t bit = 0; bit < 8 * 1200; bit++) {
        flip(fd, bit);
        assert_survives(fd);
        if (lseek(fd, 0, SEEK_END) < records + VAULT_PAGE) /* it began anew */
            ck_assert_int_eq(ftruncate(fd, lseek(good, 0, SEEK_END)), 0);
        restore(fd, good, 0, 4096);
        for (int i = 0; i < 5; i++)
            restore(fd, good, records + i * VAULT_PAGE, 128);
    }
    for (size_t i = 0; i < 5; i++) {
        for (size_t bit = 0; bit < 8 * 5 * 18; bit++) {
            flip(fd, 8 * ((size_t)records + i * VAULT_PAGE) + bit);
            assert_survives(fd);
            restore(fd, good, 0, 4096);
            for (int j = 0; j < 5; j++)
                restore(fd, good, records + j * VAULT_PAGE, 128);
        }
    }
    ck_assert_uint_gt(n_exact, 100);
    ck_assert_uint_gt(n_counted, 100);
    ck_assert_uint_gt(n_anew, 100);
    close(fd);
    close(good);
}
END_TEST

/* Many at once, anywhere. */
START_TEST(test_many_bits)
{
    int good = make_arena();
    size_t size = (size_t)lseek(good, 0, SEEK_END);

    srandom(4);
    for (int i = 0; i < 300; i++) {
        int fd = copy_arena(good);
        size_t range = i % 3 == 0 ? size : 1200;

        for (int j = 0; j < 1 + i % 50; j++)
            flip(fd, 8 * 24 + (size_t)random() % (8 * (range - 24)));
        opts.arena_fd = fd;
        open_it();
        ck_assert(is_closed(&backlog.queue));
        for (uint32_t k = 0; k < backlog.queue.vault.n_live; k++) {
            struct batch batch = vault_batch(&backlog.queue.vault, backlog.queue.vault.live[k]);

            ck_assert(batch_is_intact(&batch));
        }
        ck_assert(take_pages(9, N_PAGES, &nothing));
        backlog_close(&backlog);
        close(fd);
    }
    close(good);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("backlog");
    TCase *tcase = tcase_create("backlog");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_the_oldest_goes);
    tcase_add_test(tcase, test_the_order_of_going);
    tcase_add_test(tcase, test_part_before_the_whole);
    tcase_add_test(tcase, test_touched);
    tcase_add_test(tcase, test_killed_at_any_instruction);
    tcase_add_loop_test(tcase, test_nothing_twice, 0, 2);
    tcase_add_test(tcase, test_found_once);
    tcase_add_test(tcase, test_any_bit);
    tcase_add_test(tcase, test_many_bits);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
