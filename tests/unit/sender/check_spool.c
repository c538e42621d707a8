/*
 * check_spool: what goes in comes out, in order, also of another process; the limits; damaged
 * files, and what is not the spool's; a disk that refuses.
 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sender/spool.h"

#include "calls.h"
#include "folder.h"

#define T0      UINT64_C(1700000000)
#define WALL_MS (T0 * 1000)
#define HOUR_MS UINT64_C(3600000)
#define FOREVER UINT64_MAX
#define HEADER  sizeof(struct spoolfile_header)

static struct spool spool;

static void
setup(void)
{
    folder_make();
    ck_assert_int_eq(spool_open(&spool, folder, UINT64_MAX, FOREVER, WALL_MS, NULL), 0);
}

static void
teardown(void)
{
    calls.at = 0;
    spool_close(&spool);
    folder_remove();
}

static void
reopen(uint64_t max_bytes, uint64_t max_age_ms, uint64_t wall_ms)
{
    spool_close(&spool);
    ck_assert_int_eq(spool_open(&spool, folder, max_bytes, max_age_ms, wall_ms, NULL), 0);
}

static int
put(uint64_t timestamp_s, uint64_t id, size_t len)
{
    struct batch *batch = folder_batch(timestamp_s, id, len, (unsigned)id);
    int status = spool_put(&spool, batch, timestamp_s * 1000);

    batch_free(batch);
    return status;
}

/* The oldest comes back as it was put, and goes. */
static void
take(uint64_t timestamp_s, uint64_t id, size_t len)
{
    struct batch *want = folder_batch(timestamp_s, id, len, (unsigned)id), *got = NULL;

    ck_assert_ptr_nonnull(spool_oldest(&spool));
    ck_assert_int_eq(spool_load(&spool, spool_oldest(&spool), &got), 0);
    folder_assert_same(got, want);
    ck_assert_int_eq(spool_remove(&spool, spool_oldest(&spool)), 0);
    batch_free(got);
    batch_free(want);
}

static void
assert_empty(void)
{
    ck_assert_ptr_null(spool_oldest(&spool));
    ck_assert_uint_eq(spool.n_files, 0);
    ck_assert_uint_eq(spool.n_bytes, 0);
    ck_assert_uint_eq(spool.n_lines, 0);
}

/* The name of a flush's file, with a suffix. */
static const char *
name_of(uint64_t timestamp_s, uint64_t id, const char *suffix)
{
    static char names[4][64];
    static unsigned next;
    char *name = names[next++ % 4];

    snprintf(name, sizeof(names[0]), "%020llu-%016llx.%s", (unsigned long long)timestamp_s,
             (unsigned long long)id, suffix);
    return name;
}

START_TEST(test_one_file)
{
    struct stat file;

    assert_empty();
    ck_assert_int_eq(put(T0, 0xabc, 1000), 0);
    ck_assert_str_eq(folder_list(), "00000000001700000000-0000000000000abc.flush ");
    ck_assert_int_eq(fstatat(folder, name_of(T0, 0xabc, "flush"), &file, 0), 0);
    ck_assert_uint_eq(file.st_mode, S_IFREG | 0600);
    ck_assert_int_eq((int)file.st_size, (int)HEADER + 1000);
    ck_assert_uint_eq(spool.n_files, 1);
    ck_assert_uint_eq(spool.n_bytes, HEADER + 1000);
    ck_assert_uint_eq(spool.n_lines, 25);
    ck_assert_uint_eq(calls.n_syncs, 2);
    ck_assert(spool_has(&spool, 0xabc));
    ck_assert(!spool_has(&spool, 0xabd));
    take(T0, 0xabc, 1000);
    assert_empty();
    ck_assert(!spool_has(&spool, 0xabc));
    ck_assert_str_eq(folder_list(), "");
}
END_TEST

START_TEST(test_order)
{
    static const struct {
        uint64_t timestamp_s, id;
    } rows[] = {{T0 + 20, 1}, {T0, 7}, {T0 + 10, UINT64_MAX}, {T0 + 10, 3}, {T0, 9}, {0, 0}};
    static const unsigned order[] = {5, 1, 4, 3, 2, 0};

    for (unsigned again = 0; again < 2; again++) {
        for (size_t i = 0; i < 6; i++)
            ck_assert_int_eq(put(rows[i].timestamp_s, rows[i].id, 40 * i), 0);
        if (again)
            reopen(UINT64_MAX, FOREVER, WALL_MS);
        ck_assert_uint_eq(spool.n_lines, 15);
        for (size_t i = 0; i < 6; i++)
            take(rows[order[i]].timestamp_s, rows[order[i]].id, 40 * order[i]);
        assert_empty();
    }
}
END_TEST

START_TEST(test_twice_is_once)
{
    ck_assert_int_eq(put(T0, 5, 40), 0);
    ck_assert_int_eq(put(T0, 5, 80), 0);
    ck_assert_uint_eq(spool.n_files, 1);
    take(T0, 5, 40);
}
END_TEST

START_TEST(test_removed_by_somebody)
{
    struct batch *batch = NULL;

    ck_assert_int_eq(put(T0, 5, 40), 0);
    ck_assert_int_eq(put(T0, 6, 40), 0);
    ck_assert_int_eq(put(T0, 7, 40), 0);
    folder_empty(folder);
    ck_assert_int_eq(spool_remove(&spool, spool_oldest(&spool)), 0);
    ck_assert_int_eq(spool_load(&spool, spool_oldest(&spool), &batch), -ENOENT);
    ck_assert_ptr_null(batch);
    ck_assert_uint_eq(spool.n_files, 1);
    ck_assert_str_eq(spool.bad_reason, "it cannot be read");
    spool.max_bytes = 100;
    ck_assert_int_eq(put(T0, 8, 40), 0);
    take(T0, 8, 40);
    assert_empty();
}
END_TEST

START_TEST(test_limit_of_bytes)
{
    for (uint64_t i = 0; i < 10; i++)
        ck_assert_int_eq(put(T0 + i, i, 1000), 0);
    reopen(5 * (HEADER + 1000) + 1, FOREVER, WALL_MS);
    ck_assert_uint_eq(spool.n_dropped, 5 * 25);
    ck_assert_uint_eq(spool.n_files, 5);
    ck_assert_int_eq(put(T0 + 10, 10, 40), 0);
    ck_assert_uint_eq(spool.n_dropped, 6 * 25);
    ck_assert_int_eq(put(T0 + 11, 11, 2000), 0);
    ck_assert_uint_eq(spool.n_dropped, 8 * 25);
    ck_assert_int_eq(put(T0 + 12, 12, 6000), -EFBIG);
    ck_assert_uint_eq(spool.n_dropped, 8 * 25);
    for (uint64_t i = 8; i < 10; i++)
        take(T0 + i, i, 1000);
    take(T0 + 10, 10, 40);
    take(T0 + 11, 11, 2000);
    assert_empty();
}
END_TEST

/* The one that is on its way stays, wherever it is among those that go. */
START_TEST(test_limits_but_for_the_busy)
{
    for (uint64_t i = 1; i <= 5; i++)
        ck_assert_int_eq(put(T0 + i, i, 1000), 0);
    spool.busy = (uint64_t)_i;
    spool.max_bytes = spool.n_bytes;
    ck_assert_int_eq(put(T0 + 6, 6, 4000), 0);
    ck_assert(spool_has(&spool, (uint64_t)_i));
    ck_assert_uint_eq(spool.n_bytes, 2 * HEADER + 1000 + 4000);
    take(T0 + (uint64_t)_i, (uint64_t)_i, 1000);
    take(T0 + 6, 6, 4000);
    ck_assert_str_eq(folder_list(), "");
}
END_TEST

/* One that has no room at all does not cost the others. */
START_TEST(test_file_beyond_the_limit)
{
    ck_assert_int_eq(put(T0, 1, 400), 0);
    ck_assert_int_eq(put(T0, 2, 4000), 0);
    ck_assert_int_eq(put(T0, 3, 400), 0);
    reopen(3000, FOREVER, WALL_MS);
    ck_assert_uint_eq(spool.n_dropped, 100);
    take(T0, 1, 400);
    take(T0, 3, 400);
    ck_assert_str_eq(folder_list(), "");
}
END_TEST

START_TEST(test_limit_of_age)
{
    for (uint64_t i = 0; i < 4; i++)
        ck_assert_int_eq(put(T0 + 3600 * i, i, 40), 0);
    reopen(UINT64_MAX, HOUR_MS, (T0 + 7200) * 1000 + 999);
    ck_assert_uint_eq(spool.n_dropped, 1);
    ck_assert_uint_eq(spool.n_files, 3);
    ck_assert_int_eq(put(T0 + 7201, 9, 40), 0);
    ck_assert_uint_eq(spool.n_dropped, 2);
    reopen(UINT64_MAX, HOUR_MS, 0);
    ck_assert_uint_eq(spool.n_dropped, 0);
    take(T0 + 7200, 2, 40);
    take(T0 + 7201, 9, 40);
    take(T0 + 10800, 3, 40);
}
END_TEST

/* The index is as good as full, of files that are gone already. */
static void
fill_index(size_t n, uint64_t first_s)
{
    for (size_t i = 0; i < n; i++)
        spool.files[i] = (struct spool_file){.timestamp_s = first_s + i, .n_lines = 2, .size = 3};
    spool.n_files = n;
    spool.n_lines = 2 * n;
    spool.n_bytes = 3 * n;
}

START_TEST(test_limit_of_files)
{
    fill_index(SPOOL_FILES_MAX - 1, 0);
    ck_assert_int_eq(put(T0, 1, 40), 0);
    ck_assert_uint_eq(spool.n_files, SPOOL_FILES_MAX);
    ck_assert_uint_eq(spool.n_dropped, 0);
    ck_assert_int_eq(put(T0, 2, 40), 0);
    ck_assert_uint_eq(spool.n_files, SPOOL_FILES_MAX);
    ck_assert_uint_eq(spool.n_dropped, 2);
    ck_assert_uint_eq(spool_oldest(&spool)->timestamp_s, 1);
    ck_assert_uint_eq(spool.n_lines, 2 * (size_t)SPOOL_FILES_MAX - 2);
}
END_TEST

static void
on_openat(const char *name)
{
    if (strcmp(name, ".") == 0)
        fill_index(SPOOL_FILES_MAX - 2, T0 + 3);
}

/* More files than the index takes: six, behind as many as leave room for two. Of all of them the
 * oldest four go, three of them from the directory. */
START_TEST(test_too_many_files)
{
    static const uint64_t when_s[] = {T0, T0 + 1, T0 + 2, T0 + 5, T0 + 1000000, T0 + 1000001};

    for (uint64_t i = 0; i < 6; i++)
        ck_assert_int_eq(put(when_s[i], i + 1, 40 * (i + 1)), 0);
    calls.on_openat = on_openat;
    reopen(UINT64_MAX, FOREVER, WALL_MS);
    calls.on_openat = NULL;
    ck_assert_uint_eq(spool.n_files, SPOOL_FILES_MAX);
    ck_assert_uint_eq(spool.n_dropped, 1 + 2 + 3 + 2);
    ck_assert_uint_eq(spool.n_lines, 2 * (size_t)SPOOL_FILES_MAX - 3 * 2 + 4 + 5 + 6);
    ck_assert_uint_eq(spool_oldest(&spool)->timestamp_s, T0 + 4);
    for (size_t i = 1; i < spool.n_files; i++)
        ck_assert(spool.files[i - 1].timestamp_s <= spool.files[i].timestamp_s);
    ck_assert_int_eq(faccessat(folder, name_of(T0 + 2, 3, "flush"), F_OK, 0), -1);
    ck_assert_int_eq(faccessat(folder, name_of(T0 + 5, 4, "flush"), F_OK, 0), 0);
}
END_TEST

static void
fill_twice(const char *name)
{
    if (strcmp(name, ".") == 0)
        fill_index(2 * (size_t)SPOOL_FILES_MAX - 1, T0 + 3);
}

/* So many more than there may be that some go before all are known. */
START_TEST(test_far_too_many_files)
{
    for (uint64_t i = 1; i <= 3; i++)
        ck_assert_int_eq(put(T0 - i, i, 40), 0);
    calls.on_openat = fill_twice;
    reopen(UINT64_MAX, FOREVER, WALL_MS);
    calls.on_openat = NULL;
    ck_assert_uint_eq(spool.n_files, SPOOL_FILES_MAX);
    ck_assert_uint_eq(spool.n_dropped, 3 + 2 * ((uint64_t)SPOOL_FILES_MAX - 1));
    ck_assert_uint_eq(spool_oldest(&spool)->timestamp_s, T0 + 3 + SPOOL_FILES_MAX - 1);
    ck_assert_str_eq(folder_list(), "");
}
END_TEST

/* Who waits for the process sees that it gets on, whatever there is. */
START_TEST(test_beat)
{
    uint64_t beat = 7;

    for (uint64_t i = 0; i < 20; i++)
        ck_assert_int_eq(put(T0 + i, i + 1, 40), 0);
    spool_close(&spool);
    ck_assert_int_eq(spool_open(&spool, folder, 10 * (HEADER + 40), FOREVER, WALL_MS, &beat), 0);
    ck_assert_uint_ge(beat, 7 + 20 + 10);
}
END_TEST

START_TEST(test_names_that_are_not_ours)
{
    static const char *const names[] = {
        "lost+found",
        "x.flush",
        "1700000000-0000000000000005.flush",
        "00000000001700000000-5.flush",
        "00000000001700000000-0000000000000005",
        "00000000001700000000-0000000000000005.",
        "00000000001700000000-0000000000000005.flush2",
        "00000000001700000000-0000000000000005.flush.tmp",
        "00000000001700000000-0000000000000005.FLUSH",
        "00000000001700000000-000000000000000A.flush",
        "00000000001700000000-0x00000000000005.flush",
        " 0000000001700000000-0000000000000005.tmp",
        "+0000000001700000000-0000000000000005.tmp",
        "-0000000001700000000-0000000000000005.tmp",
        "99999999999999999999-0000000000000005.tmp",
        "18446744073709551616-0000000000000005.tmp",
        "00000000001700000000-00000000000000005.bad",
        ".00000000001700000000-0000000000000005.tmp",
        "00000000001700000000-0000000000000005.tmp\n",
    };
    size_t n = sizeof(names) / sizeof(names[0]);

    for (size_t i = 0; i < n; i++)
        folder_write(names[i], "x", 1);
    reopen(0, 0, UINT64_MAX);
    assert_empty();
    ck_assert_uint_eq(spool.n_ignored, 0);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(unlinkat(folder, names[i], 0), 0);
}
END_TEST

static void
make_link(const char *name)
{
    ck_assert_int_eq(symlinkat("target", folder, name), 0);
}

static void
make_dangling_link(const char *name)
{
    ck_assert_int_eq(symlinkat("nowhere", folder, name), 0);
}

static void
make_hard_link(const char *name)
{
    ck_assert_int_eq(linkat(folder, "target", folder, name, 0), 0);
}

static void
make_fifo(const char *name)
{
    ck_assert_int_eq(mkfifoat(folder, name, 0600), 0);
}

static void
make_directory(const char *name)
{
    ck_assert_int_eq(mkdirat(folder, name, 0700), 0);
}

static void
make_socket(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    ck_assert_int_lt(
        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", folder, name),
        (int)sizeof(address.sun_path));
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
}

static void (*const makers[])(const char *) = {
    make_link, make_dangling_link, make_hard_link, make_fifo, make_directory, make_socket,
};
static const char *const suffixes[] = {"flush", "tmp", "bad"};

/* At every name that the spool would use there is something else, with a whole file behind it. */
START_TEST(test_entries_that_are_not_ours)
{
    void (*make)(const char *) = makers[_i / 3];
    const char *name = name_of(T0, 5, suffixes[_i % 3]);
    struct stat before, after;
    char target[2048], now[2048];
    size_t len;

    ck_assert_int_eq(put(T0, 5, 1000), 0);
    len = folder_read(name_of(T0, 5, "flush"), target, sizeof(target));
    folder_empty(folder);
    folder_write("target", target, len);
    make(name);
    ck_assert_int_eq(fstatat(folder, name, &before, AT_SYMLINK_NOFOLLOW), 0);
    reopen(0, 0, UINT64_MAX);
    assert_empty();
    ck_assert_uint_eq(spool.n_ignored, 1);
    ck_assert_uint_eq(spool.n_bad, 0);

    reopen(UINT64_MAX, FOREVER, WALL_MS);
    ck_assert_int_eq(put(T0, 5, 400), _i % 3 == 2 ? 0 : -EEXIST);
    if (_i % 3 == 2) { /* not to be set aside there */
        struct batch *batch;

        ck_assert_int_eq(unlinkat(folder, name_of(T0, 5, "flush"), 0), 0);
        folder_write(name_of(T0, 5, "flush"), target, len - 1);
        ck_assert_int_eq(spool_load(&spool, spool_oldest(&spool), &batch), -EBADMSG);
        ck_assert_uint_eq(spool.n_bad, 0);
    }
    assert_empty();
    ck_assert_int_eq(fstatat(folder, name, &after, AT_SYMLINK_NOFOLLOW), 0);
    ck_assert_uint_eq(after.st_ino, before.st_ino);
    ck_assert_uint_eq(folder_read("target", now, sizeof(now)), len);
    ck_assert_int_eq(memcmp(now, target, len), 0);
}
END_TEST

/* What was a file when the spool was opened has become something else. */
START_TEST(test_swapped_entries)
{
    static const int want[] = {-ELOOP, -ELOOP, -EBADMSG, -ESTALE, -ESTALE, -ENXIO};
    const char *name = name_of(T0, 5, "flush");
    struct batch *batch = NULL;

    ck_assert_int_eq(put(T0, 5, 1000), 0);
    ck_assert_int_eq(put(T0, 6, 1000), 0);
    ck_assert_int_eq(unlinkat(folder, name, 0), 0);
    folder_write("target", "other", 5);
    makers[_i](name);
    ck_assert_int_eq(spool_load(&spool, spool_oldest(&spool), &batch), want[_i]);
    ck_assert_ptr_null(batch);
    ck_assert_uint_eq(spool.n_bad_files, 1);
    ck_assert_int_eq(faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW), _i == 2 ? -1 : 0);
    take(T0, 6, 1000);
}
END_TEST

START_TEST(test_leftovers_go)
{
    folder_write(name_of(T0, 5, "tmp"), "half", 4);
    folder_write(name_of(T0, 6, "tmp"), "", 0);
    folder_write("foreign.tmp", "", 0);
    reopen(UINT64_MAX, FOREVER, WALL_MS);
    ck_assert_str_eq(folder_list(), "foreign.tmp ");
    ck_assert_int_eq(put(T0, 5, 40), 0);
}
END_TEST

/* Damages the file of (T0 + i, i) so that it is seen when the spool is opened, or when it is read.
 */
static void
damage(uint64_t i, bool early)
{
    char bytes[2048];
    const char *name = name_of(T0 + i, i, "flush");
    size_t len = folder_read(name, bytes, sizeof(bytes));

    bytes[early ? 0 : HEADER + 7] ^= 1;
    folder_write(name, bytes, len);
}

START_TEST(test_bad_files_are_few)
{
    struct batch *batch;

    for (uint64_t i = 0; i < 60; i++) {
        ck_assert_int_eq(put(T0 + i, i, 1000), 0);
        damage(i, i < 30);
    }
    ck_assert_int_eq(put(T0 + 100, 100, 1000), 0);
    reopen(UINT64_MAX, FOREVER, WALL_MS);
    ck_assert_uint_eq(spool.n_bad_files, 30);
    ck_assert_uint_eq(spool.n_bad, SPOOL_BAD_MAX);
    ck_assert_uint_eq(spool.n_files, 31);
    for (uint64_t i = 30; i < 60; i++) {
        ck_assert_int_eq(spool_load(&spool, spool_oldest(&spool), &batch), -EBADMSG);
        ck_assert_str_eq(spool.bad_reason, "wrong checksum");
        ck_assert_uint_eq(spool.bad_file.id, i);
    }
    ck_assert_uint_eq(spool.n_bad_files, 60);
    for (uint64_t i = 0; i < 60; i++)
        ck_assert_int_eq(faccessat(folder, name_of(T0 + i, i, "bad"), F_OK, 0), i < 44 ? -1 : 0);
    take(T0 + 100, 100, 1000);
    reopen(UINT64_MAX, FOREVER, WALL_MS);
    ck_assert_uint_eq(spool.n_bad, SPOOL_BAD_MAX);
    ck_assert_uint_eq(spool.n_bad_files, 0);
    folder_write(name_of(T0, 0, "bad"), "", 0);
    reopen(UINT64_MAX, FOREVER, WALL_MS);
    ck_assert_int_eq(faccessat(folder, name_of(T0, 0, "bad"), F_OK, 0), -1);
}
END_TEST

/* What was set aside takes room of the limit, and goes first. */
START_TEST(test_bad_files_have_no_room)
{
    struct batch *batch;

    reopen(3 * (HEADER + 1000), FOREVER, WALL_MS);
    for (uint64_t i = 0; i < 3; i++)
        ck_assert_int_eq(put(T0 + i, i, 1000), 0);
    damage(0, false);
    ck_assert_int_eq(spool_load(&spool, spool_oldest(&spool), &batch), -EBADMSG);
    ck_assert_uint_eq(spool.n_bad, 1);
    ck_assert_int_eq(put(T0 + 3, 3, 1000), 0);
    ck_assert_uint_eq(spool.n_bad, 0);
    ck_assert_uint_eq(spool.n_dropped, 0);
    for (uint64_t i = 1; i < 4; i++)
        take(T0 + i, i, 1000);
    ck_assert_str_eq(folder_list(), "");
}
END_TEST

/* The same flush is damaged twice: the newer damage is kept. */
START_TEST(test_bad_again)
{
    struct batch *batch;

    for (unsigned again = 0; again < 2; again++) {
        ck_assert_int_eq(put(T0, 0, 1000), 0);
        damage(0, again != 0);
        ck_assert_int_eq(spool_load(&spool, spool_oldest(&spool), &batch), -EBADMSG);
        ck_assert_uint_eq(spool.n_bad, 1);
        ck_assert_str_eq(folder_list(), "00000000001700000000-0000000000000000.bad ");
    }
}
END_TEST

/* A directory that cannot be written any more, and is full: what is in it can still be read. */
static void
assert_read_only(int error)
{
    struct batch *batch;

    spool.max_bytes = spool.n_bytes;
    ck_assert_int_eq(put(T0 + 5, 5, 1000), -error);
    ck_assert_uint_eq(spool.n_dropped, 0);
    ck_assert_uint_eq(spool.n_files, 2);
    ck_assert_int_eq(spool_load(&spool, spool_oldest(&spool), &batch), 0);
    batch_free(batch);
    ck_assert_int_eq(spool_remove(&spool, spool_oldest(&spool)), -error);
    ck_assert_uint_eq(spool.n_files, 1);
}

START_TEST(test_read_only)
{
    ck_assert_int_eq(put(T0, 1, 1000), 0);
    ck_assert_int_eq(put(T0, 2, 1000), 0);
    calls.at = 1;
    calls.error = EROFS;
    calls.for_ever = true;
    spool.max_bytes = spool.n_bytes;
    ck_assert_int_eq(put(T0 + 5, 5, 1000), -EROFS);
    ck_assert_uint_eq(spool.n_files, 2);
    ck_assert_uint_eq(spool.n_dropped, 0);
    ck_assert_int_eq(spool_remove(&spool, spool_oldest(&spool)), -EROFS);
    ck_assert_uint_eq(spool.n_files, 1);
    calls.at = 0;
    reopen(UINT64_MAX, FOREVER, WALL_MS);
    take(T0, 1, 1000);
    take(T0, 2, 1000);
}
END_TEST

/* A disk of 64 KiB of one's own, where that can be had. Ends with the test's process. */
static bool
mount_tiny(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tiny", folder_path, "tmpfs", 0, "size=64k") != 0)
        return false;
    close(folder);
    folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    reopen(UINT64_MAX, FOREVER, WALL_MS);
    return true;
}

START_TEST(test_disk_that_is_full_then_read_only)
{
    const char *before;
    char list[FOLDER_LIST_MAX];

    if (!mount_tiny())
        return;
    ck_assert_int_eq(put(T0, 1, 1000), 0);
    ck_assert_int_eq(put(T0, 2, 1000), 0);
    before = strcpy(list, folder_list());
    ck_assert_int_eq(put(T0, 3, 100000), -ENOSPC);
    ck_assert_str_eq(folder_list(), before);
    ck_assert_int_eq(put(T0, 3, 1000), 0);
    take(T0, 1, 1000);
    ck_assert_int_eq(mount(NULL, folder_path, NULL, MS_REMOUNT | MS_RDONLY, "size=64k"), 0);
    assert_read_only(EROFS);
    reopen(1, 0, UINT64_MAX);
    ck_assert_uint_eq(spool.n_files, 0);
    reopen(UINT64_MAX, 0, UINT64_MAX);
    ck_assert_uint_eq(spool.n_files, 2);
    ck_assert_int_eq(mount(NULL, folder_path, NULL, MS_REMOUNT, "size=64k"), 0);
    folder_empty(folder);
    close(folder);
    ck_assert_int_eq(umount2(folder_path, MNT_DETACH), 0);
    folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}
END_TEST

START_TEST(test_limits_of_the_process)
{
    struct rlimit old, tight;
    struct batch *batch = NULL;
    struct spool other;

    ck_assert_int_eq(put(T0, 1, 1000), 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    tight = (struct rlimit){2000, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &tight);
    ck_assert_int_eq(put(T0, 2, 2000), -EFBIG);
    ck_assert_int_eq(put(T0, 3, 1000), 0);
    setrlimit(RLIMIT_FSIZE, &old);

    getrlimit(RLIMIT_NOFILE, &old);
    tight = (struct rlimit){0, old.rlim_max};
    setrlimit(RLIMIT_NOFILE, &tight);
    ck_assert_int_eq(put(T0, 4, 1000), -EMFILE);
    ck_assert_int_eq(spool_load(&spool, spool_oldest(&spool), &batch), -EMFILE);
    ck_assert_int_eq(spool_open(&other, folder, UINT64_MAX, FOREVER, WALL_MS, NULL), -EMFILE);
    setrlimit(RLIMIT_NOFILE, &old);
    ck_assert_ptr_null(batch);
    take(T0, 1, 1000);
    take(T0, 3, 1000);
    ck_assert_str_eq(folder_list(), "");
}
END_TEST

START_TEST(test_open_of_no_directory)
{
    struct spool none = {0};
    int fd = open("/dev/null", O_RDONLY);

    spool_close(&none);
    ck_assert_int_eq(spool_open(&none, -1, 1, 1, 1, NULL), -EBADF);
    ck_assert_int_eq(spool_open(&none, fd, 1, 1, 1, NULL), -ENOTDIR);
    close(fd);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("spool");
    TCase *tcase = tcase_create("spool");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_one_file);
    tcase_add_test(tcase, test_order);
    tcase_add_test(tcase, test_twice_is_once);
    tcase_add_test(tcase, test_removed_by_somebody);
    tcase_add_test(tcase, test_limit_of_bytes);
    tcase_add_test(tcase, test_file_beyond_the_limit);
    tcase_add_test(tcase, test_limit_of_age);
    tcase_add_test(tcase, test_limit_of_files);
    tcase_add_test(tcase, test_too_many_files);
    tcase_add_test(tcase, test_far_too_many_files);
    tcase_add_test(tcase, test_beat);
    tcase_add_test(tcase, test_names_that_are_not_ours);
    tcase_add_loop_test(tcase, test_entries_that_are_not_ours, 0, 18);
    tcase_add_loop_test(tcase, test_swapped_entries, 0, 6);
    tcase_add_test(tcase, test_leftovers_go);
    tcase_add_test(tcase, test_bad_files_are_few);
    tcase_add_test(tcase, test_bad_files_have_no_room);
    tcase_add_test(tcase, test_bad_again);
    tcase_add_test(tcase, test_read_only);
    tcase_add_test(tcase, test_disk_that_is_full_then_read_only);
    tcase_add_loop_test(tcase, test_limits_but_for_the_busy, 1, 6);
    tcase_add_test(tcase, test_limits_of_the_process);
    tcase_add_test(tcase, test_open_of_no_directory);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
