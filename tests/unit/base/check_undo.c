/*
 * check_undo: changes of chance, noted and then taken back or not, against a copy; at any moment a
 * process may die, and its memory be mapped elsewhere. What is no log is not followed anywhere.
 */
#include "base/undo.h"

#include <check.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SEED 20240307
#define SIZE 3000

/* The log in between, so that notes lead to both sides of it. */
struct memory {
    uint8_t below[SIZE];
    struct undo undo;
    uint8_t above[SIZE];
};

static struct memory memory, committed;

static void
zero_memory(void)
{
    memset(&memory, 0, sizeof(memory));
    memset(&committed, 0, sizeof(committed));
    srandom(SEED);
}

static uint8_t *
draw_place(struct memory *in, size_t len)
{
    uint8_t *side = random() % 2 == 0 ? in->below : in->above;

    return side + (size_t)random() % (SIZE - len + 1);
}

static size_t
draw_len(void)
{
    return random() % 4 == 0 ? (size_t)random() % 200 : (size_t)random() % 9;
}

static bool
has_room(const struct undo *undo, size_t len)
{
    return (uint16_t)undo->word + (len + 7) / 8 * 8 + 8 <= UNDO_LOG;
}

static void
change(struct memory *in)
{
    size_t len = draw_len();
    uint8_t *at = draw_place(in, len);

    if (!has_room(&in->undo, len))
        return;
    undo_note(&in->undo, at, len);
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)random();
}

static void
check_as_committed(const struct memory *now, uint32_t mark)
{
    ck_assert_mem_eq(now->below, committed.below, SIZE);
    ck_assert_mem_eq(now->above, committed.above, SIZE);
    ck_assert_uint_eq(now->undo.word, UNDO_TWICE * mark << 32);
}

START_TEST(test_changes_of_chance)
{
    uint32_t mark = 0;
    size_t n_changes = 0;

    for (int round = 0; round < 5000; round++) {
        for (long left = random() % 30; left > 0; left--, n_changes++)
            change(&memory);
        switch (random() % 4) {
        case 0:
            undo_commit_to(&memory.undo, mark = (uint16_t)random());
            committed = memory;
            break;
        case 1:
            undo_commit(&memory.undo);
            committed = memory;
            break;
        default:
            ck_assert_int_eq(undo_roll_back(&memory.undo, &memory, sizeof(memory)), 0);
            check_as_committed(&memory, mark);
        }
        ck_assert_uint_eq(undo_mark(&memory.undo), mark);
    }
    ck_assert_uint_gt(n_changes, 10000);
}
END_TEST

/* Word by word, the last note is for a change that may not have been made. */
START_TEST(test_elsewhere)
{
    for (int round = 0; round < 300; round++) {
        struct memory *copy = malloc(sizeof(*copy));

        ck_assert_ptr_nonnull(copy);
        undo_commit_to(&memory.undo, (uint32_t)round);
        committed = memory;
        for (int i = 0; i < 10; i++)
            change(&memory);
        undo_note(&memory.undo, memory.above, 16);
        memory.above[3] ^= 0xff;
        *copy = memory;
        ck_assert_int_eq(undo_roll_back(&copy->undo, copy, sizeof(*copy)), 0);
        check_as_committed(copy, (uint32_t)round);
        free(copy);
    }
}
END_TEST

/* A roll back that dies is made again, from where it was or from before its last store. */
START_TEST(test_rolled_back_twice)
{
    struct memory amid;

    for (int i = 0; i < 20; i++)
        change(&memory);
    undo_commit_to(&memory.undo, 7);
    committed = memory;
    for (int i = 0; i < 20; i++)
        change(&memory);
    amid = memory;
    ck_assert_int_eq(undo_roll_back(&memory.undo, &memory, sizeof(memory)), 0);
    memory.undo = amid.undo;
    ck_assert_int_eq(undo_roll_back(&memory.undo, &memory, sizeof(memory)), 0);
    check_as_committed(&memory, 7);
}
END_TEST

START_TEST(test_nothing_to_note_in)
{
    undo_note(NULL, &memory, 8);
    undo_commit(NULL);
}
END_TEST

START_TEST(test_full)
{
    uint8_t before = memory.above[0];

    for (int i = 0; i < UNDO_LOG / 16; i++) {
        undo_note(&memory.undo, memory.above, 1);
        memory.above[0]++;
    }
    ck_assert_uint_eq((uint16_t)memory.undo.word, UNDO_LOG);
    ck_assert_int_eq(undo_roll_back(&memory.undo, &memory, sizeof(memory)), 0);
    ck_assert_uint_eq(memory.above[0], before);
}
END_TEST

START_TEST(test_more_than_full_is_a_bug)
{
    for (int i = 0; i <= UNDO_LOG / 16; i++)
        undo_note(&memory.undo, memory.above, 1);
}
END_TEST

/* Makes of what the log holds one of used bytes, of which these are the last eight. */
static void
put_origin(uint32_t used, int64_t distance, uint16_t len)
{
    uint64_t origin = 3 * ((uint64_t)distance << 16 | len);

    memory.undo.word = UNDO_TWICE << 32 | UNDO_TWICE * used;
    if (used >= 8 && used <= UNDO_LOG)
        memcpy(memory.undo.log + used - 8, &origin, sizeof(origin));
}

START_TEST(test_not_sound)
{
    const int64_t above = offsetof(struct memory, above) - offsetof(struct memory, undo);
    const int64_t from = -(int64_t)offsetof(struct memory, undo), end = above + SIZE;
    const struct {
        uint32_t used;
        int64_t distance;
        uint16_t len;
        int expected;
    } rows[] = {
        {16, above, 8, 0},
        {8, above, 0, 0}, /* of nothing */
        {16, from, 8, 0},
        {16, end - 8, 8, 0},
        {UNDO_LOG + 8, above, 8, -1},
        {UINT16_MAX, above, 8, -1},
        {7, above, 8, -1},
        {8, above, 8, -1}, /* no room for what it had */
        {16, above, 9, -1},
        {16, above, UINT16_MAX, -1},
        {16, from - 1, 8, -1},
        {16, from - 8, 8, -1},
        {16, end - 7, 8, -1},
        {16, end, 8, -1},
        {16, end + 1, 0, -1},
        {16, INT64_MAX / 3 >> 16, 8, -1},
        {16, -1 - (INT64_MAX / 3 >> 16), 8, -1},
        {16, 0, 8, -1}, /* the log itself */
        {16, -7, 8, -1},
        {16, -8, 8, 0},
        {16, above - 1, 8, -1},
        {24, above, 8, -1}, /* nothing sound is before it */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int result;

        memset(memory.undo.log, 0x55, UNDO_LOG);
        put_origin(rows[i].used, rows[i].distance, rows[i].len);
        result = undo_roll_back(&memory.undo, &memory, sizeof(memory));
        ck_assert_msg(result == rows[i].expected, "row %zu: %d", i, result);
    }
}
END_TEST

/* Any bits at all: it never writes outside, which the sanitizers would see. */
START_TEST(test_any_log)
{
    int n_sound = 0;

    for (int round = 0; round < 20000; round++) {
        for (size_t i = 0; i < UNDO_LOG; i += 8)
            memory.undo.log[i] = (uint8_t)random();
        put_origin((uint32_t)random() % (UNDO_LOG + 20), random() % 20000 - 10000,
                   (uint16_t)(random() % 40));
        n_sound += undo_roll_back(&memory.undo, &memory, sizeof(memory)) == 0;
    }
    ck_assert_int_lt(n_sound, 10000);
}
END_TEST

/* Of a log in use, any one bit: what a note was of may come back other than it was, and all else is
 * found out. */
START_TEST(test_every_bit)
{
    struct memory sound;
    size_t n_accepted = 0, n_bytes = 0;

    undo_commit_to(&memory.undo, 77);
    for (int i = 0; i < 10; i++) {
        undo_note(&memory.undo, memory.above + i * 8, (size_t)i);
        n_bytes += (size_t)(i + 7) / 8 * 8;
    }
    sound = memory;
    for (size_t bit = 0; bit < (sizeof(uint64_t) + (uint16_t)sound.undo.word) * 8; bit++) {
        memory = sound;
        ((uint8_t *)&memory.undo)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (undo_roll_back(&memory.undo, &memory, sizeof(memory)) != 0)
            continue;
        ck_assert_uint_eq(undo_mark(&memory.undo), 77);
        n_accepted++;
    }
    ck_assert_uint_eq(n_accepted, n_bytes * 8);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("undo");
    TCase *tcase = tcase_create("undo");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, zero_memory, NULL);
    tcase_add_test(tcase, test_changes_of_chance);
    tcase_add_test(tcase, test_elsewhere);
    tcase_add_test(tcase, test_rolled_back_twice);
    tcase_add_test(tcase, test_nothing_to_note_in);
    tcase_add_test(tcase, test_full);
    tcase_add_test_raise_signal(tcase, test_more_than_full_is_a_bug, SIGABRT);
    tcase_add_test(tcase, test_not_sound);
    tcase_add_test(tcase, test_any_log);
    tcase_add_test(tcase, test_every_bit);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
