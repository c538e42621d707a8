/*
 * check_onlook: what is seen of lines on their way to the table.
 */
#include "worker/onlook.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plot.h"
#include "worker/lines.h"

#define NOW_MS UINT64_C(1700000000000)

static struct {
    struct plot plot;
    struct ingest ingest;
    struct culprit culprit;
    struct lines lines;
} rig;
static struct watch *watch;
static char text[65536];

static void
set_up(void)
{
    static const struct name_limits limits = {.name_max = 20, .node_max = 20};

    memset(&rig, 0, sizeof(rig));
    plot_open(&rig.plot, 1000);
    ingest_init(&rig.ingest, &rig.plot.region->hand, plot_slots(&rig.plot));
    lines_init(&rig.lines, rig.plot.region, &rig.ingest, &rig.culprit, &limits);
}

static void
tear_down(void)
{
    busy_free(rig.lines.onlook.busy);
    plot_close(&rig.plot);
}

static void
apply(const char *datagram)
{
    plot_begin_hand(&rig.plot);
    plot_receive(&rig.plot, datagram, strlen(datagram), false);
    lines_apply(&rig.lines, (size_t)ingest_resume(&rig.ingest), NOW_MS);
    ingest_done(&rig.ingest);
}

static const char *
seen(const char *glob, const char *datagram)
{
    struct buf out;

    watch = watch_new(glob, 65536);
    ck_assert_ptr_nonnull(watch);
    ck_assert(onlook_add(&rig.lines.onlook, watch));
    apply(datagram);
    onlook_remove(&rig.lines.onlook, watch);
    apply("later:1|c");
    buf_init_fixed(&out, text, sizeof(text) - 1);
    while (watch_take(watch, &out, out.len + 1))
        continue;
    text[out.len] = '\0';
    watch_free(watch);
    return text;
}

#define FROM "127.0.0.1:4711 "

START_TEST(all_lines)
{
    ck_assert_str_eq(seen("", "a:1|c\n\nb/c:2|ms|@0.5|#x\nbad\n\xff:1|c\n"),
                     FROM "a:1|c\n" FROM "b/c:2|ms|@0.5|#x\n" FROM "bad\n" FROM "\\xff:1|c\n");
}
END_TEST

START_TEST(clean_names_match)
{
    ck_assert_str_eq(seen("a_b*", "a b:1|c\na/b:1|c\na_bc:1|g\nx:1|c\n"),
                     FROM "a b:1|c\n" FROM "a_bc:1|g\n");
}
END_TEST

START_TEST(bad_lines_have_what_stands_before_the_colon)
{
    ck_assert_str_eq(seen("a*", "a:x|c\nab\nb:a\na12345678901234567890:1|c\n"),
                     FROM "a:x|c\n" FROM "ab\n");
    ck_assert_str_eq(seen("a", "a:x|c\na\nab:x|c\nb:a\n"), FROM "a:x|c\n" FROM "a\n");
    ck_assert_str_eq(seen("a_b", "a b:x|c\na/b:x|c\n"), FROM "a b:x|c\n");
}
END_TEST

START_TEST(more_than_one_batch)
{
    char datagram[8 * HAND_LINES * 2] = "";
    size_t len = 0, n = 0;

    for (size_t i = 0; i < HAND_LINES * 2 - 1; i++)
        len += (size_t)snprintf(datagram + len, sizeof(datagram) - len, "a:1|c\n");
    for (const char *at = seen("", datagram); *at != '\0'; at = strchr(at, '\n') + 1)
        n++;
    ck_assert_uint_eq(n, HAND_LINES * 2 - 1);
}
END_TEST

START_TEST(so_many_and_no_more)
{
    struct watch *many[ONLOOK_WATCHES_MAX + 1];
    struct onlook *onlook = &rig.lines.onlook;

    for (size_t i = 0; i <= ONLOOK_WATCHES_MAX; i++) {
        ck_assert_ptr_nonnull(many[i] = watch_new("", 4096));
        ck_assert_int_eq(onlook_add(onlook, many[i]), i < ONLOOK_WATCHES_MAX);
    }
    onlook_remove(onlook, many[ONLOOK_WATCHES_MAX]);
    ck_assert_uint_eq(onlook->n_watches, ONLOOK_WATCHES_MAX);
    for (size_t i = 0; i <= ONLOOK_WATCHES_MAX; i++) {
        onlook_remove(onlook, many[i]);
        watch_free(many[i]);
    }
    ck_assert_uint_eq(onlook->n_watches, 0);
    ck_assert(!onlook_is_wanted(onlook));
}
END_TEST

START_TEST(counted)
{
    const struct hash_key key = {1, 2};
    struct busy *merged = busy_new_merged(&key);
    struct buf out;

    ck_assert_ptr_nonnull(merged);
    ck_assert_ptr_nonnull(rig.lines.onlook.busy = busy_new(&key, 1));
    apply("a b.c.d:1|c\na_b.c.d:1|c\na b.c.d:1|g\nbad\n");
    apply("a b.c.d:1|c\n");
    busy_merge(merged, rig.lines.onlook.busy, NOW_MS);
    buf_init_fixed(&out, text, sizeof(text) - 1);
    busy_print(merged, 20, NOW_MS + 3500, &out);
    text[out.len] = '\0';
    ck_assert_str_eq(text, "name 4.00 a_b.c.d\n"
                           "new 3 counter a_b.c.d\n"
                           "new 3 gauge a_b.c.d\n"
                           "sender 5.00 127.0.0.1\n"
                           "prefix 4.00 a_b.c\n");
    busy_free(merged);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("onlook");
    TCase *tcase = tcase_create("onlook");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, all_lines);
    tcase_add_test(tcase, clean_names_match);
    tcase_add_test(tcase, bad_lines_have_what_stands_before_the_colon);
    tcase_add_test(tcase, more_than_one_batch);
    tcase_add_test(tcase, so_many_and_no_more);
    tcase_add_test(tcase, counted);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
