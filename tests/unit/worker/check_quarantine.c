/*
 * check_quarantine: which datagram is left out, when, and what is kept of it.
 */
#include "worker/quarantine.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "plot.h"
#include "stepped.h"

static struct rig {
    struct plot plot;
    struct store_region *region; /* plot's */
    struct ingest ingest;
    int file;
} rig;

static void
set_up(void)
{
    plot_open(&rig.plot, 100);
    rig.region = rig.plot.region;
    rig.file = plot_file();
    ck_assert_int_ge(fcntl(rig.file, F_SETFL, O_APPEND), 0);
    ingest_init(&rig.ingest, &rig.region->hand, plot_slots(&rig.plot));
    plot_begin_hand(&rig.plot);
    plot_receive(&rig.plot, "first:1|c", 9, false);
    plot_receive(&rig.plot,
                 "\x00\xff"
                 "a:1|c\n",
                 8, false);
    plot_receive(&rig.plot, "", 0, false);
}

static void
tear_down(void)
{
    plot_close(&rig.plot);
    close(rig.file);
}

/* A process died of itself with the busy-th datagram before it. */
static void
die_at(uint32_t busy)
{
    rig.region->hand.busy = busy;
    quarantine_judge(rig.region, &rig.ingest, ingest_resume(&rig.ingest),
                     &(struct quarantine_opts){.crashed = true, .fd = rig.file});
    ck_assert_int_eq(store_recover(&rig.plot.map, 0), 0);
}

static const char *
saved(void)
{
    static char text[65536];
    ssize_t n = pread(rig.file, text, sizeof(text) - 1, 0);

    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    return text;
}

START_TEST(test_second_death)
{
    set_up();
    die_at(1);
    ck_assert_uint_eq(rig.region->hand.skipped, 0);
    ck_assert_uint_eq(rig.region->stats.quarantined, 0);
    ck_assert_str_eq(saved(), "");
    die_at(1);
    ck_assert_uint_eq(rig.region->hand.skipped, 2);
    ck_assert_uint_eq(rig.region->stats.quarantined, 1);
    ck_assert_str_eq(saved(), "127.0.0.1:4711 8 00ff613a317c630a\n");
    /* One after the other, each with two deaths of its own. */
    die_at(0);
    ck_assert_uint_eq(rig.region->hand.skipped, 2);
    die_at(0);
    die_at(2);
    die_at(2);
    ck_assert_uint_eq(rig.region->hand.skipped, 7);
    ck_assert_uint_eq(rig.region->stats.quarantined, 3);
    ck_assert_str_eq(saved(), "127.0.0.1:4711 8 00ff613a317c630a\n"
                              "127.0.0.1:4711 9 66697273743a317c63\n"
                              "127.0.0.1:4711 0 \n");
    tear_down();
}
END_TEST

/* Deaths at others in between, and at the same place of another hand, are no second ones. */
START_TEST(test_deaths_apart)
{
    set_up();
    die_at(1);
    die_at(0);
    die_at(1);
    die_at(2);
    rig.region->hand.serial++;
    die_at(2);
    ck_assert_uint_eq(rig.region->stats.quarantined, 0);
    ck_assert_uint_eq(rig.region->hand.skipped, 0);
    die_at(2);
    ck_assert_uint_eq(rig.region->stats.quarantined, 1);
    tear_down();
}
END_TEST

/* With nothing in hand, no datagram is to blame. */
START_TEST(test_nothing_in_hand)
{
    set_up();
    rig.region->hand.filled = 0;
    for (int i = 0; i < 5; i++)
        die_at(0);
    rig.region->hand.filled = 1;
    for (int i = 0; i < 5; i++)
        die_at(3); /* there are three */
    ck_assert_uint_eq(rig.region->stats.quarantined, 0);
    ck_assert_uint_eq(rig.region->hand.skipped, 0);
    ck_assert_str_eq(saved(), "");
    tear_down();
}
END_TEST

START_TEST(test_files)
{
    static char bytes[20000];
    size_t len;

    set_up();
    memset(bytes, 'x', sizeof(bytes));
    plot_receive(&rig.plot, bytes, sizeof(bytes), false);
    die_at(3);
    die_at(3);
    len = strlen(saved());
    ck_assert_uint_gt(len, 2 * 8192);
    ck_assert_uint_lt(len, 2 * 8192 + 40); /* as much of it as tells what it was */
    ck_assert_int_eq(strncmp(saved(), "127.0.0.1:4711 20000 7878", 25), 0);
    ck_assert_int_eq(saved()[len - 1], '\n');
    /* A full file is left as it is, and none is fine. */
    ck_assert_int_eq(ftruncate(rig.file, (1 << 20) + 1), 0);
    die_at(1);
    die_at(1);
    ck_assert_int_eq(lseek(rig.file, 0, SEEK_END), (1 << 20) + 1);
    close(rig.file);
    rig.file = -1;
    die_at(0);
    die_at(0);
    ck_assert_uint_eq(rig.region->stats.quarantined, 3);
    ck_assert_uint_eq(rig.region->hand.skipped, 8 + 2 + 1);
    tear_down();
}
END_TEST

static const char *
logged_of(uint32_t busy)
{
    static char text[4096];
    FILE *file = tmpfile();
    int before = dup(STDERR_FILENO);
    size_t len;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(dup2(fileno(file), STDERR_FILENO), 0);
    log_init(LOG_TO_STDERR, LOG_WARNING);
    die_at(busy);
    die_at(busy);
    log_init(LOG_TO_STDERR, LOG_ERR);
    dup2(before, STDERR_FILENO);
    close(before);
    rewind(file);
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    fclose(file);
    return text;
}

/* In hex, with its sender: nothing that it holds can be taken for something else. */
START_TEST(test_log)
{
    const char *text;
    char bytes[100];

    set_up();
    memset(bytes, 'z', sizeof(bytes));
    plot_receive(&rig.plot, bytes, sizeof(bytes), false);
    text = logged_of(1);
    ck_assert_ptr_nonnull(strstr(text, "a datagram of 8 bytes from 127.0.0.1:4711"));
    ck_assert_ptr_nonnull(strstr(text, ": 00ff613a317c630a\n"));
    text = logged_of(3);
    ck_assert_ptr_nonnull(strstr(text, "100 bytes"));
    ck_assert_ptr_nonnull(strstr(text, "7a7a..."));
    tear_down();
}
END_TEST

/* Whoever dies while a datagram is set aside: it is counted when it is left out, and only then. */
static struct {
    struct plot copy;
    unsigned n_before, n_after;
} cut;

static void
look(void)
{
    *cut.copy.region = *rig.region;
    if (store_recover(&cut.copy.map, 0) != 0)
        ck_abort_msg("not sound");
    if (cut.copy.region->hand.skipped == 0 && cut.copy.region->stats.quarantined == 0)
        cut.n_before++;
    else if (cut.copy.region->hand.skipped == 2 && cut.copy.region->stats.quarantined == 1)
        cut.n_after++;
    else
        ck_abort_msg("half of it");
}

static void
act(void)
{
    quarantine_judge(rig.region, &rig.ingest, 3,
                     &(struct quarantine_opts){.crashed = true, .fd = -1});
}

START_TEST(test_cut_off)
{
    set_up();
    plot_open(&cut.copy, 100);
    cut.n_before = cut.n_after = 0;
    die_at(1);
    stepped_run(act, look, rig.region, rig.plot.table.arena.size);
    ck_assert_uint_gt(cut.n_before, 5);
    look();
    ck_assert_uint_eq(cut.n_after, 1);
    plot_close(&cut.copy);
    tear_down();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("quarantine");
    TCase *tcase = tcase_create("quarantine");
    SRunner *runner;
    int n_failed;

    log_init(LOG_TO_STDERR, LOG_ERR);
    tcase_add_test(tcase, test_second_death);
    tcase_add_test(tcase, test_deaths_apart);
    tcase_add_test(tcase, test_nothing_in_hand);
    tcase_add_test(tcase, test_files);
    tcase_add_test(tcase, test_log);
    tcase_add_test(tcase, test_cut_off);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
