/*
 * check_gauges: which records become the file, and that there is always a whole one.
 */
#include "sender/gauges.h"

#include <stdint.h>

#include "metric/gaugefile.h"
#include "metric/point.h"

#include "calls.h"
#include "folder.h"

static struct buf records;

static void
setup(void)
{
    folder_make();
    buf_init(&records, 1 << 20);
}

static void
teardown(void)
{
    calls.at = 0;
    buf_release(&records);
    folder_remove();
}

static void
add(uint8_t source, const char *name, uint64_t set_ms, double value)
{
    struct record record = {
        .source = source,
        .name = name,
        .name_len = (uint16_t)strlen(name),
        .set_ms = set_ms,
    };

    if (source == METRIC_TIMER)
        record_add(&record, STATISTIC_LOWER, 0, -1);
    record_add(&record, STATISTIC_VALUE, 0, value);
    ck_assert_int_eq(record_encode(&record, &records), 0);
}

static int
save(void)
{
    return gauges_save(folder, "gauges", records.data, records.len);
}

/* The file's entries as "NAME=VALUE@SET_MS ". */
static const char *
read_back(void)
{
    static char text[1024];
    static uint8_t bytes[65536];
    size_t len = folder_read("gauges", bytes, sizeof(bytes));
    struct gaugefile_entry entry;
    struct gaugefile file;

    ck_assert_int_eq(gaugefile_open(bytes, len, &file), GAUGEFILE_OK);
    text[0] = '\0';
    while (gaugefile_next(&file, &entry))
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s=%g@%llu ",
                 (int)entry.name_len, entry.name, entry.value, (unsigned long long)entry.set_ms);
    return text;
}

START_TEST(test_gauges_alone)
{
    add(METRIC_COUNTER, "counter", 0, 1);
    add(METRIC_GAUGE, "a", 1700000000123, 2.5);
    add(METRIC_TIMER, "timer", 0, 3);
    add(RECORD_SELF, "self", 0, 4);
    add(METRIC_GAUGE, "b.c", 5, -6);
    add(METRIC_SET, "set", 0, 7);
    ck_assert_int_eq(save(), 0);
    ck_assert_str_eq(read_back(), "a=2.5@1700000000123 b.c=-6@5 ");
    ck_assert_str_eq(folder_list(), "gauges ");
}
END_TEST

START_TEST(test_none)
{
    ck_assert_int_eq(save(), 0);
    ck_assert_str_eq(read_back(), "");
    add(METRIC_COUNTER, "counter", 0, 1);
    ck_assert_int_eq(save(), 0);
    ck_assert_str_eq(read_back(), "");
}
END_TEST

/* The file's limit is the records': as many and as short as they can be. */
START_TEST(test_many)
{
    for (int i = 0; i < 2000; i++)
        add(METRIC_GAUGE, "g", 1, i);
    ck_assert_int_eq(save(), 0);
    ck_assert_int_eq(strncmp(read_back(), "g=0@1 g=1@1 g=2@1 ", 18), 0);
}
END_TEST

START_TEST(test_replaced_whole_or_not_at_all)
{
    unsigned at = 0;
    bool failed = true;

    add(METRIC_GAUGE, "a", 1, 1);
    ck_assert_int_eq(save(), 0);
    add(METRIC_GAUGE, "b", 2, 2);
    while (failed) {
        int status;

        calls.at = ++at;
        calls.error = EIO;
        status = save();
        failed = calls.at == 0;
        calls.at = 0;
        ck_assert(status == 0 || (failed && status == -EIO));
        ck_assert_str_eq(folder_list(), "gauges ");
        ck_assert(strcmp(read_back(), "a=1@1 ") == 0 || strcmp(read_back(), "a=1@1 b=2@2 ") == 0);
    }
    ck_assert_str_eq(read_back(), "a=1@1 b=2@2 ");
    ck_assert_uint_gt(at, 10);
}
END_TEST

START_TEST(test_leftover)
{
    folder_write("gauges.tmp", "half", 4);
    add(METRIC_GAUGE, "a", 1, 1);
    ck_assert_int_eq(save(), 0);
    ck_assert_str_eq(folder_list(), "gauges ");
}
END_TEST

/* Neither under its own name nor under the other is a link followed. */
START_TEST(test_links)
{
    char target[16] = {0};

    folder_write("target", "theirs", 6);
    ck_assert_int_eq(symlinkat("target", folder, "gauges"), 0);
    ck_assert_int_eq(symlinkat("target", folder, "gauges.tmp"), 0);
    add(METRIC_GAUGE, "a", 1, 1);
    ck_assert_int_eq(save(), 0);
    ck_assert_str_eq(read_back(), "a=1@1 ");
    ck_assert_uint_eq(folder_read("target", target, sizeof(target)), 6);
    ck_assert_str_eq(target, "theirs");
    ck_assert_str_eq(folder_list(), "gauges target ");
}
END_TEST

START_TEST(test_refusals)
{
    char name[300];

    add(METRIC_GAUGE, "a", 1, 1);
    memset(name, 'x', sizeof(name));
    name[252] = '\0';
    ck_assert_int_eq(gauges_save(folder, name, records.data, records.len), -ENAMETOOLONG);
    ck_assert_int_eq(gauges_save(-1, "gauges", records.data, records.len), -EBADF);
    ck_assert_int_eq(gauges_save(folder, "gauges", records.data, records.len - 1), -EBADMSG);
    ck_assert_int_eq(mkdirat(folder, "gauges.tmp", 0700), 0);
    ck_assert_int_eq(save(), -EEXIST);
    ck_assert_str_eq(folder_list(), "gauges.tmp ");
    name[251] = '\0';
    ck_assert_int_eq(gauges_save(folder, name, records.data, records.len), 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("gauges");
    TCase *tcase = tcase_create("gauges");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_gauges_alone);
    tcase_add_test(tcase, test_none);
    tcase_add_test(tcase, test_many);
    tcase_add_test(tcase, test_replaced_whole_or_not_at_all);
    tcase_add_test(tcase, test_leftover);
    tcase_add_test(tcase, test_links);
    tcase_add_test(tcase, test_refusals);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
