/*
 * check_spoolfile: names both ways; a flush's way through a file; each way in which one can be
 * damaged, and what is said of it.
 */
#include "sender/spoolfile.h"

#include <errno.h>
#include <stdint.h>

#include "base/hash.h"

#include "folder.h"

#define HEADER sizeof(struct spoolfile_header)

static void
setup(void)
{
    folder_make();
}

static void
teardown(void)
{
    folder_remove();
}

START_TEST(test_names)
{
    static const struct {
        const char *name;
        enum spoolfile_kind kind;
        uint64_t timestamp_s, id;
    } rows[] = {
        {"00000000000000000000-0000000000000000.flush", SPOOLFILE_FLUSH, 0, 0},
        {"00000000001700000000-0123456789abcdef.flush", SPOOLFILE_FLUSH, 1700000000,
         0x0123456789abcdef},
        {"00000000001700000000-0123456789abcdef.tmp", SPOOLFILE_TEMPORARY, 1700000000,
         0x0123456789abcdef},
        {"18446744073709551615-ffffffffffffffff.bad", SPOOLFILE_BAD, UINT64_MAX, UINT64_MAX},
        {"18446744073709551615-ffffffffffffffff.flush", SPOOLFILE_FLUSH, UINT64_MAX, UINT64_MAX},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct spool_file file = {.size = 1};
        char name[SPOOLFILE_NAME_SIZE];

        ck_assert_int_eq(spoolfile_read_name(rows[i].name, &file), rows[i].kind);
        ck_assert_uint_eq(file.timestamp_s, rows[i].timestamp_s);
        ck_assert_uint_eq(file.id, rows[i].id);
        ck_assert_uint_eq(file.size, 0);
        spoolfile_name(&file, rows[i].kind, name);
        ck_assert_str_eq(name, rows[i].name);
    }
}
END_TEST

START_TEST(test_names_that_are_foreign)
{
    static const char *const rows[] = {
        "",
        ".",
        "..",
        "x",
        "00000000000000000000-0000000000000000",
        "00000000000000000000-0000000000000000.flush ",
        "00000000000000000000_0000000000000000.flush",
        "18446744073709551616-0000000000000000.flush",
        "00000000000000000000-00000000000000000.flush",
        "0000000000000000000-0000000000000000.flush",
        "00000000000000000000-ABCDEFABCDEFABCD.flush",
        "-0000000000000000001-0000000000000000.flush",
        "00000000000000000000--000000000000000.flush",
    };
    struct spool_file file = {.size = 1};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_int_eq(spoolfile_read_name(rows[i], &file), SPOOLFILE_FOREIGN);
        ck_assert_uint_eq(file.size, 1);
    }
}
END_TEST

/* Reads a file back; -EBADMSG with *reason. */
static int
read_back(const struct spool_file *file, struct batch **out, const char **reason)
{
    struct spoolfile_header header;
    int fd, status = spoolfile_open(folder, file, &header, &fd, reason);

    if (status == 0) {
        status = spoolfile_read(fd, &header, out, reason);
        close(fd);
    }
    return status;
}

START_TEST(test_there_and_back)
{
    static const size_t rows[] = {0, 40, 79, 1000, 100000};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct batch *batch = folder_batch(1700000000 + i, UINT64_MAX - i, rows[i], 3), *got;
        struct spool_file file = spoolfile_of(batch);
        const char *reason;

        ck_assert_uint_eq(file.size, HEADER + rows[i]);
        ck_assert_int_eq(spoolfile_write(folder, &file, batch), 0);
        ck_assert_int_eq(spoolfile_write(folder, &file, batch), -EEXIST);
        ck_assert_int_eq(read_back(&file, &got, &reason), 0);
        folder_assert_same(got, batch);
        ck_assert_int_eq(spoolfile_unlink(folder, &file, SPOOLFILE_BAD), 0);
        ck_assert_int_eq(spoolfile_unlink(folder, &file, SPOOLFILE_FLUSH), 0);
        ck_assert_str_eq(folder_list(), "");
        ck_assert_int_eq(read_back(&file, &got, &reason), -ENOENT);
        batch_free(got);
        batch_free(batch);
    }
    ck_assert_int_eq(spoolfile_unlink(-1, &(struct spool_file){0}, SPOOLFILE_FLUSH), -EBADF);
}
END_TEST

static void
seal(uint8_t *bytes, size_t len)
{
    struct spoolfile_header header;

    memcpy(&header, bytes, HEADER);
    header.crc = 0;
    memcpy(bytes, &header, HEADER);
    header.crc = hash_crc32c(0, bytes, len);
    memcpy(bytes, &header, HEADER);
}

/* A byte of a file with two records is another: found by the checksum, or, where somebody has made
 * a new one, by what it says. */
START_TEST(test_damage)
{
    static const char checksum[] = "wrong checksum", record[] = "what it holds is no record";
    static const char name[] = "not the flush that its name says";
    static const struct {
        size_t at;
        uint8_t flip;
        const char *unsealed, *sealed;
    } rows[] = {
        {0, 1, "no file of a spool", "no file of a spool"},
        {7, 0x80, "no file of a spool", "no file of a spool"},
        {8, 3, "of another version", "of another version"},
        {12, 1, checksum, NULL},
        {16, 1, name, name},
        {31, 1, name, name},
        {32, 1, checksum, "not as many lines as it says"},
        {39, 1, "shorter than its lines", "shorter than its lines"},
        {40, 1, "not as long as it says", "not as long as it says"},
        {HEADER, 0x7f, checksum, record},
        {HEADER + 1, 1, checksum, record},
        {HEADER + 2, 1, checksum, record},
        {HEADER + 40 + 3, 0x80, checksum, record},
        {HEADER + 4 + 9, 0x40, checksum, record}, /* of a point: infinity */
        {HEADER + 79, 1, checksum, NULL},         /* of a name */
    };

    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        const char *want = i % 2 == 0 ? rows[i / 2].unsealed : rows[i / 2].sealed, *reason;
        struct batch *batch = folder_batch(5, 6, 80, 1), *got = NULL;
        struct spool_file file = spoolfile_of(batch);
        char path[SPOOLFILE_NAME_SIZE];
        uint8_t bytes[HEADER + 80];

        ck_assert_int_eq(spoolfile_write(folder, &file, batch), 0);
        spoolfile_name(&file, SPOOLFILE_FLUSH, path);
        ck_assert_uint_eq(folder_read(path, bytes, sizeof(bytes)), sizeof(bytes));
        bytes[rows[i / 2].at] ^= rows[i / 2].flip;
        if (i % 2 == 1)
            seal(bytes, sizeof(bytes));
        folder_write(path, bytes, sizeof(bytes));
        ck_assert_msg(read_back(&file, &got, &reason) == (want != NULL ? -EBADMSG : 0), "row %zu",
                      i / 2);
        if (want != NULL)
            ck_assert_str_eq(reason, want);
        batch_free(got);
        batch_free(batch);
        folder_empty(folder);
    }
}
END_TEST

START_TEST(test_length)
{
    struct batch *batch = folder_batch(5, 6, 80, 1), *got = NULL;
    struct spool_file file = spoolfile_of(batch);
    const char *reason;

    ck_assert_int_eq(spoolfile_write(folder, &file, batch), 0);
    file.size++;
    ck_assert_int_eq(read_back(&file, &got, &reason), -EBADMSG);
    ck_assert_str_eq(reason, "not as long as it was");
    file.size -= 2;
    ck_assert_int_eq(read_back(&file, &got, &reason), -EBADMSG);
    ck_assert_ptr_null(got);
    batch_free(batch);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("spoolfile");
    TCase *tcase = tcase_create("spoolfile");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_names);
    tcase_add_test(tcase, test_names_that_are_foreign);
    tcase_add_test(tcase, test_there_and_back);
    tcase_add_test(tcase, test_damage);
    tcase_add_test(tcase, test_length);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
