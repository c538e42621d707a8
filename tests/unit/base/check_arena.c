/*
 * check_arena: blocks apart from each other, reuse, piles, and the ceiling; then the same over a
 * file, which may have no memory to give.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

static struct arena arena;

static void
open_arena(void)
{
    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 1 << 20}), 0);
}

static void
close_arena(void)
{
    arena_release(&arena);
}

START_TEST(test_sizes_are_rounded_to_classes)
{
    static const struct {
        size_t size, rounded;
    } rows[] = {
        {0, 16},      {1, 16},      {16, 16},       {17, 32},        {32, 32},
        {1000, 1008}, {1009, 1024}, {1024, 1024},   {1025, 2048},    {2048, 2048},
        {2049, 4096}, {4097, 8192}, {65536, 65536}, {65537, 131072},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        arena_ref ref = arena_take(&arena, rows[i].size);

        ck_assert_msg(ref != 0, "row %zu", i);
        ck_assert_msg(arena.used == rows[i].rounded, "row %zu: %zu", i, arena.used);
        arena_give(&arena, ref, rows[i].size);
        ck_assert_uint_eq(arena.used, 0);
    }
}
END_TEST

START_TEST(test_blocks_do_not_overlap)
{
    arena_ref refs[200];

    for (size_t i = 0; i < 200; i++) {
        refs[i] = arena_take(&arena, i * 11);
        ck_assert_uint_ne(refs[i], 0);
        memset(arena_at(&arena, refs[i]), (int)(i + 1), i * 11);
    }
    for (size_t i = 0; i < 200; i++) {
        const uint8_t *block = arena_at(&arena, refs[i]);

        ck_assert_uint_eq((uintptr_t)block % ARENA_UNIT, 0);
        for (size_t n = 0; n < i * 11; n++)
            ck_assert_uint_eq(block[n], i + 1);
    }
}
END_TEST

START_TEST(test_given_blocks_are_taken_again)
{
    arena_ref refs[3];
    size_t frontier;

    for (size_t i = 0; i < 3; i++)
        refs[i] = arena_take(&arena, 100);
    frontier = arena.frontier;
    for (size_t i = 0; i < 3; i++)
        arena_give(&arena, refs[i], 100);
    for (size_t i = 0; i < 3; i++) { /* the last one given, still in the cache, comes first */
        arena_ref ref = arena_take(&arena, 97 + i * 7);

        ck_assert_uint_eq(ref, refs[2 - i]);
    }
    ck_assert_uint_eq(arena.frontier, frontier);
    ck_assert_uint_ne(arena_take(&arena, 100), 0);
    ck_assert_uint_gt(arena.frontier, frontier);
}
END_TEST

START_TEST(test_classes_do_not_mix)
{
    static const size_t sizes[] = {16, 32, 1008, 1024, 1025, 2049, 4097};
    arena_ref refs[7];

    for (size_t i = 0; i < 7; i++)
        refs[i] = arena_take(&arena, sizes[i]);
    for (size_t i = 0; i < 7; i++)
        arena_give(&arena, refs[i], sizes[i]);
    for (size_t i = 7; i-- > 0;)
        ck_assert_uint_eq(arena_take(&arena, sizes[i]), refs[i]);
}
END_TEST

START_TEST(test_ceiling)
{
    static const size_t sizes[] = {1, 16, 100, 1024, 1025, 30000};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct arena small;
        arena_ref ref, last = 0;
        size_t n = 0, used;

        ck_assert_int_eq(arena_init(&small, &(struct arena_opts){.size = 100000}), 0);
        for (; (ref = arena_take(&small, sizes[i])) != 0; n++) {
            memset(arena_at(&small, ref), 0xaa, sizes[i]); /* up to the last byte */
            last = ref;
        }
        used = small.used;
        ck_assert_uint_le(used, small.size);
        ck_assert_uint_le(small.frontier, small.size);
        ck_assert_uint_eq(used % n, 0);
        ck_assert_uint_lt(small.size - small.frontier, used / n); /* no room was refused */
        ck_assert_uint_eq(arena_take(&small, sizes[i]), 0);
        ck_assert_uint_eq(small.used, used);
        arena_give(&small, last, sizes[i]);
        ck_assert_uint_eq(arena_take(&small, sizes[i]), last);
        arena_release(&small);
    }
}
END_TEST

/* Takes blocks of size until there are no more; how many. */
static size_t
take_all(size_t size, arena_ref *refs, size_t max)
{
    size_t n = 0;

    while (n < max && (refs[n] = arena_take(&arena, size)) != 0)
        n++;
    return n;
}

START_TEST(test_a_large_block_serves_small_ones)
{
    static arena_ref refs[1 << 16];
    arena_ref large = arena_take(&arena, 64 << 10);
    size_t n, again;

    n = take_all(16, refs, 1 << 16); /* nothing else is left */
    arena_give(&arena, large, 64 << 10);
    again = take_all(100, refs + n, (1 << 16) - n);
    ck_assert_uint_ge(again, (64 << 10) / 112 - 16); /* a little is left of each piece */
    for (size_t i = 0; i < again; i++)
        ck_assert(refs[n + i] >= large && refs[n + i] + 7 <= large + (64 << 10) / 16);
    ck_assert_uint_le(arena.used, arena.size);
}
END_TEST

START_TEST(test_small_blocks_are_joined)
{
    static arena_ref refs[1 << 16];
    size_t n = take_all(16, refs, 1 << 16), frontier = arena.frontier;

    ck_assert(arena.is_starved == false); /* it is full, not starved */
    for (size_t i = 1; i < n; i++)
        arena_give(&arena, refs[i], 16);
    arena_join(&arena); /* not asked for yet */
    ck_assert_uint_eq(arena.frontier, frontier);
    ck_assert_uint_eq(arena_take(&arena, 512 << 10), 0);
    ck_assert(arena.is_starved);
    arena_join(&arena);
    ck_assert(!arena.is_starved);
    ck_assert_uint_lt(arena.frontier, frontier);
    ck_assert_uint_ne(arena_take(&arena, 512 << 10), 0);
    ck_assert_uint_eq(arena.used, 16 + (512 << 10));
}
END_TEST

/* Blocks of all sizes come and go; whatever is joined meanwhile, each keeps what is in it, and in
 * the end all memory is one again. */
START_TEST(test_joining_leaves_taken_blocks_alone)
{
    static struct {
        arena_ref ref;
        size_t size;
    } blocks[1500];
    size_t n_joined = 0;

    srandom(1);
    for (size_t step = 0; step < 12000; step++) {
        size_t i = (size_t)random() % 1500,
               size = 1 + (size_t)random() % (random() % 8 ? 300 : 12000);

        if (blocks[i].ref != 0) {
            const uint8_t *bytes = arena_at(&arena, blocks[i].ref);
            size_t same = 0;

            while (same < blocks[i].size && bytes[same] == (uint8_t)i)
                same++;
            ck_assert_uint_eq(same, blocks[i].size);
            arena_give(&arena, blocks[i].ref, blocks[i].size);
            blocks[i].ref = 0;
            continue;
        }
        blocks[i].ref = arena_take(&arena, size);
        blocks[i].size = size;
        if (blocks[i].ref != 0)
            memset(arena_at(&arena, blocks[i].ref), (int)i, size);
        if (random() % 16 == 0) {
            n_joined += arena.is_starved;
            arena_join(&arena);
        }
    }
    ck_assert_uint_gt(n_joined, 10);
    for (size_t i = 0; i < 1500; i++) {
        if (blocks[i].ref != 0)
            arena_give(&arena, blocks[i].ref, blocks[i].size);
    }
    ck_assert_uint_eq(arena.used, 0);
    arena.is_starved = true;
    arena_join(&arena);
    ck_assert_uint_eq(arena.frontier, ARENA_UNIT);
}
END_TEST

START_TEST(test_sizes_that_no_arena_has)
{
    static const size_t sizes[] = {1 << 20,   (1 << 20) + 1, 1UL << 36,
                                   1UL << 63, SIZE_MAX - 15, SIZE_MAX};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        ck_assert_uint_eq(arena_take(&arena, sizes[i]), 0);
    ck_assert_uint_eq(arena.used, 0);
    ck_assert_uint_ne(arena_take(&arena, 1 << 19), 0);
}
END_TEST

START_TEST(test_init_and_release)
{
    struct arena other = {0};

    arena_release(&other);
    ck_assert_int_eq(arena_init(&other, &(struct arena_opts){.size = 0}), -EINVAL);
    ck_assert_int_eq(arena_init(&other, &(struct arena_opts){.size = 15}), -EINVAL);
    ck_assert_int_eq(arena_init(&other, &(struct arena_opts){.size = (1UL << 36) + 16}), -EINVAL);
    ck_assert_int_eq(arena_init(&other, &(struct arena_opts){.size = SIZE_MAX}), -EINVAL);
    ck_assert_ptr_null(other.base);

    ck_assert_int_eq(arena_init(&other, &(struct arena_opts){.size = 47}), 0);
    ck_assert_uint_eq(other.size, 32);
    ck_assert_uint_eq(arena_take(&other, 17), 0);
    ck_assert_uint_eq(arena_take(&other, 16), 1);
    ck_assert_uint_eq(arena_take(&other, 0), 0);
    arena_release(&other);
    ck_assert_ptr_null(other.base);
    arena_release(&other);
}
END_TEST

/* 64 GiB of addresses cost nothing, and the last of them has a reference. */
START_TEST(test_largest)
{
    struct arena large;
    arena_ref ref;

    if (arena_init(&large, &(struct arena_opts){.size = 1UL << 36}) != 0)
        return; /* addresses are limited here (RLIMIT_AS, overcommit) */
    large.frontier = large.size - ARENA_UNIT;
    ref = arena_take(&large, 16);
    ck_assert_uint_eq(ref, UINT32_MAX);
    memset(arena_at(&large, ref), 1, 16);
    ck_assert_uint_eq(arena_take(&large, 16), 0);
    arena_give(&large, ref, 16);
    ck_assert_uint_eq(arena_take(&large, 16), UINT32_MAX);
    arena_release(&large);
}
END_TEST

/* A pile is taken back in one go: what came onto it last is on top again, class by class. */
START_TEST(test_pile_gives_back_in_order)
{
    static const size_t sizes[] = {16, 100, 1024, 5000};
    struct arena_pile pile = {0};
    arena_ref refs[4][3];
    size_t frontier, used;

    for (size_t i = 0; i < 12; i++)
        refs[i % 4][i / 4] = arena_take(&arena, sizes[i % 4]);
    frontier = arena.frontier;
    used = arena.used;
    for (size_t i = 0; i < 12; i++)
        arena_pile_up(&arena, &pile, refs[i % 4][i / 4], sizes[i % 4]);
    ck_assert_uint_eq(arena.used, used); /* until it is taken back */
    ck_assert_uint_eq(pile.size, used);
    arena_take_back(&arena, &pile);
    ck_assert_uint_eq(arena.used, 0);
    ck_assert_uint_eq(pile.size, 0);
    for (size_t i = 12; i-- > 0;)
        ck_assert_uint_eq(arena_take(&arena, sizes[i % 4]), refs[i % 4][i / 4]);
    ck_assert_uint_eq(arena.frontier, frontier);
    ck_assert_uint_eq(arena.used, used);
}
END_TEST

/* What was given before the pile is still there below it. */
START_TEST(test_pile_on_top_of_what_was_given)
{
    struct arena_pile pile = {0};
    arena_ref refs[4];
    size_t frontier;

    for (size_t i = 0; i < 4; i++)
        refs[i] = arena_take(&arena, 64);
    frontier = arena.frontier;
    arena_give(&arena, refs[0], 64);
    arena_pile_up(&arena, &pile, refs[1], 64);
    ck_assert_uint_eq(arena_take(&arena, 64), refs[0]); /* a pile is not for taking */
    arena_give(&arena, refs[0], 64);
    arena_pile_up(&arena, &pile, refs[2], 64);
    arena_take_back(&arena, &pile);
    arena_pile_up(&arena, &pile, refs[3], 64); /* emptied, it serves again */
    arena_take_back(&arena, &pile);
    for (size_t i = 4; i-- > 0;)
        ck_assert_uint_eq(arena_take(&arena, 64), refs[i]);
    ck_assert_uint_eq(arena.frontier, frontier);
    ck_assert_uint_eq(arena.used, 4 * 64);
}
END_TEST

START_TEST(test_empty_pile)
{
    struct arena_pile pile = {0};
    arena_ref ref = arena_take(&arena, 16);

    arena_take_back(&arena, &pile);
    ck_assert_uint_eq(arena.used, 16);
    arena_give(&arena, ref, 16);
    arena_take_back(&arena, &pile);
    ck_assert_uint_eq(arena_take(&arena, 16), ref);
}
END_TEST

START_TEST(test_piling_up_nothing_is_a_bug)
{
    struct arena_pile pile = {0};

    arena_pile_up(&arena, &pile, 0, 16);
}
END_TEST

START_TEST(test_giving_nothing_is_a_bug)
{
    arena_give(&arena, 0, 16);
}
END_TEST

START_TEST(test_giving_twice_is_a_bug)
{
    arena_ref ref = arena_take(&arena, 16);

    arena_give(&arena, ref, 16);
    arena_give(&arena, ref, 16);
}
END_TEST

#define FILE_SIZE ((size_t)8 << 20)
#define RESERVED  ((size_t)3 * ARENA_PAGE)
#define STEP      ((size_t)1 << 20)

static struct arena_opts file_opts;

/* A file whose first page is somebody else's, and the arena's own reserved ones behind it. */
static void
open_file(void)
{
    int fd = memfd_create("arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    void *memory;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)(ARENA_PAGE + FILE_SIZE)), 0);
    ck_assert_int_eq(fallocate(fd, 0, 0, (off_t)(ARENA_PAGE + RESERVED)), 0);
    memory = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, ARENA_PAGE);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    file_opts = (struct arena_opts){
        .size = FILE_SIZE, .memory = memory, .reserved = RESERVED, .fd = fd, .offset = ARENA_PAGE};
    ck_assert_int_eq(arena_init(&arena, &file_opts), 0);
}

static void
close_file(void)
{
    arena_release(&arena);
    ck_assert_int_eq(munmap(file_opts.memory, FILE_SIZE), 0);
    ck_assert_int_eq(close(file_opts.fd), 0);
}

/* Bytes that the file really has, but for what was there before the arena. */
static size_t
file_has(void)
{
    struct stat status;

    ck_assert_int_eq(fstat(file_opts.fd, &status), 0);
    return (size_t)status.st_blocks * 512 - ARENA_PAGE - RESERVED;
}

static void
check_backed(size_t expected)
{
    ck_assert_uint_eq(arena_backed(&arena), expected);
    ck_assert_uint_eq((uint32_t)arena.backed, (uint32_t) ~(arena.backed >> 32));
}

START_TEST(test_file_grows_in_steps)
{
    size_t n_blocks = 0;

    check_backed(RESERVED);
    ck_assert_uint_eq(file_has(), 0);
    for (arena_ref ref; (ref = arena_take(&arena, 5000)) != 0; n_blocks++) {
        size_t end = (size_t)ref * ARENA_UNIT + 8192;

        ck_assert_uint_ge((size_t)ref * ARENA_UNIT, RESERVED);
        ck_assert_uint_le(end, arena_backed(&arena));
        ck_assert_uint_lt(arena_backed(&arena) - end, STEP);
        memset(arena_at(&arena, ref), 1, 5000);
        check_backed(RESERVED + file_has());
    }
    ck_assert_uint_eq(n_blocks, (FILE_SIZE - RESERVED) / 8192);
    check_backed(FILE_SIZE);
}
END_TEST

START_TEST(test_one_large_step)
{
    arena_ref ref = arena_take(&arena, 3 * STEP);

    ck_assert_uint_ne(ref, 0);
    memset(arena_at(&arena, ref), 1, 3 * STEP);
    check_backed(RESERVED + 4 * STEP);
}
END_TEST

/* Where the file may not grow any more there is no memory: what there is stays, and serves. */
START_TEST(test_file_without_memory)
{
    const size_t limit = ARENA_PAGE + RESERVED + 2 * STEP;
    arena_ref ref = arena_take(&arena, 1000), again;
    size_t n = 0, backed;

    ck_assert_int_eq(ftruncate(file_opts.fd, (off_t)limit), 0);
    ck_assert_int_eq(fcntl(file_opts.fd, F_ADD_SEALS, F_SEAL_GROW), 0);
    while (arena_take(&arena, 1000) != 0)
        n++;
    backed = arena_backed(&arena);
    ck_assert_uint_eq(backed, limit - ARENA_PAGE);
    ck_assert_uint_eq(n + 1, 2 * STEP / 1008);
    check_backed(backed);
    ck_assert_uint_eq(arena_take(&arena, 4 * STEP), 0);
    check_backed(backed);
    arena_give(&arena, ref, 1000);
    again = arena_take(&arena, 1000);
    ck_assert_uint_eq(again, ref);
    memset(arena_at(&arena, again), 1, 1000);
}
END_TEST

/* What is free at the end goes back to the system, behind the word that says so. */
START_TEST(test_pages_go_back)
{
    arena_ref first = arena_take(&arena, 100), large = arena_take(&arena, 4 * STEP);
    size_t before = file_has();

    memset(arena_at(&arena, large), 1, 4 * STEP);
    arena_give(&arena, large, 4 * STEP);
    arena.is_starved = true;
    arena_join(&arena);
    ck_assert_uint_eq(arena.frontier, RESERVED + 112);
    check_backed(RESERVED + ARENA_PAGE);
    ck_assert_uint_eq(file_has(), ARENA_PAGE);
    ck_assert_uint_gt(before, 4 * STEP);
    large = arena_take(&arena, 4 * STEP);
    ck_assert_uint_ne(large, 0);
    ck_assert_uint_eq(*(uint8_t *)arena_at(&arena, large), 0);
    memset(arena_at(&arena, large), 1, 4 * STEP);
    ck_assert_uint_ne(first, large);
}
END_TEST

/* The last page is not whole, but there is memory for all of it. */
START_TEST(test_odd_size)
{
    struct arena other;
    size_t n = 0;

    file_opts.size = RESERVED + 10000;
    ck_assert_int_eq(arena_init(&other, &file_opts), 0);
    for (arena_ref ref; (ref = arena_take(&other, 16)) != 0; n++)
        memset(arena_at(&other, ref), 1, 16);
    ck_assert_uint_eq(n, 10000 / 16);
    ck_assert_uint_eq(arena_backed(&other), RESERVED + arena_whole_pages(10000));
    arena_release(&other);
}
END_TEST

/* What a block that is given back held can be taken back, too. */
START_TEST(test_giving_is_noted)
{
    struct undo *undo = arena_at(&arena, arena_take(&arena, sizeof(*undo)));
    arena_ref ref = arena_take(&arena, 64);

    arena.undo = undo;
    memset(arena_at(&arena, ref), 0x77, 64);
    arena_give(&arena, ref, 64);
    ck_assert_uint_ne(undo->word, 0);
    ck_assert_int_eq(undo_roll_back(undo, arena.base, arena.size), 0);
    for (size_t i = 0; i < 64; i++)
        ck_assert_uint_eq(((uint8_t *)arena_at(&arena, ref))[i], 0x77);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("arena");
    TCase *tcase = tcase_create("arena"), *file = tcase_create("file");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, open_arena, close_arena);
    tcase_add_test(tcase, test_sizes_are_rounded_to_classes);
    tcase_add_test(tcase, test_blocks_do_not_overlap);
    tcase_add_test(tcase, test_given_blocks_are_taken_again);
    tcase_add_test(tcase, test_classes_do_not_mix);
    tcase_add_test(tcase, test_ceiling);
    tcase_add_test(tcase, test_a_large_block_serves_small_ones);
    tcase_add_test(tcase, test_small_blocks_are_joined);
    tcase_add_test(tcase, test_joining_leaves_taken_blocks_alone);
    tcase_add_test(tcase, test_sizes_that_no_arena_has);
    tcase_add_test(tcase, test_init_and_release);
    tcase_add_test(tcase, test_largest);
    tcase_add_test(tcase, test_pile_gives_back_in_order);
    tcase_add_test(tcase, test_pile_on_top_of_what_was_given);
    tcase_add_test(tcase, test_empty_pile);
    tcase_add_test_raise_signal(tcase, test_piling_up_nothing_is_a_bug, SIGABRT);
    tcase_add_test_raise_signal(tcase, test_giving_nothing_is_a_bug, SIGABRT);
    tcase_add_test_raise_signal(tcase, test_giving_twice_is_a_bug, SIGABRT);
    tcase_add_test(tcase, test_giving_is_noted);
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(file, open_file, close_file);
    tcase_add_test(file, test_file_grows_in_steps);
    tcase_add_test(file, test_one_large_step);
    tcase_add_test(file, test_file_without_memory);
    tcase_add_test(file, test_pages_go_back);
    tcase_add_test(file, test_odd_size);
    suite_add_tcase(suite, file);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
