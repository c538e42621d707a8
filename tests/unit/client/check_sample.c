/*
 * check_sample: what each call puts on the wire, byte for byte, and what it refuses.
 */
#include <errno.h>
#include <math.h>

#include "client/api.h"
#include "stand.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ALMOST       0.9999999999999999 /* marked, and never left out */
#define N_DRAWN      20000

static int fd;
static unsigned port;
static struct pystatsd_client *client;

static void
make(const char *prefix, const char *tags)
{
    struct pystatsd_options options = {
        .host = "127.0.0.1", .port = port, .prefix = prefix, .tags = tags};

    pystatsd_client_free(client);
    ck_assert_int_eq(pystatsd_client_new(&options, &client), 0);
}

static void
setup(void)
{
    stand_setup();
    port = 0;
    client = NULL;
    fd = stand_receiver("127.0.0.1", &port);
    make(NULL, NULL);
}

static void
teardown(void)
{
    pystatsd_client_free(client);
    close(fd);
    stand_teardown();
}

static void
assert_wire(int result, const char *text)
{
    ck_assert_int_eq(result, 0);
    ck_assert_str_eq(stand_receive(fd), text);
    ck_assert(stand_is_empty(fd));
}

static void
assert_refused(int result, int error)
{
    ck_assert_int_eq(result, error);
    ck_assert(stand_is_empty(fd));
}

/* What py-statsd's client writes: "%f|ms", "%f|g", "%s|c", and "|@%s" where the rate is below 1. */
static const struct {
    int (*call)(struct pystatsd_client *, const char *, double, double);
    double value, rate;
    const char *wire;
} py_statsd[] = {
    {pystatsd_timing, 500, 1, "python_test.x:500.000000|ms"},
    {pystatsd_timing, 0.1, 1, "python_test.x:0.100000|ms"},
    {pystatsd_timing, 0, 1, "python_test.x:0.000000|ms"},
    {pystatsd_timing, -1.5, 1, "python_test.x:-1.500000|ms"},
    {pystatsd_timing, 1234567.8901234, 1, "python_test.x:1234567.890123|ms"},
    {pystatsd_timing, 320, ALMOST, "python_test.x:320.000000|ms|@0.9999999999999999"},
    {pystatsd_gauge, 42, 1, "python_test.x:42.000000|g"},
    {pystatsd_gauge, 1e20, 1, "python_test.x:100000000000000000000.000000|g"},
    {pystatsd_gauge, 42, 2, "python_test.x:42.000000|g"},
    {pystatsd_gauge, 42, HUGE_VAL, "python_test.x:42.000000|g"},
    {pystatsd_gauge_delta, 1.5, 1, "python_test.x:+1.500000|g"},
    {pystatsd_gauge_delta, -1.5, 1, "python_test.x:-1.500000|g"},
    {pystatsd_gauge_delta, 0, 1, "python_test.x:+0.000000|g"},
    {pystatsd_histogram, 7, 1, "python_test.x:7.000000|h"},
    {pystatsd_count, 3, 1, "python_test.x:3|c"},
    {pystatsd_count, -3, 1, "python_test.x:-3|c"},
    {pystatsd_count, 0.25, 1, "python_test.x:0.25|c"},
    {pystatsd_count, 0.1, ALMOST, "python_test.x:0.1|c|@0.9999999999999999"},
};

START_TEST(test_values)
{
    make("python_test", NULL);
    assert_wire(py_statsd[_i].call(client, "x", py_statsd[_i].value, py_statsd[_i].rate),
                py_statsd[_i].wire);
}
END_TEST

START_TEST(test_numbers_that_are_none)
{
    const double values[] = {NAN, INFINITY, -INFINITY}, rates[] = {NAN, 0, -0.0, -1, -INFINITY};

    for (size_t i = 0; i < COUNT(values); i++)
        assert_refused(py_statsd[_i].call(client, "x", values[i], 1), -EINVAL);
    for (size_t i = 0; i < COUNT(rates); i++)
        assert_refused(py_statsd[_i].call(client, "x", 1, rates[i]), -EINVAL);
}
END_TEST

START_TEST(test_names_that_are_none)
{
    assert_refused(py_statsd[_i].call(client, NULL, 1, 1), -EINVAL);
    assert_refused(py_statsd[_i].call(client, "", 1, 1), -EINVAL);
    assert_refused(py_statsd[_i].call(client, ":|@#", 1, 1), -EINVAL);
    assert_refused(py_statsd[_i].call(NULL, "x", 1, 1), -EINVAL);
}
END_TEST

START_TEST(test_counters)
{
    const char *names[] = {"a", "b", "c"};

    assert_wire(pystatsd_increment(client, "x", 1), "x:1|c");
    assert_wire(pystatsd_decrement(client, "x", 1), "x:-1|c");
    assert_wire(pystatsd_increment(client, "x", ALMOST), "x:1|c|@0.9999999999999999");
    ck_assert_int_eq(pystatsd_update_stats(client, names, COUNT(names), 10, 1), 0);
    ck_assert_str_eq(stand_receive(fd), "a:10|c");
    ck_assert_str_eq(stand_receive(fd), "b:10|c");
    ck_assert_str_eq(stand_receive(fd), "c:10|c");
    assert_refused(pystatsd_update_stats(client, names, 0, 10, 1), 0);
    assert_refused(pystatsd_update_stats(client, NULL, 0, 10, 1), -EINVAL);
}
END_TEST

START_TEST(test_others_are_sent_where_one_fails)
{
    const char *names[] = {"a", NULL, "", "c"};

    ck_assert_int_eq(pystatsd_update_stats(client, names, COUNT(names), -1, 1), -EINVAL);
    ck_assert_str_eq(stand_receive(fd), "a:-1|c");
    ck_assert_str_eq(stand_receive(fd), "c:-1|c");
}
END_TEST

START_TEST(test_timing_since)
{
    double before_ms = pystatsd_now_ms();

    ck_assert_int_eq(pystatsd_timing_since(client, "x", before_ms - 1500, 1), 0);
    const char *text = stand_receive(fd);
    ck_assert_int_eq(strncmp(text, "x:", 2), 0);
    double ms = strtod(text + 2, NULL);
    ck_assert(ms >= 1500 && ms <= 1500 + pystatsd_now_ms() - before_ms + 0.001);
    ck_assert_str_eq(strchr(text, '|'), "|ms");
}
END_TEST

START_TEST(test_sets)
{
    assert_wire(pystatsd_set(client, "x", "bob@example.com", 1), "x:bob@example.com|s");
    assert_wire(pystatsd_set(client, "x", "1|c\ny:1|c", 1), "x:1_c_y_1_c|s");
    assert_refused(pystatsd_set(client, "x", "", 1), -EINVAL);
    assert_refused(pystatsd_set(client, "x", NULL, 1), -EINVAL);
}
END_TEST

START_TEST(test_send)
{
    assert_wire(pystatsd_send(client, "x", "2.0", "c", 1, NULL), "x:2.0|c");
    assert_wire(pystatsd_send(client, "x", "2", "d", ALMOST, "k:v,w"),
                "x:2|d|@0.9999999999999999|#k:v,w");
    assert_wire(pystatsd_send(client, "x", "2", "c", 1, "k:a b|c\n"), "x:2|c|#k:a_b_c_");
    assert_wire(pystatsd_send(client, "x", "2", "abcdEFGH", 1, NULL), "x:2|abcdEFGH");
    const char *types[] = {NULL, "", "c|", "c\n", "c d", "abcdefghi"};
    for (size_t i = 0; i < COUNT(types); i++)
        assert_refused(pystatsd_send(client, "x", "2", types[i], 1, NULL), -EINVAL);
}
END_TEST

/* A share of a share is the caller's to choose. */
START_TEST(test_send_sampled)
{
    for (int i = 0; i < 200; i++)
        assert_wire(pystatsd_send_sampled(client, "x", "2", "c", 0.01, NULL), "x:2|c|@0.01");
    assert_wire(pystatsd_send_sampled(client, "x", "2", "ms", 1, NULL), "x:2|ms");
    assert_wire(pystatsd_send_sampled(client, "x", "2", "c|@0.5|#a b|T1", 1, NULL),
                "x:2|c|@0.5|#a b|T1");
    assert_wire(pystatsd_send_sampled(client, "x", "2", "c|T\n1", 0.5, "k:v"),
                "x:2|c|T_1|@0.5|#k:v");
    assert_wire(pystatsd_send_sampled(client, "x", "2", "c|", 1, NULL), "x:2|c|");
    const char *types[] = {NULL, "", "|c", "c\n", "c d", "c:1|c", "abcdefghi", "abcdefghi|x"};
    for (size_t i = 0; i < COUNT(types); i++)
        assert_refused(pystatsd_send_sampled(client, "x", "2", types[i], 1, NULL), -EINVAL);
    const double rates[] = {NAN, 0, -1};
    for (size_t i = 0; i < COUNT(rates); i++)
        assert_refused(pystatsd_send_sampled(client, "x", "2", "c", rates[i], NULL), -EINVAL);
    assert_refused(pystatsd_send_sampled(client, "x", "", "c", 1, NULL), -EINVAL);
    assert_refused(pystatsd_send_sampled(client, "x", NULL, "c", 1, NULL), -EINVAL);
}
END_TEST

START_TEST(test_prefix_and_tags)
{
    make("web/1 a", "env:prod x,\nb");
    assert_wire(pystatsd_increment(client, "x", 1), "web-1_a.x:1|c|#env:prod_x,_b");
    assert_wire(pystatsd_send(client, "x", "1", "c", 1, "k:v"), "web-1_a.x:1|c|#env:prod_x,_b,k:v");
    assert_wire(pystatsd_send(client, "x", "1", "c", 1, ""), "web-1_a.x:1|c|#env:prod_x,_b");
    assert_refused(pystatsd_increment(client, "\xff", 1), -EINVAL);
    make("", "");
    assert_wire(pystatsd_increment(client, "x", 1), "x:1|c");
}
END_TEST

/* Up to the last byte that a datagram has, from every part of a line. */
START_TEST(test_long_lines)
{
    char text[PYSTATSD_DATAGRAM_MAX + 100], wanted[sizeof text + 100];
    const size_t rest = strlen(":1|c");

    memset(text, 'x', sizeof text);
    for (size_t len = PYSTATSD_DATAGRAM_MAX - 8; len < sizeof text - 1; len++) {
        text[len] = '\0';
        snprintf(wanted, sizeof wanted, "%s:1|c", text);
        if (len + rest <= PYSTATSD_DATAGRAM_MAX)
            assert_wire(pystatsd_increment(client, text, 1), wanted);
        else
            assert_refused(pystatsd_increment(client, text, 1), -EMSGSIZE);
        if (len + rest > PYSTATSD_DATAGRAM_MAX) {
            assert_refused(pystatsd_set(client, "y", text, 1), -EMSGSIZE);
            assert_refused(pystatsd_send(client, "y", "1", "c", 1, text), -EMSGSIZE);
            text[1] = '|';
            assert_refused(pystatsd_send_sampled(client, "y", "1", text, 1, NULL), -EMSGSIZE);
            text[1] = 'x';
        }
        text[len] = 'x';
    }
    text[sizeof text - 1] = '\0';
    make(text, NULL);
    assert_refused(pystatsd_increment(client, "x", 1), -EMSGSIZE);
    make(NULL, text);
    assert_refused(pystatsd_increment(client, "x", ALMOST), -EMSGSIZE);
}
END_TEST

/* The share that was asked for, within six standard deviations. */
START_TEST(test_sample_rate)
{
    const double rate = 0.1, off = 6 * sqrt(N_DRAWN * rate * (1 - rate));
    int n = 0;

    for (int i = 0; i < N_DRAWN; i++) {
        ck_assert_int_eq(pystatsd_increment(client, "x", rate), 0);
        for (; !stand_is_empty(fd); n++)
            ck_assert_str_eq(stand_receive(fd), "x:1|c|@0.1");
    }
    ck_assert_msg(fabs(n - N_DRAWN * rate) < off, "%d of %d", n, N_DRAWN);
}
END_TEST

START_TEST(test_all_names_or_none)
{
    const char *names[] = {"a", "b"};

    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(pystatsd_update_stats(client, names, 2, 1, 0.5), 0);
        if (!stand_is_empty(fd)) {
            ck_assert_str_eq(stand_receive(fd), "a:1|c|@0.5");
            ck_assert_str_eq(stand_receive(fd), "b:1|c|@0.5");
        }
    }
}
END_TEST

int
main(void)
{
    TCase *tcase = tcase_create("sample");
    Suite *suite = suite_create("sample");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, test_values, 0, COUNT(py_statsd));
    tcase_add_loop_test(tcase, test_numbers_that_are_none, 0, COUNT(py_statsd));
    tcase_add_loop_test(tcase, test_names_that_are_none, 0, COUNT(py_statsd));
    tcase_add_test(tcase, test_counters);
    tcase_add_test(tcase, test_others_are_sent_where_one_fails);
    tcase_add_test(tcase, test_timing_since);
    tcase_add_test(tcase, test_sets);
    tcase_add_test(tcase, test_send);
    tcase_add_test(tcase, test_send_sampled);
    tcase_add_test(tcase, test_prefix_and_tags);
    tcase_add_test(tcase, test_long_lines);
    tcase_add_test(tcase, test_sample_rate);
    tcase_add_test(tcase, test_all_names_or_none);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
