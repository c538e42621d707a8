/*
 * check_vault: batches that are there again, memory that is taken and given back, and files that
 * are not what they were.
 */
#include "arena.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "sender/vault.h"

#define LIMIT ((size_t)16 * VAULT_PAGE)

static struct vault vault;

/* From so many fallocate(2) calls on they fail, but for those that give memory back; 0: none. */
static unsigned refuse_from;

int __real_fallocate(int fd, int mode, off_t offset, off_t len);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t len);

/* The linker puts it in the place of fallocate. */
int
__wrap_fallocate(int fd, int mode, off_t offset, off_t len)
{
    if (mode == 0 && refuse_from > 0 && --refuse_from == 0) {
        refuse_from = 1;
        errno = ENOSPC;
        return -1;
    }
    return __real_fallocate(fd, mode, offset, len);
}

static enum vault_found
open_vault(int fd)
{
    enum vault_found found;

    ck_assert_int_eq(vault_open(&vault, fd, LIMIT, &found), 0);
    return found;
}

static int
try_put(unsigned n, unsigned n_lines)
{
    struct batch *batch = batch_of(n, n_lines);
    int slot = vault_put(&vault, batch);

    batch_free(batch);
    return slot;
}

/* Puts the n-th flush and makes it live. */
static uint32_t
put(unsigned n, unsigned n_lines)
{
    int slot = try_put(n, n_lines);

    ck_assert_int_ge(slot, 0);
    vault_change(&vault, (uint32_t)slot, VAULT_QUEUED, 0);
    return (uint32_t)slot;
}

static void
assert_is(uint32_t slot, unsigned n, unsigned n_lines)
{
    struct batch *want = batch_of(n, n_lines), got = vault_batch(&vault, slot);

    ck_assert_uint_eq(got.id, want->id);
    ck_assert_uint_eq(got.timestamp_s, want->timestamp_s);
    ck_assert_uint_eq(got.n_lines, n_lines);
    ck_assert_uint_eq(got.records.len, want->records.len);
    ck_assert(got.records.len == 0 ||
              memcmp(got.records.data, want->records.data, got.records.len) == 0);
    ck_assert(batch_is_intact(&got));
    batch_free(want);
}

/* Bytes of memory that a file takes. */
static size_t
memory_of(int fd)
{
    struct stat now;

    ck_assert_int_eq(fstat(fd, &now), 0);
    return (size_t)now.st_blocks * 512;
}

START_TEST(test_what_is_put_is_there_again)
{
    static const unsigned n_lines[] = {1, 0, LINES_OF_A_PAGE, 3 * LINES_OF_A_PAGE, 2};
    uint32_t slots[5];
    int fd = new_arena();

    ck_assert_int_eq(open_vault(fd), VAULT_EMPTY);
    for (unsigned i = 0; i < 5; i++)
        slots[i] = put(i, n_lines[i]);
    vault_change(&vault, slots[1], VAULT_DELIVERED, 77);
    vault_change(&vault, slots[2], VAULT_FREE, 0);
    vault.journal.committed = 5;
    vault_change(&vault, VAULT_NONE, VAULT_FREE, 0);
    vault_close(&vault);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(open_vault(fd), VAULT_ADOPTED);
        ck_assert_uint_eq(vault.n_live, 4);
        ck_assert_uint_eq(vault.taken, 6 * VAULT_PAGE);
        ck_assert_uint_eq(vault.journal.committed, 5);
        ck_assert_uint_eq(vault_at(&vault, slots[1])->state, VAULT_DELIVERED);
        ck_assert_uint_eq(vault_at(&vault, slots[1])->stamp_ms, 77);
        ck_assert_uint_eq(vault_at(&vault, slots[0])->state, VAULT_QUEUED);
        assert_is(vault.live[0], 0, 1);
        assert_is(vault.live[1], 1, 0);
        assert_is(vault.live[2], 3, 3 * LINES_OF_A_PAGE);
        assert_is(vault.live[3], 4, 2);
        vault_close(&vault);
    }
    close(fd);
}
END_TEST

START_TEST(test_memory_comes_and_goes)
{
    int fd = new_arena();
    size_t empty, one;
    uint32_t slot;

    open_vault(fd);
    empty = memory_of(fd);
    slot = put(1, 4 * LINES_OF_A_PAGE);
    one = memory_of(fd);
    ck_assert_uint_eq(one, empty + 4 * VAULT_PAGE);
    for (unsigned i = 2; i < 50; i++) {
        uint32_t next = put(i, 4 * LINES_OF_A_PAGE);

        vault_change(&vault, slot, VAULT_FREE, 0);
        ck_assert_uint_eq(memory_of(fd), one);
        slot = next;
    }
    ck_assert_uint_eq(vault.taken, 4 * VAULT_PAGE);
    /* What a process was copying when it was killed is no batch, and is given back. */
    ck_assert_int_ge(try_put(50, 4 * LINES_OF_A_PAGE), 0);
    ck_assert_uint_gt(memory_of(fd), one);
    vault_close(&vault);
    open_vault(fd);
    ck_assert_uint_eq(memory_of(fd), one);
    ck_assert_uint_eq(vault.n_live, 1);
    vault_close(&vault);
    close(fd);
}
END_TEST

/* There are twice as many addresses as memory, so that what is free in pieces does. */
START_TEST(test_no_place)
{
    uint32_t slots[8];

    open_vault(new_arena());
    for (unsigned i = 0; i < 8; i++)
        slots[i] = put(i, 4 * LINES_OF_A_PAGE);
    ck_assert_int_eq(try_put(8, 1), -ENOSPC);
    vault_change(&vault, slots[3], VAULT_FREE, 0);
    vault_change(&vault, slots[5], VAULT_FREE, 0);
    ck_assert_int_eq(try_put(8, 5 * LINES_OF_A_PAGE), -ENOSPC);
    assert_is(put(8, 4 * LINES_OF_A_PAGE), 8, 4 * LINES_OF_A_PAGE);
    for (unsigned i = 0; i < 4; i++)
        assert_is(put(9 + i, LINES_OF_A_PAGE), 9 + i, LINES_OF_A_PAGE);
    ck_assert_int_eq(try_put(8, 1), -ENOSPC);
    assert_is(slots[4], 4, 4 * LINES_OF_A_PAGE);
    vault_close(&vault);
}
END_TEST

START_TEST(test_no_slot)
{
    enum vault_found found;
    struct batch *batch = batch_of(1, 1);

    ck_assert_int_eq(vault_open(&vault, new_arena(), (size_t)VAULT_SLOTS * VAULT_PAGE, &found), 0);
    for (unsigned i = 0; i < VAULT_SLOTS; i++) {
        int slot = vault_put(&vault, batch);

        ck_assert_int_ge(slot, 0);
        if (i % 64 != 0) /* the test is about slots, not about time */
            vault.slots[slot].state = VAULT_QUEUED;
        else
            vault_change(&vault, (uint32_t)slot, VAULT_QUEUED, 0);
    }
    ck_assert_int_eq(vault_put(&vault, batch), -ENOSPC);
    batch_free(batch);
    vault_close(&vault);
}
END_TEST

/* It is a refusal, not a signal, and changes nothing. */
START_TEST(test_no_memory)
{
    int fd = new_arena();
    struct batch *batch = batch_of(2, LINES_OF_A_PAGE);
    enum vault_found found;

    refuse_from = 1;
    ck_assert_int_eq(vault_open(&vault, fd, LIMIT, &found), -ENOSPC);
    refuse_from = 0;
    open_vault(fd);
    put(1, 1);
    refuse_from = 1;
    ck_assert_int_eq(vault_put(&vault, batch), -ENOMEM);
    ck_assert_uint_eq(vault.n_live, 1);
    refuse_from = 0;
    put(2, LINES_OF_A_PAGE);
    vault_close(&vault);
    ck_assert_int_eq(open_vault(fd), VAULT_ADOPTED);
    ck_assert_uint_eq(vault.n_live, 2);
    vault_close(&vault);
    batch_free(batch);
    close(fd);
}
END_TEST

/* Another limit is another limit, not another file. */
START_TEST(test_other_limits)
{
    static const size_t limits[] = {LIMIT / 8, 1, LIMIT * 4};
    int fd = new_arena();
    enum vault_found found;

    open_vault(fd);
    for (unsigned i = 0; i < 4; i++)
        put(i, 4 * LINES_OF_A_PAGE);
    vault_close(&vault);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(vault_open(&vault, fd, limits[i], &found), 0);
        ck_assert_int_eq(found, VAULT_ADOPTED);
        ck_assert_uint_eq(vault.n_live, 4);
        assert_is(vault.live[3], 3, 4 * LINES_OF_A_PAGE);
        vault_close(&vault);
    }
    close(fd);
}
END_TEST

/* A byte of what says whose it is and how it is made. */
START_TEST(test_foreign)
{
    for (off_t at = 0; at < 24; at++) {
        int fd = new_arena();
        uint8_t byte;

        open_vault(fd);
        put(1, 1);
        vault_close(&vault);
        ck_assert_int_eq((int)pread(fd, &byte, 1, at), 1);
        byte ^= 0x21;
        ck_assert_int_eq((int)pwrite(fd, &byte, 1, at), 1);
        ck_assert_int_eq(open_vault(fd), VAULT_FOREIGN);
        ck_assert_uint_eq(vault.n_live, 0);
        put(1, 1);
        vault_close(&vault);
        ck_assert_int_eq(open_vault(fd), VAULT_ADOPTED);
        ck_assert_uint_eq(vault.n_live, 1);
        vault_close(&vault);
        close(fd);
    }
}
END_TEST

/* Cut off anywhere: another file, or one that begins anew. */
START_TEST(test_cut)
{
    static const off_t lens[] = {0, 1, 8, 23, 24, 100, 4096, 300000, 600000};

    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        int fd = new_arena();

        open_vault(fd);
        put(1, LINES_OF_A_PAGE);
        vault_close(&vault);
        ck_assert_int_eq(ftruncate(fd, lens[i]), 0);
        ck_assert_int_eq(ftruncate(fd, lens[i] + 7), 0);
        open_vault(fd);
        if (vault.n_live > 0)
            assert_is(vault.live[0], 1, LINES_OF_A_PAGE);
        put(2, 1);
        vault_close(&vault);
        ck_assert_int_eq(open_vault(fd), VAULT_ADOPTED);
        vault_close(&vault);
        close(fd);
    }
}
END_TEST

/* Without its journal the batches are still there. */
START_TEST(test_damaged)
{
    int fd = new_arena();
    uint8_t byte = 0x55;

    open_vault(fd);
    put(1, 1);
    put(2, 2);
    vault_close(&vault);
    ck_assert_int_eq((int)pwrite(fd, &byte, 1, 24), 1); /* its serial */
    ck_assert_int_eq(open_vault(fd), VAULT_DAMAGED);
    ck_assert_uint_eq(vault.n_live, 2);
    ck_assert_uint_eq(vault.journal.now.emitted, 0);
    put(3, 3);
    assert_is(vault.live[1], 2, 2);
    assert_is(vault.live[2], 3, 3);
    vault_close(&vault);
    ck_assert_int_eq(open_vault(fd), VAULT_ADOPTED);
    ck_assert_uint_eq(vault.n_live, 3);
    vault_close(&vault);
    close(fd);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("vault");
    TCase *tcase = tcase_create("vault");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_what_is_put_is_there_again);
    tcase_add_test(tcase, test_memory_comes_and_goes);
    tcase_add_test(tcase, test_no_place);
    tcase_add_test(tcase, test_no_slot);
    tcase_add_test(tcase, test_no_memory);
    tcase_add_test(tcase, test_other_limits);
    tcase_add_test(tcase, test_foreign);
    tcase_add_test(tcase, test_cut);
    tcase_add_test(tcase, test_damaged);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
