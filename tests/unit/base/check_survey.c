/*
 * survey: what is marked stays, all else is free, and what cannot be is refused.
 */
#include "base/survey.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE     ((size_t)4 << 20)
#define RESERVED ((size_t)ARENA_PAGE)

/* An arena in a file, as two processes would map it one after the other. */
static int fd;
static uint8_t *memory;
static struct arena arena;
static struct arena_opts opts;

static void
set_up(void)
{
    fd = memfd_create("survey", MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)SIZE), 0);
    memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    opts = (struct arena_opts){.size = SIZE, .memory = memory, .reserved = RESERVED, .fd = fd};
    ck_assert_int_eq(arena_init(&arena, &opts), 0);
}

static void
tear_down(void)
{
    munmap(memory, SIZE);
    close(fd);
}

START_TEST(test_marked_stays)
{
    struct survey survey;
    arena_ref kept[50], again;
    size_t used = 0;

    for (size_t i = 0; i < 50; i++) {
        kept[i] = arena_take(&arena, 100 + i * 40);
        ck_assert_uint_ne(arena_take(&arena, 64), 0);
        memset(arena_at(&arena, kept[i]), (int)i, 100 + i * 40);
        used += arena_rounded(100 + i * 40);
    }
    ck_assert_int_eq(survey_begin(&survey, &arena, &opts), 0);
    for (size_t i = 0; i < 50; i++)
        ck_assert(survey_mark(&survey, kept[i], 100 + i * 40));
    survey_end(&survey, true);
    ck_assert_uint_eq(arena.used, used);
    /* What is taken from now on is none of it. */
    while ((again = arena_take(&arena, 16)) != 0)
        memset(arena_at(&arena, again), 0xff, 16);
    for (size_t i = 0; i < 50; i++) {
        const uint8_t *bytes = arena_at(&arena, kept[i]);

        for (size_t j = 0; j < 100 + i * 40; j++)
            ck_assert_uint_eq(bytes[j], i);
    }
}
END_TEST

START_TEST(test_nothing_marked)
{
    struct survey survey;

    while (arena_take(&arena, 1000) != 0)
        continue;
    ck_assert_int_eq(survey_begin(&survey, &arena, &opts), 0);
    survey_end(&survey, true);
    ck_assert_uint_eq(arena.used, 0);
    ck_assert_uint_eq(arena.frontier, RESERVED);
    ck_assert_uint_ne(arena_take(&arena, SIZE / 4), 0);
}
END_TEST

START_TEST(test_no_block)
{
    struct survey survey;
    arena_ref ref = arena_take(&arena, 64), end = (arena_ref)(arena.frontier / ARENA_UNIT);

    ck_assert_int_eq(survey_begin(&survey, &arena, &opts), 0);
    ck_assert_msg(!survey_mark(&survey, 0, 16), "what is reserved is somebody's");
    ck_assert(!survey_mark(&survey, end, 16));
    ck_assert(!survey_mark(&survey, ref, 128));
    ck_assert(!survey_mark(&survey, ref, SIZE_MAX));
    ck_assert(survey_mark(&survey, ref, 64));
    ck_assert_msg(!survey_mark(&survey, ref, 64), "it is taken");
    ck_assert_msg(!survey_mark(&survey, ref + 3, 16), "a part of it is taken");
    survey_end(&survey, false);
}
END_TEST

/* Sizes that no arena has. */
START_TEST(test_struct_that_is_not_sound)
{
    struct survey survey;
    struct arena was;

    ck_assert_uint_ne(arena_take(&arena, 64), 0);
    was = arena;
    for (unsigned bit = 0; bit < 64; bit++) {
        arena = was;
        arena.backed ^= UINT64_C(1) << bit;
        ck_assert_int_eq(survey_begin(&survey, &arena, &opts), -EBADMSG);
    }
    arena = was;
    arena.frontier = arena_backed(&arena) + ARENA_UNIT;
    ck_assert_int_eq(survey_begin(&survey, &arena, &opts), -EBADMSG);
    arena.frontier = RESERVED - ARENA_UNIT;
    ck_assert_int_eq(survey_begin(&survey, &arena, &opts), -EBADMSG);
    arena.frontier = was.frontier + 1;
    ck_assert_int_eq(survey_begin(&survey, &arena, &opts), -EBADMSG);
    arena = was;
    ck_assert_int_eq(
        survey_begin(&survey, &arena, &(struct arena_opts){.size = RESERVED, .memory = memory}),
        -EBADMSG);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("survey");
    TCase *tcase = tcase_create("survey");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, test_marked_stays);
    tcase_add_test(tcase, test_nothing_marked);
    tcase_add_test(tcase, test_no_block);
    tcase_add_test(tcase, test_struct_that_is_not_sound);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
