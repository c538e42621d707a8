/*
 * check_store: what a process finds that opens what another has left: the same, or nothing.
 */
#include "worker/store.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plot.h"
#include "stepped.h"

static struct rig {
    struct store_opts opts;
    struct store_map map;
} rig;

static const struct store_state some_state = {
    .phase = STORE_SENDING,
    .number = 41,
    .flush = 43,
    .open = {.end_ms = 1700000010000, .span_ms = 10000},
    .closed = {.end_ms = 1700000000000, .span_ms = 30000},
    .overruns = 2,
};

static void
set_up(size_t n_regions)
{
    rig = (struct rig){
        .opts = {.fd = plot_file(), .n_regions = n_regions, .memory = 8 << 20},
    };
}

static void
tear_down(void)
{
    store_close(&rig.map);
    close(rig.opts.fd);
}

static enum store_outcome
open_store(void)
{
    enum store_outcome outcome = 99;

    store_close(&rig.map);
    ck_assert_int_eq(store_open(&rig.map, &rig.opts, &outcome), 0);
    return outcome;
}

/* A store that has a state. */
static void
make_store(void)
{
    open_store();
    store_settled(rig.map.store);
    store_set(rig.map.store, &some_state);
}

static void
assert_state(const struct store_state *want)
{
    ck_assert_int_eq(memcmp(&rig.map.store->state, want, offsetof(struct store_state, check)), 0);
}

static void
assert_new(void)
{
    const struct store_state none = {0};

    assert_state(&none);
    ck_assert_uint_ne(rig.map.store->epoch, 0);
    ck_assert_uint_eq(rig.map.store->adopting, 0);
    ck_assert_uint_eq(rig.map.store->n_failed, 0);
    for (size_t i = 0; i < rig.opts.n_regions; i++) {
        struct store_region zero = {0};

        ck_assert_int_eq(memcmp(store_region(&rig.map, i), &zero, sizeof(zero)), 0);
    }
}

START_TEST(test_fresh)
{
    struct arena_opts first, second;

    set_up(3);
    ck_assert_int_eq(open_store(), STORE_FRESH);
    assert_new();
    ck_assert_uint_eq(rig.map.floor_ms, 0);
    store_arena_opts(&rig.map, 0, &first);
    store_arena_opts(&rig.map, 2, &second);
    ck_assert_uint_ge(first.size, rig.opts.memory / 3 + first.reserved);
    ck_assert_uint_ge(first.reserved, sizeof(struct store_region) + HAND_SLOTS);
    ck_assert_int_eq(second.offset - first.offset, 2 * (off_t)first.size);
    ck_assert_uint_le((size_t)second.offset + second.size, rig.map.size);
    ck_assert_ptr_eq(first.undo, &store_region(&rig.map, 0)->undo);
    memset((char *)store_region(&rig.map, 2) + second.reserved, 1, 4096);
    tear_down();
}
END_TEST

START_TEST(test_adopted)
{
    struct store head;

    set_up(2);
    make_store();
    store_region(&rig.map, 1)->stats.lines = 7;
    head = *rig.map.store;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(open_store(), STORE_ADOPTED);
        assert_state(&some_state);
        ck_assert_uint_eq(rig.map.store->epoch, head.epoch);
        ck_assert_int_eq(memcmp(&rig.map.store->key, &head.key, sizeof(head.key)), 0);
        ck_assert_uint_eq(rig.map.floor_ms, some_state.open.end_ms);
        ck_assert_uint_eq(store_region(&rig.map, 1)->stats.lines, 7);
        store_settled(rig.map.store);
    }
    tear_down();
}
END_TEST

/* Two stores are never taken for one another. */
START_TEST(test_epochs_and_keys_differ)
{
    struct store head;

    set_up(1);
    open_store();
    head = *rig.map.store;
    ck_assert_int_eq(store_reset(&rig.map), 0);
    ck_assert_uint_ne(rig.map.store->epoch, head.epoch);
    ck_assert_int_ne(memcmp(&rig.map.store->key, &head.key, sizeof(head.key)), 0);
    tear_down();
}
END_TEST

/* What comes back is empty, but for the highest timestamp that may have been used. */
START_TEST(test_other_settings)
{
    static const struct {
        size_t n_regions, n_regions_then, memory_then;
        enum store_outcome outcome;
    } rows[] = {
        {1, 1, 8 << 20, STORE_ADOPTED},  {1, 1, 16 << 20, STORE_ADOPTED},
        {1, 1, 4 << 20, STORE_ADOPTED}, /* as long as it has room for what is there */
        {1, 2, 8 << 20, STORE_FOREIGN},  {2, 1, 8 << 20, STORE_FOREIGN},
        {2, 2, 16 << 20, STORE_FOREIGN}, {3, 2, 8 << 20, STORE_FOREIGN},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set_up(rows[i].n_regions);
        make_store();
        rig.opts.n_regions = rows[i].n_regions_then;
        rig.opts.memory = rows[i].memory_then;
        ck_assert_msg(open_store() == rows[i].outcome, "row %zu", i);
        ck_assert_uint_eq(rig.map.floor_ms, some_state.open.end_ms);
        if (rows[i].outcome == STORE_ADOPTED)
            assert_state(&some_state);
        else
            assert_new();
        tear_down();
    }
}
END_TEST

/* All of a larger MEMORY_LIMIT can be had. */
START_TEST(test_memory_grown)
{
    struct arena_opts arena;
    struct stat status;

    set_up(1);
    make_store();
    rig.opts.memory = 16 << 20;
    ck_assert_int_eq(open_store(), STORE_ADOPTED);
    store_arena_opts(&rig.map, 0, &arena);
    ck_assert_uint_ge(arena.size, arena.reserved + (16 << 20));
    memset((char *)store_region(&rig.map, 0) + arena.reserved, 1, 16 << 20);
    ck_assert_int_eq(fstat(rig.opts.fd, &status), 0);
    ck_assert_int_ge(status.st_size, (off_t)rig.map.size);
    assert_state(&some_state);
    tear_down();
}
END_TEST

/* Whatever file it is. */
START_TEST(test_no_store)
{
    static const size_t sizes[] = {1, 7, 100, 4096, 8192, 1 << 20};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char *bytes = malloc(sizes[i]);

        set_up(1);
        memset(bytes, 'x', sizes[i]);
        ck_assert_int_eq((int)pwrite(rig.opts.fd, bytes, sizes[i], 0), (int)sizes[i]);
        free(bytes);
        ck_assert_int_eq(open_store(), STORE_FOREIGN);
        assert_new();
        ck_assert_uint_eq(rig.map.floor_ms, 0);
        tear_down();
    }
}
END_TEST

/* Cut short, it is no store, or one whose regions are empty; no access is out of the file. */
START_TEST(test_cut_short)
{
    set_up(1);
    make_store();
    for (off_t size = (off_t)rig.map.size - 1; size > 0; size = size * 2 / 3) {
        /* What is to be taken back lies behind its end. */
        undo_note(&rig.map.store->undo, (char *)rig.map.store + rig.map.size - 8, 8);
        ck_assert_int_eq(ftruncate(rig.opts.fd, size), 0);
        ck_assert_int_ne(open_store(), STORE_FRESH);
        memset(store_region(&rig.map, 0), 1, 1 << 16);
        ck_assert_int_eq(store_reset(&rig.map), 0);
        make_store();
    }
    tear_down();
}
END_TEST

/* Who dies before all is made has made nothing. */
START_TEST(test_not_settled)
{
    set_up(1);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(open_store(), i == 0 ? STORE_FRESH : STORE_BROKEN);
        assert_new();
    }
    store_settled(rig.map.store);
    ck_assert_int_eq(open_store(), STORE_ADOPTED);
    tear_down();
}
END_TEST

/* Deaths of themselves while they took over: c; of others' doing: k; s: it went well. */
START_TEST(test_failed_adoptions)
{
    static const struct {
        const char *deaths;
        bool broken;
    } rows[] = {
        {"", false},      {"c", false},     {"cc", true},  {"kkkkkkkk", false}, {"ckkkc", true},
        {"cscsc", false}, {"ckskc", false}, {"scc", true}, {"kc", false},       {"kcc", true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set_up(1);
        make_store();
        for (const char *death = rows[i].deaths; *death != '\0'; death++) {
            ck_assert_msg(open_store() == STORE_ADOPTED, "row %zu", i);
            if (*death == 's')
                store_settled(rig.map.store);
            rig.opts.crashed = *death == 'c';
        }
        ck_assert_msg(open_store() == (rows[i].broken ? STORE_BROKEN : STORE_ADOPTED), "row %zu",
                      i);
        ck_assert_uint_eq(rig.map.floor_ms, some_state.open.end_ms);
        if (rows[i].broken)
            assert_new();
        tear_down();
    }
}
END_TEST

/* A state is the one before or the next, wherever its writer dies. */
static struct {
    struct store_state next;
    int fd; /* of a copy of the store */
    unsigned n_before, n_after;
} change;

static void
change_state(void)
{
    store_set(rig.map.store, &change.next);
}

static void
look_at_state(void)
{
    const size_t len = offsetof(struct store_state, check);
    struct store_opts opts = rig.opts;
    struct store_map map;
    enum store_outcome outcome;

    opts.fd = change.fd;
    ck_assert_int_eq((int)pwrite(change.fd, rig.map.store, sizeof(struct store), 0),
                     (int)sizeof(struct store));
    ck_assert_int_eq(store_open(&map, &opts, &outcome), 0);
    ck_assert_int_eq(outcome, STORE_ADOPTED);
    if (memcmp(&map.store->state, &some_state, len) == 0)
        change.n_before++;
    else if (memcmp(&map.store->state, &change.next, len) == 0)
        change.n_after++;
    else
        ck_abort_msg("neither state");
    store_close(&map);
}

START_TEST(test_state_changes_at_once)
{
    set_up(1);
    make_store();
    change.next = (struct store_state){
        .phase = STORE_CLEARING,
        .number = 42,
        .flush = 44,
        .open = {.end_ms = 1, .span_ms = 2},
        .closed = {.end_ms = 3, .span_ms = 4},
        .overruns = 5,
    };
    change.fd = plot_file();
    ck_assert_int_eq(ftruncate(change.fd, (off_t)rig.map.size), 0);
    change.n_before = change.n_after = 0;
    stepped_run(change_state, look_at_state, rig.map.store, 8192);
    assert_state(&change.next);
    ck_assert_uint_gt(change.n_before, 5);
    ck_assert_uint_eq(change.n_after, 0); /* the last store is what changes it */
    look_at_state();
    ck_assert_uint_eq(change.n_after, 1);
    close(change.fd);
    tear_down();
}
END_TEST

/* One bit of the head turns over: what is then taken for sound is what was there. Of a change that
 * was being made (1), too. */
START_TEST(test_bit_flips)
{
    struct store head;
    unsigned n_broken = 0, n_adopted = 0;

    set_up(1);
    make_store();
    if (_i == 1) {
        undo_note(&rig.map.store->undo, &rig.map.store->state, sizeof(struct store_state));
        rig.map.store->state.flush = 99;
    }
    head = *rig.map.store;
    for (size_t i = 0; i < sizeof(head); i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            *rig.map.store = head;
            ((uint8_t *)rig.map.store)[i] ^= (uint8_t)(1u << bit);
            if (open_store() != STORE_ADOPTED) {
                n_broken++;
                assert_new();
                continue;
            }
            n_adopted++;
            assert_state(&some_state);
            ck_assert_int_eq(memcmp(rig.map.store, &head, offsetof(struct store, adopting)), 0);
            ck_assert_uint_eq(rig.map.floor_ms, some_state.open.end_ms);
            ck_assert_uint_eq(rig.map.store->undo.word, 0);
        }
    }
    ck_assert_uint_gt(n_broken, 800);
    ck_assert_uint_gt(n_adopted, 8 * (UNDO_LOG - 200));
    tear_down();
}
END_TEST

/* A region that is sound. */
static struct store_region *
make_region(void)
{
    struct store_region *region;

    set_up(1);
    make_store();
    region = store_region(&rig.map, 0);
    region->stats.lines = 1;
    region->closed.packets = 2;
    region->total.bytes = 3;
    region->stats_check = selfstat_check(&region->stats);
    region->closed_check = selfstat_check(&region->closed);
    region->total_check = selfstat_check(&region->total);
    return region;
}

START_TEST(test_recover_takes_back)
{
    struct store_region *region = make_region();

    undo_note(&region->undo, &region->stats, 2 * sizeof(region->stats));
    region->stats.lines = 8;
    region->closed.lines = 9;
    undo_note(&region->undo, &region->hand.at, 8);
    region->hand.at = 60;
    ck_assert_int_eq(store_recover(&rig.map, 0), 0);
    ck_assert_uint_eq(region->stats.lines, 1);
    ck_assert_uint_eq(region->closed.lines, 0);
    ck_assert_uint_eq(region->hand.at, 0);
    /* What is not its own is no note. */
    undo_note(&region->undo, rig.map.store, 8);
    ck_assert_int_eq(store_recover(&rig.map, 0), -EBADMSG);
    tear_down();
}
END_TEST

START_TEST(test_recover_bit_flips)
{
    struct store_region *region = make_region();
    uint8_t *stats = (uint8_t *)&region->stats;

    for (size_t i = 0; i < 3 * sizeof(region->stats) + 3 * sizeof(uint32_t); i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            stats[i] ^= (uint8_t)(1u << bit);
            ck_assert_int_eq(store_recover(&rig.map, 0), -EBADMSG);
            stats[i] ^= (uint8_t)(1u << bit);
        }
    }
    ck_assert_int_eq(store_recover(&rig.map, 0), 0);
    for (unsigned bit = 0; bit < 64; bit++) {
        region->undo.word ^= UINT64_C(1) << bit;
        ck_assert_int_eq(store_recover(&rig.map, 0), -EBADMSG);
        region->undo.word = 0;
    }
    tear_down();
}
END_TEST

START_TEST(test_recover_hands)
{
    static const struct {
        uint32_t filled, busy, at, offset, n_applied;
        uint8_t verdict; /* the last one's */
        bool sound;
    } rows[] = {
        {1, 63, 64, HAND_DATAGRAM_MAX + 1, 0, 0, true},
        {2, 0, 0, 0, 0, 0, false},
        {1, 64, 0, 0, 0, 0, false},
        {1, 0, 65, 0, 0, 0, false},
        {1, 0, 0, HAND_DATAGRAM_MAX + 2, 0, 0, false},
        {1, 0, 0, 0, HAND_LINES, TABLE_OVERFLOW, true},
        {1, 0, 0, 0, HAND_LINES, TABLE_VERDICT_COUNT, false},
        {1, 0, 0, 0, HAND_LINES, HAND_BAD | (PARSE_ERROR_COUNT - 1), true},
        {1, 0, 0, 0, HAND_LINES, HAND_BAD | PARSE_ERROR_COUNT, false},
        {1, 0, 0, 0, HAND_LINES + 1, 0, false},
        {1, 0, 0, 0, HAND_LINES - 1, 0xff, true}, /* one behind them is nobody's */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct store_region *region = make_region();
        struct hand *hand = &region->hand;

        hand->filled = rows[i].filled;
        hand->busy = rows[i].busy;
        hand->at = rows[i].at;
        hand->offset = rows[i].offset;
        hand->verdicts[HAND_LINES - 1] = rows[i].verdict;
        undo_commit_to(&region->undo, rows[i].n_applied);
        ck_assert_msg(store_recover(&rig.map, 0) == (rows[i].sound ? 0 : -EBADMSG), "row %zu", i);
        tear_down();
    }
}
END_TEST

START_TEST(test_no_file)
{
    enum store_outcome outcome;

    set_up(1);
    close(rig.opts.fd);
    rig.opts.fd = -1;
    ck_assert_int_eq(store_open(&rig.map, &rig.opts, &outcome), -EBADF);
    store_close(&rig.map);
    store_close(&rig.map); /* once more does no harm */
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store");
    TCase *tcase = tcase_create("store");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_fresh);
    tcase_add_test(tcase, test_adopted);
    tcase_add_test(tcase, test_epochs_and_keys_differ);
    tcase_add_test(tcase, test_other_settings);
    tcase_add_test(tcase, test_memory_grown);
    tcase_add_test(tcase, test_no_store);
    tcase_add_test(tcase, test_cut_short);
    tcase_add_test(tcase, test_not_settled);
    tcase_add_test(tcase, test_failed_adoptions);
    tcase_add_test(tcase, test_state_changes_at_once);
    tcase_add_loop_test(tcase, test_bit_flips, 0, 2);
    tcase_add_test(tcase, test_recover_takes_back);
    tcase_add_test(tcase, test_recover_bit_flips);
    tcase_add_test(tcase, test_recover_hands);
    tcase_add_test(tcase, test_no_file);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
