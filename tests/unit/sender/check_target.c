/*
 * check_target: questions and answers about where to send, under a false clock. The test is who
 * answers.
 */
#include <check.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sender/target.h"

#define HERE   "here:2003"
#define NOW_MS UINT64_C(1000000)
/* DNS_REFRESH */
#define FRESH_MS 30000

static struct target target;
static int asked, answers; /* the test's ends */

static void
answer_as(const char *destination, int n, unsigned char mark)
{
    struct resolved answer = {.n = n};

    strcpy(answer.destination, destination);
    answer.addresses[0].len = mark;
    ck_assert_int_eq((int)write(answers, &answer, sizeof(answer)), (int)sizeof(answer));
}

static void
set_up(void)
{
    int ask[2], answer[2];

    ck_assert_int_eq(pipe2(ask, O_CLOEXEC | O_NONBLOCK), 0);
    ck_assert_int_eq(pipe2(answer, O_DIRECT | O_CLOEXEC | O_NONBLOCK), 0);
    asked = ask[0];
    answers = answer[1];
    answer_as("there:1", 1, 99); /* to somebody else */
    target_init(&target, ask[1], answer[0], HERE, FRESH_MS);
}

static void
tear_down(void)
{
    close(target.ask_fd);
    close(asked);
    close(answers);
}

static bool
was_asked(void)
{
    char byte;

    return read(asked, &byte, 1) == 1;
}

/* Asks at now_ms and has the answer at once. */
static void
learn(uint64_t now_ms, unsigned char mark)
{
    ck_assert_int_eq(target_seek(&target, false, now_ms), TARGET_WAITING);
    ck_assert(was_asked());
    answer_as(HERE, 1, mark);
    ck_assert_int_eq(target_read(&target, now_ms), TARGET_NOTHING);
    ck_assert_int_eq(target_seek(&target, false, now_ms), TARGET_READY);
    ck_assert_uint_eq(target.addresses.addresses[0].len, mark);
}

START_TEST(test_fresh_answers_are_not_asked_for_again)
{
    learn(NOW_MS, 1);
    ck_assert_int_eq(target_seek(&target, false, NOW_MS + FRESH_MS - 1), TARGET_READY);
    ck_assert(!was_asked());
    learn(NOW_MS + FRESH_MS, 2);
    target_doubt(&target);
    learn(NOW_MS + FRESH_MS + 1, 3);
}
END_TEST

/* One second once; then the old addresses at once, until the answer comes. */
START_TEST(test_late_answer)
{
    learn(NOW_MS, 1);
    target_doubt(&target);
    ck_assert_int_eq(target_seek(&target, false, NOW_MS), TARGET_WAITING);
    ck_assert(was_asked());
    ck_assert_uint_eq(target.deadline_ms, NOW_MS + 1000);
    ck_assert_int_eq(target_seek(&target, false, NOW_MS + 999), TARGET_WAITING);
    ck_assert_int_eq(target_seek(&target, false, NOW_MS + 1000), TARGET_READY);
    ck_assert_int_eq(target_seek(&target, false, NOW_MS + 3000), TARGET_READY);
    ck_assert(!was_asked());
    answer_as(HERE, 1, 2);
    ck_assert_int_eq(target_read(&target, NOW_MS + 9000), TARGET_NOTHING);
    ck_assert_uint_eq(target.addresses.addresses[0].len, 2);
}
END_TEST

START_TEST(test_an_answer_that_never_comes)
{
    learn(NOW_MS, 1);
    target_doubt(&target);
    ck_assert_int_eq(target_seek(&target, false, NOW_MS), TARGET_WAITING);
    ck_assert(was_asked());
    ck_assert_int_eq(target_seek(&target, false, NOW_MS + 1000), TARGET_READY);
    ck_assert_int_eq(target_seek(&target, false, NOW_MS + 60000), TARGET_WAITING);
    ck_assert(was_asked());
}
END_TEST

START_TEST(test_nothing_known)
{
    ck_assert_int_eq(target_seek(&target, false, NOW_MS), TARGET_WAITING);
    ck_assert(was_asked());
    ck_assert_int_eq(target_seek(&target, false, NOW_MS + 11999), TARGET_WAITING);
    ck_assert_int_eq(target_seek(&target, false, NOW_MS + 12000), TARGET_UNKNOWN);
    ck_assert_int_eq(target.error, EAI_AGAIN);
    ck_assert_int_eq(target_seek(&target, true, NOW_MS + 20000), TARGET_WAITING);
    ck_assert_int_eq(target_seek(&target, true, NOW_MS + 22000), TARGET_UNKNOWN);
}
END_TEST

START_TEST(test_bad_news)
{
    ck_assert_int_eq(target_seek(&target, false, NOW_MS), TARGET_WAITING);
    answer_as(HERE, EAI_NONAME, 0);
    ck_assert_int_eq(target_read(&target, NOW_MS), TARGET_NOTHING);
    ck_assert_int_eq(target_seek(&target, false, NOW_MS), TARGET_UNKNOWN);
    ck_assert_int_eq(target.error, EAI_NONAME);
    learn(NOW_MS, 1);
    target_doubt(&target);
    ck_assert_int_eq(target_seek(&target, false, NOW_MS), TARGET_WAITING);
    answer_as(HERE, EAI_AGAIN, 0);
    ck_assert_int_eq(target_read(&target, NOW_MS), TARGET_NOTHING);
    ck_assert_int_eq(target_seek(&target, false, NOW_MS), TARGET_READY);
    ck_assert_uint_eq(target.addresses.addresses[0].len, 1);
}
END_TEST

START_TEST(test_hurry)
{
    learn(NOW_MS, 1);
    target_doubt(&target);
    ck_assert_int_eq(target_seek(&target, true, NOW_MS), TARGET_READY);
    ck_assert(was_asked()); /* for the next */
    target.addresses.n = 0;
    ck_assert_int_eq(target_seek(&target, false, NOW_MS), TARGET_WAITING);
    target_hurry(&target, NOW_MS);
    ck_assert_uint_eq(target.deadline_ms, NOW_MS + 2000);
}
END_TEST

START_TEST(test_unasked)
{
    learn(NOW_MS, 1);
    answer_as(HERE, 1, 2);
    ck_assert_int_eq(target_read(&target, NOW_MS), TARGET_UNASKED);
    ck_assert_uint_eq(target.addresses.addresses[0].len, 2);
    answer_as(HERE, EAI_AGAIN, 0);
    ck_assert_int_eq(target_read(&target, NOW_MS), TARGET_NOTHING);
    ck_assert_int_eq(target.addresses.n, 1);
}
END_TEST

/* What fails are those from before the answer that nobody asked for. */
START_TEST(test_doubt_of_old_ones)
{
    learn(NOW_MS, 1);
    answer_as(HERE, 1, 2);
    ck_assert_int_eq(target_read(&target, NOW_MS), TARGET_UNASKED);
    ck_assert(!target_doubt(&target));
    ck_assert_int_eq(target_seek(&target, false, NOW_MS), TARGET_READY);
    ck_assert(!was_asked());
    ck_assert(target_doubt(&target));
    learn(NOW_MS, 3);
    answer_as(HERE, EAI_AGAIN, 0); /* none to be tried */
    ck_assert_int_eq(target_read(&target, NOW_MS), TARGET_NOTHING);
    ck_assert(target_doubt(&target));
}
END_TEST

START_TEST(test_moved)
{
    learn(NOW_MS, 1);
    target_doubt(&target);
    ck_assert_int_eq(target_seek(&target, false, NOW_MS), TARGET_WAITING);
    answer_as(HERE, 1, 2);
    answer_as("[::1]:2004", 1, 3);
    ck_assert_int_eq(target_read(&target, NOW_MS), TARGET_MOVED);
    ck_assert_str_eq(target.destination, "[::1]:2004");
    ck_assert_uint_eq(target.addresses.addresses[0].len, 3);
    ck_assert_int_eq(target_seek(&target, false, NOW_MS), TARGET_READY);
    answer_as("nowhere:1", EAI_NONAME, 0); /* the old place is none to go on with */
    ck_assert_int_eq(target_read(&target, NOW_MS), TARGET_MOVED);
    ck_assert_int_eq(target.addresses.n, 0);
    ck_assert_int_eq(target.error, EAI_NONAME);
}
END_TEST

START_TEST(test_nobody_to_ask)
{
    learn(NOW_MS, 1);
    close(answers);
    close(asked);
    target_doubt(&target);
    ck_assert_int_eq(target_read(&target, NOW_MS), TARGET_NOTHING);
    ck_assert_int_eq(target.addresses_fd, -1);
    ck_assert_int_eq(target_read(&target, NOW_MS), TARGET_NOTHING);
    ck_assert_int_eq(target_seek(&target, false, NOW_MS), TARGET_READY);
    target.addresses.n = 0;
    ck_assert_int_eq(target_seek(&target, false, NOW_MS), TARGET_UNKNOWN);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("target");
    TCase *tcase = tcase_create("target");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, test_fresh_answers_are_not_asked_for_again);
    tcase_add_test(tcase, test_late_answer);
    tcase_add_test(tcase, test_an_answer_that_never_comes);
    tcase_add_test(tcase, test_nothing_known);
    tcase_add_test(tcase, test_bad_news);
    tcase_add_test(tcase, test_hurry);
    tcase_add_test(tcase, test_unasked);
    tcase_add_test(tcase, test_doubt_of_old_ones);
    tcase_add_test(tcase, test_moved);
    tcase_add_test(tcase, test_nobody_to_ask);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
