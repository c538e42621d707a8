/*
 * check_spool_crash: a spool whose process is killed, whose disk fails or whose files are damaged,
 * at every place there is; and any of it in any order, against a model.
 */
#include <stdlib.h>
#include <sys/wait.h>

#include "sender/spool.h"

#include "calls.h"
#include "folder.h"

#define T0      UINT64_C(1700000000)
#define WALL_MS (T0 * 1000)
#define HEADER  sizeof(struct spoolfile_header)

#define N_FLUSHES 64 /* flushes that a test may make */

#define DAMAGED "00000000001700000001-0000000000000001"

static struct spool spool;

static void
setup(void)
{
    folder_make();
    ck_assert_int_eq(spool_open(&spool, folder, UINT64_MAX, UINT64_MAX, WALL_MS, NULL), 0);
}

static void
teardown(void)
{
    calls.at = 0;
    spool_close(&spool);
    folder_remove();
}

static int
reopen(void)
{
    spool_close(&spool);
    return spool_open(&spool, folder, UINT64_MAX, UINT64_MAX, WALL_MS, NULL);
}

/* Flush number i of a test, made once. */
static const struct batch *
make(uint64_t i)
{
    static struct batch *made[N_FLUSHES];

    if (made[i] == NULL)
        made[i] = folder_batch(T0 + i, i, i % 7 == 0 ? 4096 - HEADER : 40 + i % 500, (unsigned)i);
    return made[i];
}

static int
put(uint64_t i)
{
    return spool_put(&spool, make(i), WALL_MS);
}

static const struct spool_file *
find(uint64_t i)
{
    for (size_t at = 0; at < spool.n_files; at++) {
        if (spool.files[at].id == i)
            return &spool.files[at];
    }
    return NULL;
}

/* Flush i comes back whole. */
static void
assert_whole(uint64_t i)
{
    struct batch *got;

    ck_assert_ptr_nonnull(find(i));
    ck_assert_int_eq(spool_load(&spool, find(i), &got), 0);
    folder_assert_same(got, make(i));
    batch_free(got);
}

/* ---- damage */

/* Between two files that are whole the damaged one is found, now or when it is read. */
static void
assert_set_aside(const uint8_t *bytes, size_t len)
{
    struct batch *batch = NULL;

    folder_write(DAMAGED ".flush", bytes, len);
    ck_assert_int_eq(reopen(), 0);
    if (spool.n_files == 3)
        ck_assert_int_eq(spool_load(&spool, &spool.files[1], &batch), -EBADMSG);
    ck_assert_ptr_null(batch);
    ck_assert_uint_eq(spool.n_files, 2);
    ck_assert_uint_eq(spool.n_bad_files, 1);
    ck_assert_uint_eq(spool.n_bad, 1);
    ck_assert_uint_eq(spool.bad_file.id, 1);
    ck_assert_ptr_nonnull(spool.bad_reason);
    assert_whole(0);
    assert_whole(2);
    ck_assert_int_eq(unlinkat(folder, DAMAGED ".bad", 0), 0);
}

/* A file of 4 KiB; returns its bytes. */
static void
make_damaged(uint8_t bytes[4096])
{
    struct batch *batch = folder_batch(T0 + 1, 1, 4096 - HEADER, 1);

    ck_assert_int_eq(put(0), 0);
    ck_assert_int_eq(put(2), 0);
    ck_assert_int_eq(spool_put(&spool, batch, WALL_MS), 0);
    ck_assert_uint_eq(folder_read(DAMAGED ".flush", bytes, 4096), 4096);
    batch_free(batch);
}

START_TEST(test_every_flip)
{
    uint8_t bytes[4096];

    make_damaged(bytes);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        uint8_t good = bytes[i];

        bytes[i] ^= (uint8_t)(i % 3 == 0 ? 0xff : 1 << i % 8);
        assert_set_aside(bytes, sizeof(bytes));
        bytes[i] = good;
    }
}
END_TEST

START_TEST(test_every_truncation)
{
    uint8_t bytes[4097] = {0};

    make_damaged(bytes);
    for (size_t len = 0; len < 4096; len++)
        assert_set_aside(bytes, len);
    assert_set_aside(bytes, 4097);
}
END_TEST

/* ---- a kill before every call */

static void
put_5(void)
{
    put(5);
}

static void
remove_5(void)
{
    spool_remove(&spool, find(5));
}

static void
make_room_for_6(void)
{
    spool.max_bytes = spool.n_bytes + 10;
    put(6);
}

static void
open_again(void)
{
    reopen();
}

static void
load_5(void)
{
    struct batch *batch;

    if (spool_load(&spool, find(5), &batch) == 0)
        batch_free(batch);
}

/* Runs it in a process that is killed before its at-th call. Returns whether there were as many. */
static bool
is_killed(void (*act)(void), unsigned at)
{
    pid_t pid = fork();
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        calls.at = at;
        calls.error = 0;
        act();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

static void
damage_5(void)
{
    uint8_t bytes[4096];
    size_t len = folder_read("00000000001700000005-0000000000000005.flush", bytes, sizeof(bytes));

    bytes[len - 1] ^= 0x80;
    folder_write("00000000001700000005-0000000000000005.flush", bytes, len);
}

/* Whatever is cut short, files 3 and 4 stay, and those that it deals with are whole or gone. */
START_TEST(test_kill)
{
    static const struct {
        void (*act)(void);
        bool has_5, damaged;
        unsigned least; /* calls that there are */
    } rows[] = {
        {put_5, false, false, 18},          {remove_5, true, false, 1},
        {make_room_for_6, true, false, 19}, {open_again, true, false, 8},
        {load_5, true, false, 3},           {load_5, true, true, 4},
    };
    unsigned at = 0;
    bool killed = true;

    while (killed) {
        folder_empty(folder);
        ck_assert_int_eq(reopen(), 0);
        ck_assert_int_eq(put(3), 0);
        ck_assert_int_eq(put(4), 0);
        ck_assert_int_eq(rows[_i].has_5 ? put(5) : 0, 0);
        if (rows[_i].damaged)
            damage_5();
        killed = is_killed(rows[_i].act, ++at);
        ck_assert_int_eq(reopen(), 0);
        ck_assert_uint_eq(spool.n_ignored + spool.n_bad_files, 0);
        ck_assert_ptr_null(strstr(folder_list(), "tmp"));
        if (rows[_i].act != make_room_for_6 || find(3) != NULL)
            assert_whole(3);
        assert_whole(4);
        if (find(5) != NULL && !rows[_i].damaged)
            assert_whole(5);
        if (find(6) != NULL)
            assert_whole(6);
        if (!killed)
            ck_assert(rows[_i].act != put_5 || find(5) != NULL);
    }
    ck_assert_uint_gt(at, rows[_i].least);
}
END_TEST

/* ---- a call that fails */

static const int errors[] = {ENOSPC, EIO, EROFS, EMFILE, ENOMEM, EDQUOT, EACCES};

/* Each call of a put fails in turn: nothing is left, and the next try is as good as any. */
START_TEST(test_put_fails)
{
    unsigned at = 0;
    int status;

    ck_assert_int_eq(put(3), 0);
    do {
        calls.at = ++at;
        calls.error = errors[_i];
        status = put(5);
        if (status != 0) {
            ck_assert_int_eq(calls.at, 0);
            ck_assert_int_eq(status, -errors[_i]);
            ck_assert_str_eq(folder_list(), "00000000001700000003-0000000000000003.flush ");
            ck_assert_uint_eq(spool.n_files, 1);
            ck_assert_int_eq(put(5), 0);
            ck_assert_int_eq(spool_remove(&spool, find(5)), 0);
        }
    } while (status != 0);
    calls.at = 0;
    ck_assert_uint_gt(at, 18);
    assert_whole(3);
    assert_whole(5);
}
END_TEST

/* Each call of a load fails in turn: the file is tried again, or left for the next process. */
START_TEST(test_load_fails)
{
    bool passing = errors[_i] == EMFILE || errors[_i] == ENOMEM;
    struct batch *batch = NULL;
    unsigned at = 0;
    int status;

    ck_assert_int_eq(put(3), 0);
    ck_assert_int_eq(put(5), 0);
    do {
        calls.at = ++at;
        calls.error = errors[_i];
        status = spool_load(&spool, find(3), &batch);
        if (status != 0) {
            ck_assert_int_eq(status, -errors[_i]);
            ck_assert_ptr_null(batch);
            ck_assert_uint_eq(spool.n_files, passing ? 2 : 1);
            ck_assert_uint_eq(spool.n_bad_files, passing ? 0 : 1);
            assert_whole(5);
            ck_assert_int_eq(reopen(), 0);
            assert_whole(3);
        }
    } while (status != 0);
    calls.at = 0;
    ck_assert_uint_ge(at, 3);
    batch_free(batch);
}
END_TEST

/* Each call of an open fails in turn: nothing is lost by it. */
START_TEST(test_open_fails)
{
    for (unsigned at = 1; at < 20; at++) {
        ck_assert_int_eq(put(3), 0);
        ck_assert_int_eq(put(5), 0);
        folder_write("00000000001700000009-0000000000000009.tmp", "", 0);
        calls.at = at;
        calls.error = errors[_i];
        if (reopen() == 0) {
            ck_assert_uint_ge(spool.n_files + spool.n_ignored, 2);
            ck_assert_uint_eq(spool.n_bad_files, 0);
        }
        calls.at = 0;
        ck_assert_int_eq(reopen(), 0);
        assert_whole(3);
        assert_whole(5);
    }
}
END_TEST

/* ---- any order */

#define MODEL_STEPS 1000

/* What must be there: put and not removed. */
static bool present[N_FLUSHES];

static void
assert_model(void)
{
    uint64_t n_lines = 0, last = 0;
    size_t n = 0;

    for (uint64_t i = 0; i < N_FLUSHES; i++) {
        ck_assert_int_eq(spool_has(&spool, i), present[i]);
        n += present[i];
    }
    ck_assert_uint_eq(spool.n_files, n);
    for (size_t at = 0; at < n; at++) {
        ck_assert(at == 0 || spool.files[at].id > last);
        last = spool.files[at].id;
        n_lines += spool.files[at].n_lines;
    }
    ck_assert_uint_eq(spool.n_lines, n_lines);
    ck_assert(n == 0 ? spool_oldest(&spool) == NULL : spool_oldest(&spool) == spool.files);
}

static uint64_t chosen;

static void
put_chosen(void)
{
    put(chosen);
}

static void
remove_chosen(void)
{
    if (find(chosen) != NULL)
        spool_remove(&spool, find(chosen));
}

/* The chosen one may be there afterwards, and is then whole. */
static void
crash(void)
{
    bool before = present[chosen];

    is_killed(before ? remove_chosen : put_chosen, 1 + (unsigned)random() % 20);
    ck_assert_int_eq(reopen(), 0);
    present[chosen] = find(chosen) != NULL;
    if (present[chosen])
        assert_whole(chosen);
}

/* Fails, if it comes to that, and changes nothing then. */
static void
refuse(void)
{
    calls.at = 1 + (unsigned)random() % 30;
    calls.error = errors[(size_t)random() % (sizeof(errors) / sizeof(errors[0]))];
    if (put(chosen) == 0)
        present[chosen] = true;
    calls.at = 0;
}

static void
damage_chosen(void)
{
    char name[64], bad[64];
    uint8_t bytes[4096];
    struct batch *batch;
    size_t len;

    snprintf(name, sizeof(name), "%020llu-%016llx.flush", (unsigned long long)(T0 + chosen),
             (unsigned long long)chosen);
    snprintf(bad, sizeof(bad), "%.37s.bad", name);
    if (!present[chosen])
        return;
    len = folder_read(name, bytes, sizeof(bytes));
    bytes[(size_t)random() % len] ^= (uint8_t)(1 << random() % 8);
    folder_write(name, bytes, len);
    if (random() % 2 == 0)
        ck_assert_int_eq(reopen(), 0);
    if (find(chosen) != NULL)
        ck_assert_int_eq(spool_load(&spool, find(chosen), &batch), -EBADMSG);
    ck_assert_uint_le(spool.n_bad, SPOOL_BAD_MAX);
    ck_assert_uint_gt(spool.n_bad, 0);
    present[chosen] = false;
}

static void
step(void)
{
    chosen = (uint64_t)random() % N_FLUSHES;
    switch (random() % 12) {
    case 0: crash(); break;
    case 1: ck_assert_int_eq(reopen(), 0); break;
    case 2: refuse(); break;
    case 3: damage_chosen(); break;
    case 4:
    case 5:
    case 6:
        remove_chosen();
        present[chosen] = false;
        break;
    case 7:
    case 8:
        if (present[chosen])
            assert_whole(chosen);
        break;
    default: ck_assert_int_eq(put(chosen), 0); present[chosen] = true;
    }
}

START_TEST(test_model)
{
    srandom((unsigned)_i);
    for (unsigned n = 0; n < MODEL_STEPS; n++) {
        step();
        assert_model();
    }
    ck_assert_int_eq(reopen(), 0);
    for (uint64_t i = 0; i < N_FLUSHES; i++) {
        if (present[i])
            assert_whole(i);
    }
    assert_model();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("spool_crash");
    TCase *tcase = tcase_create("spool_crash");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_every_flip);
    tcase_add_test(tcase, test_every_truncation);
    tcase_add_loop_test(tcase, test_kill, 0, 6);
    tcase_add_loop_test(tcase, test_put_fails, 0, 7);
    tcase_add_loop_test(tcase, test_load_fails, 0, 7);
    tcase_add_loop_test(tcase, test_open_fails, 0, 7);
    tcase_add_loop_test(tcase, test_model, 1, 4);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
