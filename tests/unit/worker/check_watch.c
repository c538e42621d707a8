/*
 * check_watch: what goes through the ring comes out whole and in its order, or is counted.
 */
#include "worker/watch.h"

#include <check.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE      4096
#define TAKEN_MAX 65536

static struct net_address from;
static struct watch *watch;
static struct buf out;

static void
set_up(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(4711)};

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memset(&from, 0, sizeof(from));
    memcpy(&from.storage, &in, sizeof(in));
    from.len = sizeof(in);
    buf_init(&out, 2 * TAKEN_MAX);
    watch = watch_new("", SIZE);
    ck_assert_ptr_nonnull(watch);
}

static void
tear_down(void)
{
    watch_free(watch);
    buf_release(&out);
}

static void
put(const char *line)
{
    watch_put(watch, &from, line, strlen(line));
}

/* What is there, or a part of what never ends, as a string. */
static const char *
take(void)
{
    out.len = 0;
    while (watch_take(watch, &out, out.len + 1) && out.len < TAKEN_MAX)
        continue;
    ck_assert_int_eq(buf_append(&out, "", 1), 0);
    return (const char *)out.data;
}

START_TEST(in_their_order)
{
    ck_assert_str_eq(take(), "");
    put("a:1|c");
    put("b:2|c");
    ck_assert_str_eq(take(), "127.0.0.1:4711 a:1|c\n127.0.0.1:4711 b:2|c\n");
    ck_assert_str_eq(take(), "");
    ck_assert_uint_eq(watch_skipped(watch), 0);
}
END_TEST

START_TEST(as_much_as_is_wanted)
{
    put("a");
    put("b");
    ck_assert(watch_take(watch, &out, 1));
    ck_assert_uint_eq(out.len, strlen("127.0.0.1:4711 a\n"));
    ck_assert(watch_take(watch, &out, 1));
    ck_assert(!watch_take(watch, &out, 100));
    ck_assert_uint_eq(out.len, 2 * strlen("127.0.0.1:4711 a\n"));
}
END_TEST

START_TEST(bytes_are_escaped_as_in_the_log)
{
    put("a\x1b[2J\\\xff:1|c\r");
    ck_assert_str_eq(take(), "127.0.0.1:4711 a\\x1b[2J\\\\\\xff:1|c\\x0d\n");
}
END_TEST

START_TEST(long_lines_are_cut)
{
    char line[60000], expected[WATCH_TEXT_MAX];

    memset(line, 0xff, sizeof(line));
    for (size_t len = WATCH_LINE_MAX - 1; len < WATCH_LINE_MAX + 2; len++) {
        size_t n = (size_t)snprintf(expected, sizeof(expected), "127.0.0.1:4711 ");

        watch_put(watch, &from, line, len);
        for (size_t i = 0; i < len && i < WATCH_LINE_MAX; i++)
            n += (size_t)snprintf(expected + n, sizeof(expected) - n, "\\xff");
        snprintf(expected + n, sizeof(expected) - n, len > WATCH_LINE_MAX ? "...\n" : "\n");
        ck_assert_str_eq(take(), expected);
    }
    watch_put(watch, &from, line, sizeof(line));
    ck_assert_str_eq(take(), expected);
}
END_TEST

START_TEST(the_rest_is_counted)
{
    char line[64];
    unsigned n = 0;

    for (; watch_skipped(watch) == 0; n++) {
        snprintf(line, sizeof(line), "n%u:1|c", n);
        put(line);
    }
    ck_assert_uint_gt(n, SIZE / 64);
    put("a:1|c");
    put("b:1|c");
    take();
    snprintf(line, sizeof(line), " n%u:1|c\n", n - 2);
    ck_assert_str_eq((const char *)out.data + out.len - 1 - strlen(line), line);
    ck_assert_uint_eq(watch_skipped(watch), 2);
    put("c:1|c");
    ck_assert_str_eq(take(), "127.0.0.1:4711 c:1|c\n");
    ck_assert_uint_eq(watch_skipped(watch), 0);
}
END_TEST

static const struct {
    const char *glob, *name;
    bool wants;
} wanted[] = {
    {"", "", true},       {"", "a", true},     {"a", "a", true},       {"a", "ab", false},
    {"a.*", "a.b", true}, {"a.*", "b", false}, {"*.b?", "a.bc", true},
};

START_TEST(names)
{
    struct name name = {.text = wanted[_i].name, .len = strlen(wanted[_i].name)};
    struct watch *other = watch_new(wanted[_i].glob, SIZE);

    ck_assert_ptr_nonnull(other);
    ck_assert_int_eq(watch_wants(other, &name), wanted[_i].wants);
    watch_free(other);
}
END_TEST

#define N_SENT 300000

static void *
send_many(void *argument)
{
    char line[64];

    for (unsigned i = 0; i < N_SENT; i++) {
        /* Of all lengths, so that they come to lie at the end of the ring in every way. */
        snprintf(line, sizeof(line), "%u:%.*s|", i, (int)(i % 40),
                 "0123456789012345678901234567890123456789");
        put(line);
    }
    __atomic_store_n((bool *)argument, true, __ATOMIC_RELEASE);
    return NULL;
}

/* Returns how many lines there were, each of them a line that was sent, and behind the one before.
 */
static unsigned
check_lines(const char *text, long *last)
{
    unsigned n = 0, number;
    char digits[64];

    for (; *text != '\0'; text = strchr(text, '\n') + 1, n++) {
        digits[0] = '\0';
        ck_assert_int_ge(sscanf(text, "127.0.0.1:4711 %u:%63[0-9]", &number, digits), 1);
        ck_assert_int_gt((long)number, *last);
        ck_assert_uint_eq(strlen(digits), number % 40);
        *last = number;
    }
    return n;
}

START_TEST(two_threads)
{
    pthread_t thread;
    bool is_done = false, was_done;
    uint64_t n_skipped = 0;
    unsigned n = 0;
    long last = -1;

    ck_assert_int_eq(pthread_create(&thread, NULL, send_many, &is_done), 0);
    do {
        was_done = __atomic_load_n(&is_done, __ATOMIC_ACQUIRE);
        n += check_lines(take(), &last);
        n_skipped += watch_skipped(watch);
    } while (!was_done);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(n + n_skipped, N_SENT);
    ck_assert_uint_gt(n, 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("watch");
    TCase *tcase = tcase_create("watch");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, in_their_order);
    tcase_add_test(tcase, as_much_as_is_wanted);
    tcase_add_test(tcase, bytes_are_escaped_as_in_the_log);
    tcase_add_test(tcase, long_lines_are_cut);
    tcase_add_test(tcase, the_rest_is_counted);
    tcase_add_loop_test(tcase, names, 0, sizeof(wanted) / sizeof(wanted[0]));
    tcase_add_test(tcase, two_threads);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
