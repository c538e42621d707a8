/*
 * check_clean: what each byte becomes, and that a name becomes what the server makes of it.
 */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/clean.h"
#include "metric/name.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MAX          64
#define N_RANDOM     200000
#define N_BRIEF      1000 /* for valgrind, which is slow */

static int
n_random(void)
{
    return getenv("CHECK_BRIEF") != NULL ? N_BRIEF : N_RANDOM;
}

typedef size_t clean_function(const char *, char *, size_t);

static void
assert_cleaned(clean_function *clean, const char *raw, const char *wanted)
{
    char out[MAX + 1];
    size_t len = clean(raw, out, MAX);

    ck_assert_uint_le(len, MAX);
    out[len] = '\0';
    ck_assert_msg(strcmp(out, wanted) == 0, "'%s' became '%s', not '%s'", raw, out, wanted);
}

static const struct {
    const char *raw, *wanted;
} names[] = {
    {"a.b-c_D9", "a.b-c_D9"},   {"a/b", "a-b"},        {"a b  c", "a_b__c"},
    {"a\t\r\n b", "a__b"},      {"a\nb:1|c", "a_b1c"}, {"a:b|c@d#e", "abcde"},
    {"\xc3\xa9t\xc3\xa9", "t"}, {"\x01\x7f", ""},      {"", ""},
};

START_TEST(test_names)
{
    assert_cleaned(clean_name, names[_i].raw, names[_i].wanted);
}
END_TEST

static const struct {
    const char *raw, *member, *fields, *tags;
} texts[] = {
    {"bob@example.com", "bob@example.com", "bob@example.com", "bob@example.com"},
    {"a:b|c", "a_b_c", "a:b|c", "a:b_c"},
    {"a\nb\rc\td\x7f", "a_b_c_d_", "a_b_c_d_", "a_b_c_d_"},
    {"k:v,x y", "k_v,x y", "k:v,x y", "k:v,x_y"},
    {"\xc3\xa9#", "\xc3\xa9#", "\xc3\xa9#", "\xc3\xa9#"},
};

START_TEST(test_texts)
{
    assert_cleaned(clean_member, texts[_i].raw, texts[_i].member);
    assert_cleaned(clean_fields, texts[_i].raw, texts[_i].fields);
    assert_cleaned(clean_tags, texts[_i].raw, texts[_i].tags);
}
END_TEST

START_TEST(test_what_does_not_fit_is_counted)
{
    clean_function *all[] = {clean_name, clean_member, clean_fields, clean_tags};

    for (size_t i = 0; i < COUNT(all); i++) {
        char out[4] = "....";
        ck_assert_uint_eq(all[i]("abcdef", out, 3), 6);
        ck_assert_mem_eq(out, "abc.", 4);
        ck_assert_uint_eq(all[i]("abcdef", out, 0), 6);
        ck_assert_mem_eq(out, "abc.", 4);
    }
}
END_TEST

START_TEST(test_names_are_the_servers)
{
    const struct name_limits limits = {.name_max = MAX, .node_max = MAX};

    srandom(20240229);
    for (int n = 0; n < n_random(); n++) {
        char raw[MAX], out[MAX], scratch[NAME_LEN_MAX];
        struct name name = {.text = "", .len = 0};
        size_t raw_len = (size_t)random() % MAX;
        for (size_t i = 0; i < raw_len; i++)
            raw[i] = (char)(random() % 2 ? " \t\n\r\v\f/:|a."[random() % 11] : 1 + random() % 255);
        raw[raw_len] = '\0';
        (void)name_clean(raw, raw_len, &limits, scratch, &name);
        size_t len = clean_name(raw, out, MAX);
        ck_assert_uint_eq(len, name.len);
        ck_assert_mem_eq(out, name.text, len);
    }
}
END_TEST

int
main(void)
{
    TCase *tcase = tcase_create("clean");
    Suite *suite = suite_create("clean");

    tcase_add_loop_test(tcase, test_names, 0, COUNT(names));
    tcase_add_loop_test(tcase, test_texts, 0, COUNT(texts));
    tcase_add_test(tcase, test_what_does_not_fit_is_counted);
    tcase_add_test(tcase, test_names_are_the_servers);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
