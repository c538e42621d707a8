/*
 * check_survey: of an arena that came through with its file, what is marked stays, all the rest is
 * free, and what cannot be is refused.
 */
#include "base/survey.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE     ((size_t)4 << 20)
#define RESERVED ((size_t)ARENA_PAGE)
#define N_BLOCKS 600

static struct arena_opts opts;
static struct arena arena;

static void
open_file(void)
{
    int fd = memfd_create("survey", MFD_CLOEXEC);
    void *memory;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)SIZE), 0);
    ck_assert_int_eq(fallocate(fd, 0, 0, (off_t)RESERVED), 0);
    memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    opts = (struct arena_opts){.size = SIZE, .memory = memory, .reserved = RESERVED, .fd = fd};
    ck_assert_int_eq(arena_init(&arena, &opts), 0);
}

static void
close_file(void)
{
    arena_release(&arena);
    ck_assert_int_eq(munmap(opts.memory, SIZE), 0);
    ck_assert_int_eq(close(opts.fd), 0);
}

/* The same file at another address, and an arena as it was in another process. */
static void
move(void)
{
    void *before = opts.memory;

    opts.memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, opts.fd, 0);
    ck_assert_ptr_ne(opts.memory, MAP_FAILED);
    ck_assert_int_eq(munmap(before, SIZE), 0);
    memset(arena.free, 0xa5, sizeof(arena.free));
    arena.base = before;
    arena.used = 4711;
    arena.is_starved = true;
}

struct block {
    arena_ref ref;
    size_t size;
};

static void
take_all(struct block *blocks)
{
    srandom(1);
    for (size_t i = 0; i < N_BLOCKS; i++) {
        blocks[i].size = 1 + (size_t)random() % (i % 16 == 0 ? 30000 : 700);
        blocks[i].ref = arena_take(&arena, blocks[i].size);
        if (blocks[i].ref == 0)
            ck_abort_msg("no room for block %zu", i);
        memset(arena_at(&arena, blocks[i].ref), (int)i, blocks[i].size);
    }
}

static void
check_content(const struct block *blocks, size_t i)
{
    const uint8_t *bytes = arena_at(&arena, blocks[i].ref);

    for (size_t n = 0; n < blocks[i].size; n++) {
        if (bytes[n] != (uint8_t)i)
            ck_abort_msg("block %zu, byte %zu", i, n);
    }
}

/* One in three of the blocks is still in use. */
START_TEST(test_what_is_marked_stays)
{
    static struct block blocks[N_BLOCKS];
    struct survey survey;
    size_t used = 0, n = 0;

    take_all(blocks);
    move();
    ck_assert_int_eq(survey_begin(&survey, &arena, &opts), 0);
    for (size_t i = 0; i < N_BLOCKS; i += 3) {
        ck_assert(survey_mark(&survey, blocks[i].ref, blocks[i].size));
        used += arena_rounded(blocks[i].size);
    }
    survey_end(&survey, true);
    ck_assert_uint_eq(arena.used, used);
    ck_assert_ptr_eq(arena.base, opts.memory);
    ck_assert(!arena.is_starved);
    while (arena_take(&arena, 16) != 0) /* all that is free, to the last unit */
        n++;
    ck_assert_uint_eq(RESERVED + used + n * 16, SIZE);
    for (size_t i = 0; i < N_BLOCKS; i += 3)
        check_content(blocks, i);
}
END_TEST

START_TEST(test_nothing_is_marked)
{
    static struct block blocks[N_BLOCKS];
    struct survey survey;

    take_all(blocks);
    move();
    ck_assert_int_eq(survey_begin(&survey, &arena, &opts), 0);
    survey_end(&survey, true);
    ck_assert_uint_eq(arena.used, 0);
    ck_assert_uint_eq(arena.frontier, RESERVED);
    ck_assert_uint_eq(arena_backed(&arena), RESERVED);
    ck_assert_uint_ne(arena_take(&arena, SIZE / 2), 0);
}
END_TEST

/* What is not kept leaves the arena as it was. */
START_TEST(test_given_up)
{
    struct survey survey;
    arena_ref ref = arena_take(&arena, 100);
    size_t frontier = arena.frontier;

    ck_assert_int_eq(survey_begin(&survey, &arena, &opts), 0);
    ck_assert(survey_mark(&survey, ref, 100));
    survey_end(&survey, false);
    ck_assert_uint_eq(arena.frontier, frontier);
    ck_assert_uint_eq(arena.used, 112);
    survey_end(&survey, false);
}
END_TEST

/* A block of 64 bytes stands at the beginning, and all behind it up to the frontier is unused. */
START_TEST(test_marks)
{
    static const struct {
        int64_t offset; /* from the block, in units */
        size_t size;
        bool is_fine;
    } rows[] = {
        {0, 64, false},
        {0, 1, false},
        {3, 16, false},
        {-1, 16, false},
        {-1, 32, false},
        {4, 16, true},
        {4, 16, false},
        {5, 1024, true},
        {5, 1, false},
        {68, 16, false},
        {69, 0, true},
        {69, 0, false},
        {70, 4096, true} /* to the frontier */,
        {326, 16, false},
        {325, 16, false},
        {327, 1, false},
        {1 << 30, 16, false},
        {70, SIZE, false},
        {70, SIZE + 1, false},
        {70, SIZE_MAX, false},
    };
    arena_ref ref = arena_take(&arena, 64);
    struct survey survey;

    arena.frontier += (size_t)(70 - 4) * ARENA_UNIT + 4096;
    ck_assert_int_eq(survey_begin(&survey, &arena, &opts), 0);
    ck_assert(!survey_mark(&survey, 0, 16));
    ck_assert(survey_mark(&survey, ref, 64));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        arena_ref at = (arena_ref)((int64_t)ref + rows[i].offset);

        ck_assert_msg(survey_mark(&survey, at, rows[i].size) == rows[i].is_fine, "row %zu", i);
    }
    survey_end(&survey, false);
}
END_TEST

START_TEST(test_unit_zero_is_no_block)
{
    struct arena_opts whole = opts;
    struct survey survey;
    struct arena other;

    whole.reserved = 0;
    ck_assert_int_eq(arena_init(&other, &whole), 0);
    ck_assert_uint_ne(arena_take(&other, 16), 0);
    ck_assert_int_eq(survey_begin(&survey, &other, &whole), 0);
    ck_assert(!survey_mark(&survey, 0, 16));
    ck_assert(survey_mark(&survey, 1, 16));
    survey_end(&survey, true);
    ck_assert_uint_eq(arena_take(&other, 16), 2);
    arena_release(&other);
}
END_TEST

enum spoilt {
    FRONTIER_HIGH,
    FRONTIER_LOW,
    FRONTIER_ODD,
    BACKED,
    BACKED_HIGH,
    RESERVED_OTHER,
    SIZE_LESS,
    N_SPOILT
};

static void
spoil(enum spoilt how)
{
    switch (how) {
    case FRONTIER_HIGH: arena.frontier = arena_backed(&arena) + ARENA_UNIT; break;
    case FRONTIER_LOW: arena.frontier = RESERVED - ARENA_UNIT; break;
    case FRONTIER_ODD: arena.frontier++; break;
    case BACKED: arena.backed ^= 1; break;
    case BACKED_HIGH: arena.backed = (uint64_t)UINT32_MAX << 32; break;
    case RESERVED_OTHER: arena.reserved += ARENA_PAGE; break;
    default: opts.size = ARENA_PAGE * 2; break;
    }
}

START_TEST(test_struct_that_cannot_be)
{
    struct survey survey;

    ck_assert_uint_ne(arena_take(&arena, 5000), 0);
    spoil((enum spoilt)_i);
    ck_assert_int_eq(survey_begin(&survey, &arena, &opts), -EBADMSG);
    survey_end(&survey, false);
}
END_TEST

/* Who takes over may have more memory. */
START_TEST(test_larger)
{
    struct arena_opts larger = opts;
    struct survey survey;
    arena_ref ref;

    larger.size = SIZE / 2;
    ck_assert_int_eq(arena_init(&arena, &larger), 0);
    ref = arena_take(&arena, 100);
    ck_assert_uint_eq(arena_take(&arena, SIZE / 2), 0);
    ck_assert_int_eq(survey_begin(&survey, &arena, &opts), 0);
    ck_assert(survey_mark(&survey, ref, 100));
    survey_end(&survey, true);
    ck_assert_uint_ne(arena_take(&arena, SIZE / 2), 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("survey");
    TCase *tcase = tcase_create("survey");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, open_file, close_file);
    tcase_add_test(tcase, test_what_is_marked_stays);
    tcase_add_test(tcase, test_nothing_is_marked);
    tcase_add_test(tcase, test_given_up);
    tcase_add_test(tcase, test_marks);
    tcase_add_test(tcase, test_unit_zero_is_no_block);
    tcase_add_loop_test(tcase, test_struct_that_cannot_be, 0, N_SPOILT);
    tcase_add_test(tcase, test_larger);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
