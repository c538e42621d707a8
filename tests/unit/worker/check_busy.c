/*
 * check_busy: who is among the busiest, at which rate, and what of it fades.
 */
#include "worker/busy.h"

#include <arpa/inet.h>
#include <check.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/heavy.h"

#define NOW_MS    UINT64_C(1700000000000)
#define TEXT_ROOM ((size_t)1 << 20)

static const struct hash_key key = {1, 2};
static struct busy *busy;
static char text[TEXT_ROOM];

static void
set_up(void)
{
    busy = busy_new(&key, 1);
    ck_assert_ptr_nonnull(busy);
}

static void
tear_down(void)
{
    busy_free(busy);
}

static struct net_address
address(const char *host, uint16_t port)
{
    struct net_address out[NET_ADDRESSES_MAX];

    ck_assert_int_eq(net_lookup(host, port, SOCK_DGRAM, out), 1);
    return out[0];
}

/* A batch of n lines of one name and sender. */
static void
see(struct busy *by, const char *of, const struct net_address *from, size_t n, uint64_t now_ms)
{
    struct name name = {.text = of, .len = strlen(of)};

    for (size_t at = busy_first(by, n, now_ms); at < n;)
        at = busy_count(by, at, n, &name, from);
}

static const char *
print_all(struct busy *const *of, size_t n_of, size_t n, uint64_t now_ms)
{
    struct busy *merged = busy_new_merged(&key);
    struct buf out;

    ck_assert_ptr_nonnull(merged);
    for (size_t i = 0; i < n_of; i++)
        busy_merge(merged, of[i], now_ms);
    buf_init_fixed(&out, text, sizeof(text) - 1);
    busy_print(merged, n, now_ms, &out);
    text[out.len] = '\0';
    busy_free(merged);
    return text;
}

static const char *
print(size_t n, uint64_t now_ms)
{
    return print_all(&busy, 1, n, now_ms);
}

/* What is printed behind a key and a name; -1: nothing. */
static double
rate_of(const char *of, const char *name)
{
    char found_key[16], found[256];
    double rate;

    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        if (sscanf(line, "%15s %lf %255s", found_key, &rate, found) == 3 &&
            strcmp(found_key, of) == 0 && strcmp(found, name) == 0)
            return rate;
    }
    return -1;
}

START_TEST(few_lines_are_all_counted)
{
    struct net_address a = address("192.0.2.1", 1), b = address("2001:db8::1", 2);

    for (uint64_t s = 0; s < 10; s++) {
        see(busy, "a.b.c", &a, 3, NOW_MS + s * 1000);
        see(busy, "a.b.d.e", &b, 1, NOW_MS + s * 1000);
        see(busy, "x", &a, 1, NOW_MS + s * 1000);
    }
    print(20, NOW_MS + 10000);
    ck_assert_double_eq_tol(rate_of("name", "a.b.c"), 3, 0.2);
    ck_assert_double_eq_tol(rate_of("name", "a.b.d.e"), 1, 0.1);
    ck_assert_double_eq_tol(rate_of("prefix", "a.b"), 4, 0.3);
    ck_assert_double_eq_tol(rate_of("prefix", "x"), 1, 0.1);
    ck_assert_double_eq_tol(rate_of("sender", "192.0.2.1"), 4, 0.3);
    ck_assert_double_eq_tol(rate_of("sender", "2001:db8::1"), 1, 0.1);
    ck_assert_ptr_eq(strstr(text, "name "), text);
}
END_TEST

START_TEST(lines_without_a_name_have_a_sender)
{
    struct net_address unknown = {0};

    ck_assert_uint_eq(busy_first(busy, 1, NOW_MS), 0);
    ck_assert_uint_eq(busy_count(busy, 0, 1, NULL, &unknown), 1);
    ck_assert_str_eq(print(20, NOW_MS), "sender 1.00 -\n");
}
END_TEST

/* 1 M lines/s, of which one name has a tenth, one a hundredth, and 100,000 share the rest. */
START_TEST(many_lines)
{
    struct net_address from = address("192.0.2.1", 1);
    unsigned number = 1, n_looked_at = 0;
    char name_text[32];

    for (uint64_t at_ms = 0; at_ms < 20000; at_ms++) {
        for (size_t batch = 0; batch < 4; batch++) {
            for (size_t at = busy_first(busy, 250, NOW_MS + at_ms); at < 250; n_looked_at++) {
                struct name name = {.text = name_text};

                number = number * 1103515245 + 12345;
                if (number >> 16 < 6554)
                    snprintf(name_text, sizeof(name_text), "big");
                else if (number >> 16 < 7209)
                    snprintf(name_text, sizeof(name_text), "middle.a.b");
                else
                    snprintf(name_text, sizeof(name_text), "small.%u", number % 100000);
                name.len = strlen(name_text);
                at = busy_count(busy, at, 250, &name, &from);
            }
        }
    }
    print(20, NOW_MS + 20000);
    ck_assert_double_eq_tol(rate_of("name", "big"), 100000, 10000);
    ck_assert_double_eq_tol(rate_of("name", "middle.a.b"), 10000, 3000);
    ck_assert_double_eq_tol(rate_of("sender", "192.0.2.1"), 1000000, 30000);
    ck_assert_double_eq_tol(rate_of("prefix", "middle.a"), 10000, 3000);
    ck_assert_ptr_eq(strstr(text, "name "), text);
    ck_assert_ptr_nonnull(strstr(text, " big\nname "));
    /* One in BUSY_EVERY, and one a millisecond at most. */
    ck_assert_uint_lt(n_looked_at, 20000000 / BUSY_EVERY + 20000 + 2000);
    ck_assert_uint_gt(n_looked_at, 20000000 / BUSY_EVERY / 2);
}
END_TEST

START_TEST(it_fades)
{
    struct net_address from = address("192.0.2.1", 1);
    uint64_t s = 0;

    for (; s < 300; s++)
        see(busy, "old", &from, 10, NOW_MS + s * 1000);
    for (; s < 360; s++)
        see(busy, "new", &from, 10, NOW_MS + s * 1000);
    print(1, NOW_MS + s * 1000);
    ck_assert_double_eq_tol(rate_of("name", "new"), 6.3, 0.5);
    ck_assert_double_eq(rate_of("name", "old"), -1);
    print(2, NOW_MS + s * 1000);
    ck_assert_double_eq_tol(rate_of("name", "old"), 3.7, 0.5);
    print(2, NOW_MS + (s + 600) * 1000);
    ck_assert_double_le(rate_of("name", "new"), 0.01);
    print(2, NOW_MS + (s + 60000) * 1000);
    ck_assert_double_le(rate_of("name", "new"), 0);
}
END_TEST

START_TEST(a_clock_that_is_set_back)
{
    struct net_address from = address("192.0.2.1", 1);

    see(busy, "a", &from, 100, NOW_MS);
    see(busy, "a", &from, 100, NOW_MS - 3600000);
    print(1, NOW_MS - 3600000 + 1000);
    ck_assert_double_eq_tol(rate_of("name", "a"), 200, 1);
}
END_TEST

START_TEST(newest_first)
{
    for (unsigned i = 0; i < 100; i++) {
        char name_text[16];
        struct name name = {.text = name_text};

        name.len = (size_t)snprintf(name_text, sizeof(name_text), "n%u", i);
        busy_meet(busy, METRIC_SET, &name, NOW_MS + i * 1000);
    }
    ck_assert_str_eq(print(2, NOW_MS + 100000), "new 1 set n99\nnew 2 set n98\n");
    print(100, NOW_MS + 100000);
    ck_assert_ptr_nonnull(strstr(text, "new 64 set n36\n"));
    ck_assert_ptr_null(strstr(text, "n35\n"));
}
END_TEST

START_TEST(threads_are_merged)
{
    struct net_address from = address("192.0.2.1", 1);
    struct busy *all[64];
    size_t size = 0;

    for (size_t i = 0; i < 64; i++) {
        char name_text[16];
        struct name name = {.text = name_text};

        ck_assert_ptr_nonnull(all[i] = busy_new(&key, 64));
        size += malloc_usable_size(all[i]);
        name.len = (size_t)snprintf(name_text, sizeof(name_text), "n%zu", i);
        busy_meet(all[i], METRIC_GAUGE, &name, NOW_MS + i);
        for (uint64_t s = 0; s < 10; s++) {
            see(all[i], "common", &from, 2, NOW_MS + s * 1000);
            see(all[i], name_text, &from, 1, NOW_MS + s * 1000);
        }
    }
    print_all(all, 64, 100, NOW_MS + 10000);
    ck_assert_double_eq_tol(rate_of("name", "common"), 128, 10);
    ck_assert_double_eq_tol(rate_of("name", "n63"), 1, 0.2);
    ck_assert_double_eq_tol(rate_of("sender", "192.0.2.1"), 192, 15);
    ck_assert_ptr_nonnull(strstr(text, "gauge n63\nnew 9 gauge n62\n"));
    ck_assert_uint_lt(size, 1 << 20);
    for (size_t i = 0; i < 64; i++)
        busy_free(all[i]);
}
END_TEST

START_TEST(one_thread_takes_less_than_a_mebibyte)
{
    ck_assert_uint_lt(malloc_usable_size(busy), 1 << 20);
}
END_TEST

START_TEST(long_names_are_cut)
{
    struct net_address from = address("192.0.2.1", 1);
    char name_text[1025];
    struct name name = {.text = name_text, .len = 1024};

    memset(name_text, 'a', 1024);
    name_text[1024] = '\0';
    see(busy, name_text, &from, 1, NOW_MS);
    busy_meet(busy, METRIC_TIMER, &name, NOW_MS);
    print(1, NOW_MS);
    ck_assert_ptr_nonnull(strstr(text, "aaa...\nnew 0 timer aaa"));
    ck_assert_uint_lt(strlen(text), 3 * (HEAVY_TEXT_MAX + 32));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("busy");
    TCase *tcase = tcase_create("busy");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, few_lines_are_all_counted);
    tcase_add_test(tcase, lines_without_a_name_have_a_sender);
    tcase_add_test(tcase, many_lines);
    tcase_add_test(tcase, it_fades);
    tcase_add_test(tcase, a_clock_that_is_set_back);
    tcase_add_test(tcase, newest_first);
    tcase_add_test(tcase, threads_are_merged);
    tcase_add_test(tcase, one_thread_takes_less_than_a_mebibyte);
    tcase_add_test(tcase, long_names_are_cut);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
