/*
 * check_buf: appends and their bounds, on the caller's storage and on the heap.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* Else the sanitizer ends the program where malloc(3) would return NULL. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void
assert_holds(const struct buf *buf, const char *text)
{
    ck_assert_msg(buf->len == strlen(text) && memcmp(buf->data, text, buf->len) == 0,
                  "\"%.*s\" is not \"%s\"", (int)buf->len, (const char *)buf->data, text);
}

START_TEST(test_fixed_never_exceeds_its_storage)
{
    char storage[9] = "########";
    struct buf buf;

    buf_init_fixed(&buf, storage, 5);
    ck_assert_int_eq(buf_append_str(&buf, "abc"), 0);
    ck_assert_int_eq(buf_append_str(&buf, "def"), -1);
    assert_holds(&buf, "abc");
    ck_assert_int_eq(buf_append(&buf, "de", 2), 0);
    assert_holds(&buf, "abcde");
    ck_assert_int_eq(buf_append(&buf, "f", 1), -1);
    ck_assert_int_eq(buf_append(&buf, "", 0), 0);
    ck_assert_ptr_eq(buf.data, storage);
    ck_assert_str_eq(storage, "abcde###");
    buf_release(&buf);
    ck_assert_ptr_null(buf.data);
}
END_TEST

START_TEST(test_heap_grows_up_to_its_limit)
{
    struct buf buf;
    size_t n_growths = 0, cap = 0;

    buf_init(&buf, 10000);
    for (size_t i = 0; i < 10000; i++) {
        uint8_t byte = (uint8_t)(i % 251);

        ck_assert_int_eq(buf_append(&buf, &byte, 1), 0);
        ck_assert_uint_le(buf.cap, 10000);
        n_growths += buf.cap != cap;
        cap = buf.cap;
    }
    ck_assert_int_eq(buf_append(&buf, "x", 1), -1);
    ck_assert_uint_eq(buf.len, 10000);
    for (size_t i = 0; i < 10000; i++)
        ck_assert_uint_eq(buf.data[i], i % 251);
    ck_assert_uint_le(n_growths, 15); /* 64 * 1.5^13 > 10000 */
    buf_release(&buf);
}
END_TEST

START_TEST(test_reserve)
{
    static const struct {
        size_t limit, used, len;
        bool fits;
    } rows[] = {
        {0, 0, 0, true},
        {0, 0, 1, false},
        {1, 0, 1, true},
        {1, 1, 0, true},
        {100, 60, 40, true},
        {100, 60, 41, false},
        {100, 60, SIZE_MAX, false},
        {SIZE_MAX, 60, SIZE_MAX, false},
        {SIZE_MAX, 60, SIZE_MAX - 60, false}, /* no machine has it */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf buf;
        uint8_t *room;

        buf_init(&buf, rows[i].limit);
        for (size_t n = 0; n < rows[i].used; n++)
            ck_assert_int_eq(buf_append(&buf, "u", 1), 0);
        room = buf_reserve(&buf, rows[i].len);
        ck_assert_msg((room != NULL) == rows[i].fits, "row %zu", i);
        ck_assert_uint_eq(buf.len, rows[i].used);
        if (room != NULL) {
            ck_assert_ptr_eq(room, buf.data + buf.len);
            memset(room, 'r', rows[i].len); /* a sanitizer sees whether it is there */
        }
        for (size_t n = 0; n < buf.len; n++)
            ck_assert_uint_eq(buf.data[n], 'u');
        buf_release(&buf);
    }
}
END_TEST

START_TEST(test_release_of_zeroed)
{
    struct buf buf = {0};

    buf_release(&buf);
    buf_release(&buf);
    ck_assert_int_eq(buf_append_str(&buf, "x"), -1);
}
END_TEST

START_TEST(test_escaped)
{
    static const struct {
        const char *bytes;
        size_t len, max_len, room;
        const char *text;
    } rows[] = {
        {"", 0, 10, 100, ""},
        {"", 0, 0, 0, ""},
        {"gets:1|c", 8, 10, 100, "gets:1|c"},
        {" ~", 2, 10, 100, " ~"},
        {"a\nb\r\t", 5, 10, 100, "a\\x0ab\\x0d\\x09"},
        {"\0\x1f\x7f\x80\xff", 5, 10, 100, "\\x00\\x1f\\x7f\\x80\\xff"},
        {"a\\x0a", 5, 10, 100, "a\\\\x0a"}, /* not to be mistaken for a newline */
        {"\033[31m", 5, 10, 100, "\\x1b[31m"},
        {"abcdef", 6, 6, 100, "abcdef"},
        {"abcdef", 6, 5, 100, "abcde..."},
        {"abcdef", 6, 0, 100, "..."},
        {"abcdef", 6, 100, 6, "abcdef"},
        {"abcdefg", 7, 100, 6, "abc..."},
        {"abcdef", 6, 5, 6, "abc..."},
        {"abc\n", 4, 100, 7, "abc\\x0a"},
        {"abc\n", 4, 100, 6, "abc..."},
        {"abc\n\n", 5, 100, 8, "abc..."}, /* an escape is whole or not there */
        {"abcdef", 6, 100, 3, "..."},
        {"abcdef", 6, 100, 2, ""},
        {"abcdef", 6, 100, 0, ""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char storage[128];
        struct buf buf;

        buf_init_fixed(&buf, storage, 2 + rows[i].room);
        ck_assert_int_eq(buf_append_str(&buf, "> "), 0);
        buf_append_escaped(&buf, rows[i].bytes, rows[i].len, rows[i].max_len);
        ck_assert_msg(buf.len == 2 + strlen(rows[i].text) &&
                          memcmp(storage + 2, rows[i].text, buf.len - 2) == 0,
                      "row %zu: %.*s", i, (int)buf.len, storage);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("buf");
    TCase *tcase = tcase_create("buf");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_fixed_never_exceeds_its_storage);
    tcase_add_test(tcase, test_heap_grows_up_to_its_limit);
    tcase_add_test(tcase, test_reserve);
    tcase_add_test(tcase, test_release_of_zeroed);
    tcase_add_test(tcase, test_escaped);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
