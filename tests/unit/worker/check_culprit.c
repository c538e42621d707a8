/*
 * check_culprit: what made most of the refused names is named, however many others there were.
 */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/culprit.h"

static void
add(struct culprit *culprit, const char *text)
{
    struct name name = {.text = text, .len = strlen(text)};

    culprit_add(culprit, &name);
}

static void
assert_worst(const struct culprit *culprit, const char *prefix)
{
    struct name worst = culprit_worst(culprit);

    ck_assert_uint_eq(worst.len, strlen(prefix));
    ck_assert(worst.len == 0 || memcmp(worst.text, prefix, worst.len) == 0);
}

START_TEST(test_nothing)
{
    struct culprit culprit = {0};

    assert_worst(&culprit, "");
}
END_TEST

START_TEST(test_prefixes)
{
    static const struct {
        const char *name, *prefix;
    } rows[] = {
        {"a", "a"},
        {"a.b", "a.b"},
        {"a.b.c", "a.b"},
        {"a.b.c.d", "a.b"},
        {"app.user.1", "app.user"},
        {".a.b", ".a"},
        {"a..b", "a."},
        {"a.", "a."},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct culprit culprit = {0};

        add(&culprit, rows[i].name);
        assert_worst(&culprit, rows[i].prefix);
    }
}
END_TEST

START_TEST(test_long_prefix_is_cut)
{
    struct culprit culprit = {0};
    char name[NAME_LEN_MAX + 1];

    memset(name, 'x', NAME_LEN_MAX);
    name[NAME_LEN_MAX] = '\0';
    add(&culprit, name);
    ck_assert_uint_eq(culprit_worst(&culprit).len, CULPRIT_PREFIX_MAX);
}
END_TEST

/* A tenth of the names come from one prefix, the others each from one of their own. */
static void
bomb(struct culprit *culprit, unsigned seed, unsigned n)
{
    char name[64];

    for (unsigned i = 0; i < n; i++) {
        snprintf(name, sizeof(name), i % 10 == 0 ? "app.user.%u" : "other%u.x%u", i, seed + i);
        add(culprit, name);
    }
}

START_TEST(test_one_among_many)
{
    struct culprit culprit = {0};

    bomb(&culprit, 0, 100000);
    assert_worst(&culprit, "app.user");
    ck_assert_uint_eq(culprit.n_refused, 100000);
}
END_TEST

START_TEST(test_merge)
{
    struct culprit whole = {0};

    for (unsigned i = 0; i < 4; i++) {
        struct culprit part = {0};

        bomb(&part, i * 1000000, 10000);
        culprit_merge(&whole, &part);
    }
    assert_worst(&whole, "app.user");
    ck_assert_uint_eq(whole.n_refused, 40000);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("culprit");
    TCase *tcase = tcase_create("culprit");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_nothing);
    tcase_add_test(tcase, test_prefixes);
    tcase_add_test(tcase, test_long_prefix_is_cut);
    tcase_add_test(tcase, test_one_among_many);
    tcase_add_test(tcase, test_merge);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
