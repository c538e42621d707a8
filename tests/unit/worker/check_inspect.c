/*
 * check_inspect: maps, arrays and numbers, held against what Node made of the same.
 */
#include "worker/inspect.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "inspect_cases.h"

enum { N_CASES = sizeof(inspect_cases) / sizeof(inspect_cases[0]), VALUES_MAX = 300 };

/* Appends what "KEY=NUMBER" or "KEY[NUMBER NUMBER …" stands for, as an entry. */
static void
make_entry(const char *line, size_t len, struct buf *entry)
{
    size_t key_len = strcspn(line, "=[");
    const char *at = line + key_len + 1, *end = line + len;
    double values[VALUES_MAX];
    size_t n = 0;
    char *next;

    ck_assert_uint_lt(key_len, len);
    /* A key may have the sign of a number in it. */
    if (memchr(line, '[', len) == NULL) {
        key_len = (size_t)((const char *)memrchr(line, '=', len) - line);
        at = line + key_len + 1;
    }
    inspect_key(line, key_len, entry);
    buf_append_str(entry, ": ");
    for (; at < end; at = next + (*next == ' ')) {
        ck_assert_uint_lt(n, VALUES_MAX);
        values[n++] = strtod(at, &next);
    }
    if (line[key_len] == '=')
        inspect_number(values[0], entry);
    else
        inspect_array(values, n < INSPECT_SHOWN_MAX ? n : INSPECT_SHOWN_MAX, n, entry);
}

START_TEST(test_as_node)
{
    const char *line = inspect_cases[_i].map;
    struct inspect_map map = {0};
    struct buf out;

    buf_init(&out, 1 << 20);
    while (*line != '\0') {
        size_t len = strcspn(line, "\n");
        struct buf entry;

        buf_init(&entry, 1 << 20);
        make_entry(line, len, &entry);
        inspect_map_add(&map, (const char *)entry.data, entry.len, &out);
        buf_release(&entry);
        line += len + (line[len] == '\n');
    }
    inspect_map_end(&map, &out);
    ck_assert_int_eq(buf_append(&out, "", 1), 0);
    ck_assert_str_eq((const char *)out.data, inspect_cases[_i].text);
    buf_release(&out);
}
END_TEST

/* Of what a sketch stands for, nothing is shown. */
START_TEST(test_nothing_shown)
{
    struct buf out;

    buf_init(&out, 1000);
    inspect_array(NULL, 0, 123456, &out);
    ck_assert_uint_eq(out.len, strlen("[ ... 123456 more items ]"));
    ck_assert_mem_eq(out.data, "[ ... 123456 more items ]", out.len);
    buf_release(&out);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("inspect");
    TCase *tcase = tcase_create("inspect");
    SRunner *runner;
    int n_failed;

    tcase_add_loop_test(tcase, test_as_node, 0, N_CASES);
    tcase_add_test(tcase, test_nothing_shown);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
