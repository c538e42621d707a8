/*
 * check_filter: globs by table and against a slow matcher, and which names two lists keep.
 */
#include "metric/filter.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A filter in storage of just its size, so that the sanitizer sees a byte too many. */
struct made {
    struct filter filter;
    uint8_t *storage;
};

static int
make(struct made *made, const char *drop, const char *allow)
{
    const struct filter_opts opts = {drop, allow};
    size_t size = filter_storage_size(&opts);

    made->storage = malloc(size);
    ck_assert_ptr_nonnull(made->storage);
    int result = filter_init(&made->filter, &opts, made->storage, size);
    if (result < 0)
        free(made->storage);
    return result;
}

/* Judges a name in a block of just its size. */
static bool
keeps(const struct made *made, const char *name, size_t len)
{
    char *block = malloc(len > 0 ? len : 1);

    ck_assert_ptr_nonnull(block);
    memcpy(block, name, len);
    bool is_kept = filter_keeps(&made->filter, block, len);
    free(block);
    return is_kept;
}

static bool
pattern_matches(const char *pattern, const char *name)
{
    struct made made;

    ck_assert_int_eq(make(&made, pattern, NULL), 0);
    bool is_kept = keeps(&made, name, strlen(name));
    free(made.storage);
    ck_assert_int_eq(make(&made, "", pattern), 0);
    ck_assert_int_ne(keeps(&made, name, strlen(name)), is_kept);
    free(made.storage);
    return !is_kept;
}

static const struct {
    const char *pattern, *name;
    bool is_match;
} globs[] = {
    {"a", "a", true},
    {"a", "b", false},
    {"a", "A", false},
    {"a", "ab", false},
    {"a", "ba", false},
    {"ab", "a", false},
    {"a", "", false},
    {"?", "a", true},
    {"?", ".", true},
    {"?", "", false},
    {"?", "ab", false},
    {"??", "ab", true},
    {"a?c", "abc", true},
    {"a?c", "ac", false},
    {"*", "", true},
    {"*", "a.b.c", true},
    {"**", "a", true},
    {"*?", "", false},
    {"?*", "a", true},
    {"a*", "a", true},
    {"a*", "a.b.c", true},
    {"a*", "ba", false},
    {"*a", "a", true},
    {"*a", "aa", true},
    {"*a", "aab", false},
    {"a*c", "ac", true},
    {"a*c", "a.b.c", true},
    {"a*c", "acb", false},
    {"a*c", "acbc", true},
    {"a*b*c", "aXbYbZc", true},
    {"a*b*c", "acb", false},
    {"*ab", "aab", true},
    {"*aab", "aaab", true},
    {"*ab*ab", "ab", false},
    {"*ab*ab", "abab", true},
    {"a*?c", "ac", false},
    {"a*?c", "abc", true},
    {"*.debug.*", "app.debug.x", true},
    {"*.debug.*", "app.debug", false},
    {"*.debug.*", "app.debugger.x", false},
    {"web?.*", "web1.cpu", true},
    {"web?.*", "web10.cpu", false},
    /* Nothing else means anything. */
    {"[a]", "a", false},
    {"[a]", "[a]", true},
    {"a.c", "abc", false},
    {"a|b", "a", false},
    {"^a$", "a", false},
    {"a+", "aa", false},
    {"*", "*", true},
    {"a*b", "a*b", true},
    {"?", "?", true},
    {"a", "*", false},
    {"a", "?", false},
};

START_TEST(test_glob)
{
    ck_assert_msg(pattern_matches(globs[_i].pattern, globs[_i].name) == globs[_i].is_match,
                  "%s on %s", globs[_i].pattern, globs[_i].name);
}
END_TEST

/* By definition: a star is nothing, or a byte and the star again. */
static bool
matches_slowly(const char *pattern, const char *name)
{
    if (*pattern == '\0')
        return *name == '\0';
    if (*pattern == '*')
        return matches_slowly(pattern + 1, name) ||
               (*name != '\0' && matches_slowly(pattern, name + 1));
    return *name != '\0' && (*pattern == '?' || *pattern == *name) &&
           matches_slowly(pattern + 1, name + 1);
}

static void
draw(const char *letters, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++)
        out[i] = letters[(size_t)rand() % strlen(letters)];
    out[len] = '\0';
}

START_TEST(test_globs_of_any_kind)
{
    unsigned n_matches = 0;

    srand(1);
    for (int i = 0; i < 20000; i++) {
        char pattern[9], name[13];

        draw("aab*?*", 1 + (size_t)rand() % 8, pattern);
        draw("aab.", (size_t)rand() % 13, name);
        bool is_match = matches_slowly(pattern, name);
        ck_assert_msg(pattern_matches(pattern, name) == is_match, "%s on %s", pattern, name);
        n_matches += is_match;
    }
    ck_assert_uint_gt(n_matches, 2000);
    ck_assert_uint_lt(n_matches, 18000);
}
END_TEST

static const struct {
    const char *drop, *allow, *name;
    bool is_kept;
} lists[] = {
    {NULL, NULL, "a", true},
    {"", "", "a", true},
    {"", "", "", true},
    {"a", "", "a", false},
    {"a", "", "b", true},
    {"a,b,c", "", "c", false},
    {"a,b,c", "", "d", true},
    {"a,b,c", "", "a,b", true},
    {"", "a", "a", true},
    {"", "a", "b", false},
    {"", "a,b", "b", true},
    {"", "a,b", "c", false},
    {"b*", "*", "bc", false},
    {"b*", "*", "c", true},
    {"x,*.debug", "web.*,db.*", "db.1", true},
    {"x,*.debug", "web.*,db.*", "db.debug", false},
    {"x,*.debug", "web.*,db.*", "x", false},
    {"x,*.debug", "web.*,db.*", "y", false},
    {"*", "a", "a", false},
    {"a", "a", "a", false},
};

START_TEST(test_lists)
{
    struct made made;

    ck_assert_int_eq(make(&made, lists[_i].drop, lists[_i].allow), 0);
    ck_assert_int_eq(keeps(&made, lists[_i].name, strlen(lists[_i].name)), lists[_i].is_kept);
    free(made.storage);
}
END_TEST

static const struct {
    const char *drop, *allow, *name;
    bool keeps;
    const char *pattern; /* NULL: none decides */
} judged[] = {
    {"", "", "a", true, NULL},      {"b,a*", "", "ab", false, "a*"},
    {"b,a*", "", "c", true, NULL},  {"b", "c,a*", "ab", true, "a*"},
    {"b", "c,a*", "b", false, "b"}, {"b", "c,a*", "d", false, NULL},
    {"a*", "a", "a", false, "a*"},
};

START_TEST(test_why)
{
    struct filter_verdict verdict;
    struct made made;

    ck_assert_int_eq(make(&made, judged[_i].drop, judged[_i].allow), 0);
    verdict = filter_judge(&made.filter, judged[_i].name, strlen(judged[_i].name));
    ck_assert_int_eq(verdict.keeps, judged[_i].keeps);
    ck_assert_int_eq(verdict.pattern != NULL, judged[_i].pattern != NULL);
    if (verdict.pattern != NULL) {
        ck_assert_uint_eq(verdict.pattern_len, strlen(judged[_i].pattern));
        ck_assert_mem_eq(verdict.pattern, judged[_i].pattern, verdict.pattern_len);
    }
    free(made.storage);
}
END_TEST

START_TEST(test_bytes_of_any_value)
{
    struct made made;

    ck_assert_int_eq(make(&made, "\xff?\x80*", ""), 0);
    ck_assert(!keeps(&made, "\xff\0\x80\0\0", 5));
    ck_assert(keeps(&made, "\x7f\0\x80\0\0", 5));
    free(made.storage);
}
END_TEST

START_TEST(test_lists_that_are_refused)
{
    static const char *const refused[] = {",", "a,", ",a", "a,,b"};
    struct made made;

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        ck_assert_int_eq(make(&made, refused[i], ""), -1);
        ck_assert_int_eq(make(&made, "", refused[i]), -1);
    }
}
END_TEST

/* Patterns "aaa…", the last of n ending in b, each of len bytes. */
static char *
long_list(size_t n, size_t len)
{
    char *list = malloc(n * (len + 1));

    ck_assert_ptr_nonnull(list);
    memset(list, 'a', n * (len + 1));
    for (size_t i = 1; i <= n; i++)
        list[i * (len + 1) - 1] = i == n ? '\0' : ',';
    list[n * (len + 1) - 2] = 'b';
    return list;
}

START_TEST(test_limits)
{
    static const struct {
        size_t n, len;
        int result;
    } rows[] = {
        {FILTER_PATTERNS_MAX, FILTER_PATTERN_MAX, 0},
        {FILTER_PATTERNS_MAX + 1, 1, -1},
        {1, FILTER_PATTERN_MAX + 1, -1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *list = long_list(rows[i].n, rows[i].len);
        struct made made;

        ck_assert_int_eq(make(&made, list, ""), rows[i].result);
        if (rows[i].result == 0) {
            const struct filter_opts both = {list, list};
            ck_assert_uint_eq(strlen(list) + 1, FILTER_LIST_MAX);
            ck_assert_uint_le(filter_storage_size(&both), FILTER_STORAGE_MAX);
            ck_assert(!keeps(&made, strrchr(list, ',') + 1, rows[i].len));
            ck_assert(keeps(&made, strrchr(list, ',') + 1, rows[i].len - 1));
            free(made.storage);
        }
        free(list);
    }
}
END_TEST

START_TEST(test_storage_too_small)
{
    const struct filter_opts opts = {"ab,c", "d"};
    struct filter filter = {.n_drop = 77};
    uint8_t storage[7];

    for (size_t size = 0; size < sizeof(storage); size++)
        ck_assert_int_eq(filter_init(&filter, &opts, storage, size), -1);
    ck_assert_uint_eq(filter.n_drop, 77);
    ck_assert_int_eq(filter_init(&filter, &opts, storage, sizeof(storage)), 0);
    ck_assert_uint_eq(filter.n_drop, 2);
    ck_assert_uint_eq(filter.n_allow, 1);
}
END_TEST

/* With a way back from every star this would take longer than anybody waits. */
START_TEST(test_many_stars_take_no_time)
{
    char pattern[FILTER_PATTERN_MAX + 1], name[1025];

    for (size_t i = 0; i < FILTER_PATTERN_MAX; i++)
        pattern[i] = i % 2 == 0 ? '*' : 'a';
    pattern[FILTER_PATTERN_MAX - 1] = 'b';
    pattern[FILTER_PATTERN_MAX] = '\0';
    memset(name, 'a', 1024);
    name[1024] = '\0';
    for (int i = 0; i < 100; i++)
        ck_assert(!pattern_matches(pattern, name));
    name[1023] = 'b';
    ck_assert(pattern_matches(pattern, name));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("filter");
    TCase *tcase = tcase_create("filter");

    tcase_add_loop_test(tcase, test_glob, 0, (int)(sizeof(globs) / sizeof(globs[0])));
    tcase_add_test(tcase, test_globs_of_any_kind);
    tcase_add_loop_test(tcase, test_lists, 0, (int)(sizeof(lists) / sizeof(lists[0])));
    tcase_add_loop_test(tcase, test_why, 0, (int)(sizeof(judged) / sizeof(judged[0])));
    tcase_add_test(tcase, test_bytes_of_any_value);
    tcase_add_test(tcase, test_lists_that_are_refused);
    tcase_add_test(tcase, test_limits);
    tcase_add_test(tcase, test_storage_too_small);
    tcase_add_test(tcase, test_many_stars_take_no_time);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
