/*
 * check_gaugefile: what is written is read; what nobody has written is refused, whole.
 */
#include "metric/gaugefile.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "metric/point.h"

#define HEADER sizeof(struct gaugefile_header)

static const double values[] = {0, -0.0, 1.5, -1e308, 5e-324, 1700000000};

/* Entry i of the tests' files. */
static struct gaugefile_entry
entry_of(size_t i, char name[RECORD_NAME_MAX])
{
    size_t len = i == 0 ? 1 : i == 1 ? RECORD_NAME_MAX : 5 + i % 20;

    memset(name, 'a' + (int)(i % 26), len);
    return (struct gaugefile_entry){
        .set_ms = i == 2 ? GAUGEFILE_SET_MS_MAX : 1700000000000 + i,
        .value = values[i % 6],
        .name = name,
        .name_len = len,
    };
}

static void
make(struct buf *buf, size_t n)
{
    char name[RECORD_NAME_MAX];

    buf_init(buf, 1 << 20);
    ck_assert_int_eq(gaugefile_begin(buf), 0);
    for (size_t i = 0; i < n; i++) {
        struct gaugefile_entry entry = entry_of(i, name);

        ck_assert_int_eq(gaugefile_add(buf, &entry), 0);
    }
    gaugefile_end(buf);
}

static void
assert_entries(struct gaugefile *file, size_t n)
{
    struct gaugefile_entry got, want;
    char name[RECORD_NAME_MAX];

    for (size_t i = 0; i < n; i++) {
        want = entry_of(i, name);
        ck_assert(gaugefile_next(file, &got));
        ck_assert_uint_eq(got.set_ms, want.set_ms);
        ck_assert_int_eq(memcmp(&got.value, &want.value, sizeof(double)), 0);
        ck_assert_uint_eq(got.name_len, want.name_len);
        ck_assert_int_eq(memcmp(got.name, want.name, want.name_len), 0);
    }
    ck_assert(!gaugefile_next(file, &got));
    ck_assert(!gaugefile_next(file, &got));
}

START_TEST(test_written_and_read)
{
    static const size_t rows[] = {0, 1, 2, 3, 100};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gaugefile file;
        struct buf buf;

        make(&buf, rows[i]);
        ck_assert_int_eq(gaugefile_open(buf.data, buf.len, &file), GAUGEFILE_OK);
        assert_entries(&file, rows[i]);
        buf_release(&buf);
    }
}
END_TEST

START_TEST(test_what_is_no_entry)
{
    static const char name[RECORD_NAME_MAX + 1] = "x";
    static const struct gaugefile_entry rows[] = {
        {.value = 1, .name = name, .name_len = 0},
        {.value = 1, .name = name, .name_len = RECORD_NAME_MAX + 1},
        {.value = 1, .name = name, .name_len = 65537},
        {.value = NAN, .name = name, .name_len = 1},
        {.set_ms = GAUGEFILE_SET_MS_MAX + 1, .value = 1, .name = name, .name_len = 1},
        {.set_ms = UINT64_MAX, .value = 1, .name = name, .name_len = 1},
        {.value = INFINITY, .name = name, .name_len = 1},
        {.value = -INFINITY, .name = name, .name_len = 1},
    };
    struct gaugefile file;
    struct buf buf;

    buf_init(&buf, 100000);
    ck_assert_int_eq(gaugefile_begin(&buf), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ck_assert_int_eq(gaugefile_add(&buf, &rows[i]), -1);
    gaugefile_end(&buf);
    ck_assert_uint_eq(buf.len, HEADER);
    ck_assert_int_eq(gaugefile_open(buf.data, buf.len, &file), GAUGEFILE_OK);
    assert_entries(&file, 0);
    buf_release(&buf);
}
END_TEST

START_TEST(test_no_room)
{
    uint8_t bytes[HEADER + GAUGEFILE_ENTRY_LEN + 1];
    struct gaugefile file;
    struct buf buf;

    buf_init_fixed(&buf, bytes, HEADER - 1);
    ck_assert_int_eq(gaugefile_begin(&buf), -1);
    buf_init_fixed(&buf, bytes, sizeof(bytes));
    ck_assert_int_eq(gaugefile_begin(&buf), 0);
    for (int i = 0; i < 3; i++) {
        char name[RECORD_NAME_MAX];
        struct gaugefile_entry entry = entry_of(0, name);

        ck_assert_int_eq(gaugefile_add(&buf, &entry), i == 0 ? 0 : -1);
    }
    gaugefile_end(&buf);
    ck_assert_int_eq(gaugefile_open(bytes, sizeof(bytes), &file), GAUGEFILE_OK);
    assert_entries(&file, 1);
}
END_TEST

static void
seal(struct buf *buf)
{
    struct gaugefile_header header;

    memcpy(&header, buf->data, HEADER);
    header.crc = 0;
    memcpy(buf->data, &header, HEADER);
    header.crc = hash_crc32c(0, buf->data, buf->len);
    memcpy(buf->data, &header, HEADER);
}

/* One byte of a file of three gauges is another; with the checksum that belongs to it, or not. */
START_TEST(test_refused)
{
    enum { SECOND = HEADER + GAUGEFILE_ENTRY_LEN + 1 };
    static const struct {
        size_t at;
        uint8_t flip;
        bool sealed;
        enum gaugefile_verdict want;
    } rows[] = {
        {0, 1, true, GAUGEFILE_FOREIGN},
        {7, 0xff, true, GAUGEFILE_FOREIGN},
        {8, 3, true, GAUGEFILE_VERSION},
        {11, 1, true, GAUGEFILE_VERSION},
        {12, 1, false, GAUGEFILE_CHECKSUM},
        {16, 1, false, GAUGEFILE_CHECKSUM},
        {16, 1, true, GAUGEFILE_ENTRY}, /* n */
        {23, 0x80, true, GAUGEFILE_ENTRY},
        {24, 1, true, GAUGEFILE_LENGTH},
        {31, 0x80, true, GAUGEFILE_LENGTH},
        {HEADER, 1, false, GAUGEFILE_CHECKSUM},
        {HEADER, 1, true, GAUGEFILE_OK},         /* set_ms */
        {HEADER + 16, 1, true, GAUGEFILE_ENTRY}, /* a name of no bytes */
        {HEADER + 16, 2, true, GAUGEFILE_ENTRY}, /* of three */
        {SECOND + 16, 1, true, GAUGEFILE_ENTRY}, /* of one more than the most */
        {SECOND + 17, 0xff, true, GAUGEFILE_ENTRY},
        {SECOND + 16 + 2 + 5, 1, true, GAUGEFILE_OK}, /* a name */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gaugefile file = {NULL, NULL};
        struct buf buf;

        make(&buf, 3);
        buf.data[rows[i].at] ^= rows[i].flip;
        if (rows[i].sealed)
            seal(&buf);
        ck_assert_msg(gaugefile_open(buf.data, buf.len, &file) == rows[i].want, "row %zu", i);
        ck_assert((file.at != NULL) == (rows[i].want == GAUGEFILE_OK));
        ck_assert_ptr_nonnull(gaugefile_strerror(rows[i].want));
        buf_release(&buf);
    }
}
END_TEST

START_TEST(test_values_that_are_none)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY};

    for (size_t i = 0; i < 3; i++) {
        struct gaugefile file;
        struct buf buf;

        make(&buf, 3);
        memcpy(buf.data + HEADER + 8, &bad[i], sizeof(double));
        seal(&buf);
        ck_assert_int_eq(gaugefile_open(buf.data, buf.len, &file), GAUGEFILE_ENTRY);
        buf_release(&buf);
    }
}
END_TEST

/* Each in memory of its own, so that a sanitizer sees a byte too far. */
START_TEST(test_every_truncation)
{
    struct gaugefile file;
    struct buf buf;

    make(&buf, 10);
    for (size_t len = 0; len < buf.len; len++) {
        uint8_t *copy = malloc(len + 1);

        memcpy(copy, buf.data, len);
        copy = realloc(copy, len > 0 ? len : 1);
        ck_assert_int_eq(gaugefile_open(copy, len, &file),
                         len < HEADER ? GAUGEFILE_SHORT : GAUGEFILE_LENGTH);
        free(copy);
    }
    ck_assert_int_eq(buf_append(&buf, "x", 1), 0);
    ck_assert_int_eq(gaugefile_open(buf.data, buf.len, &file), GAUGEFILE_LENGTH);
    buf_release(&buf);
}
END_TEST

static void
mutate(uint8_t *bytes, size_t *len)
{
    for (int n = 1 + (int)(random() % 4); n > 0; n--) {
        size_t at = (size_t)random() % *len;

        switch (random() % 5) {
        case 0: bytes[at] ^= (uint8_t)(1 << random() % 8); break;
        case 1: bytes[at] = (uint8_t)random(); break;
        case 2: bytes[at] = 0xff; break;
        case 3: memmove(bytes + at, bytes + (size_t)random() % *len / 2, (*len - at) / 2); break;
        default: *len = 1 + at; break;
        }
    }
}

/* A header that fits what stands behind it, except perhaps for n: a forger's. */
static void
forge(uint8_t *bytes, size_t len, const struct gaugefile_header *good)
{
    struct gaugefile_header header = *good;
    struct buf buf;

    header.length = len - HEADER;
    if (random() % 2 == 0)
        header.n = (uint64_t)random() % 8;
    memcpy(bytes, &header, HEADER);
    buf_init_fixed(&buf, bytes, len);
    buf.len = len;
    seal(&buf);
}

/* Whatever is taken is entries from the first byte to the last, each of them one. */
static void
assert_sane(struct gaugefile *file, const uint8_t *end, uint64_t n)
{
    struct gaugefile_entry entry;

    for (; n > 0; n--) {
        ck_assert(gaugefile_next(file, &entry));
        ck_assert(isfinite(entry.value));
        ck_assert_uint_ge(entry.name_len, 1);
        ck_assert_uint_le(entry.name_len, RECORD_NAME_MAX);
        ck_assert((const uint8_t *)entry.name + entry.name_len <= end);
    }
    ck_assert(!gaugefile_next(file, &entry));
    ck_assert_ptr_eq(file->at, end);
}

START_TEST(test_mutations)
{
    struct gaugefile_header good;
    unsigned n_taken = 0, n_entries_bad = 0;
    struct buf buf;

    srandom(4711);
    make(&buf, 5);
    memcpy(&good, buf.data, HEADER);
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t *copy = malloc(buf.len);
        size_t len = buf.len;
        bool forged = i % 2 == 1;
        struct gaugefile file;
        enum gaugefile_verdict verdict;

        memcpy(copy, buf.data, len);
        mutate(copy, &len);
        forged = forged && len >= HEADER;
        if (forged)
            forge(copy, len, &good);
        copy = realloc(copy, len);
        verdict = gaugefile_open(copy, len, &file);
        n_entries_bad += verdict == GAUGEFILE_ENTRY;
        if (verdict == GAUGEFILE_OK) {
            struct gaugefile_header header;

            memcpy(&header, copy, HEADER);
            ck_assert(forged || memcmp(copy, buf.data, buf.len) == 0);
            assert_sane(&file, copy + len, header.n);
            n_taken++;
        }
        free(copy);
    }
    ck_assert_uint_gt(n_taken, 1000);
    ck_assert_uint_gt(n_entries_bad, 1000);
    buf_release(&buf);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("gaugefile");
    TCase *tcase = tcase_create("gaugefile");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_written_and_read);
    tcase_add_test(tcase, test_what_is_no_entry);
    tcase_add_test(tcase, test_no_room);
    tcase_add_test(tcase, test_refused);
    tcase_add_test(tcase, test_values_that_are_none);
    tcase_add_test(tcase, test_every_truncation);
    tcase_add_test(tcase, test_mutations);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
