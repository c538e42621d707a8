/*
 * check_lookup: answers of the resolver, now and in the background, the ones that never come
 * included.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>

#include "client/lookup.h"
#include "stand.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
assert_address(const struct lookup_addresses *addresses, unsigned i, const char *wanted)
{
    const struct sockaddr_storage *at = &addresses->at[i];
    char text[INET6_ADDRSTRLEN];
    const void *binary = at->ss_family == AF_INET
                             ? (const void *)&((const struct sockaddr_in *)at)->sin_addr
                             : (const void *)&((const struct sockaddr_in6 *)at)->sin6_addr;

    ck_assert_uint_lt(i, addresses->n);
    ck_assert_ptr_nonnull(inet_ntop(at->ss_family, binary, text, sizeof text));
    ck_assert_str_eq(text, wanted);
}

static bool
wait_for(struct lookup *lookup, struct lookup_addresses *out, int *out_error)
{
    for (int i = 0; i < STAND_PATIENCE_MS; i++) {
        if (lookup_finish(lookup, out, out_error))
            return true;
        poll(NULL, 0, 1);
    }
    return false;
}

START_TEST(test_numeric)
{
    struct lookup_addresses found;

    ck_assert(lookup_numeric("127.0.0.1", 8125, &found));
    assert_address(&found, 0, "127.0.0.1");
    ck_assert_uint_eq(ntohs(((struct sockaddr_in *)&found.at[0])->sin_port), 8125);
    ck_assert(lookup_numeric("::1", 8125, &found));
    assert_address(&found, 0, "::1");
    ck_assert(!lookup_numeric(STAND_HOST, 8125, &found));
    ck_assert_uint_eq(stand.n_asked, 0);
}
END_TEST

START_TEST(test_ipv4_comes_first)
{
    struct lookup_addresses found;

    stand.addresses[0] = "::1";
    stand.addresses[1] = "127.0.0.1";
    stand.addresses[2] = "::2";
    stand.addresses[3] = "127.0.0.2";
    ck_assert_int_eq(lookup_now(STAND_HOST, 1, &found), 0);
    ck_assert_uint_eq(found.n, 4);
    assert_address(&found, 0, "127.0.0.1");
    assert_address(&found, 1, "127.0.0.2");
    assert_address(&found, 2, "::1");
    assert_address(&found, 3, "::2");
}
END_TEST

/* No more than there is room for, and none that is none. */
START_TEST(test_many_and_odd_ones)
{
    struct lookup_addresses found;

    for (size_t i = 0; i < COUNT(stand.addresses) - 1; i++)
        stand.addresses[i] = i == 1 ? "127.0.0.2" : "127.0.0.1";
    ck_assert_int_eq(lookup_now(STAND_HOST, 1, &found), 0);
    ck_assert_uint_eq(found.n, LOOKUP_ADDRESSES_MAX);
    stand.addresses[2] = NULL;
    stand.first_len = sizeof(struct sockaddr_storage) + 1;
    ck_assert_int_eq(lookup_now(STAND_HOST, 1, &found), 0);
    ck_assert_uint_eq(found.n, 1);
    assert_address(&found, 0, "127.0.0.2");
}
END_TEST

static const struct {
    int answer, error;
} failures[] = {
    {EAI_NONAME, -EHOSTUNREACH}, {EAI_FAIL, -EHOSTUNREACH}, {EAI_AGAIN, -EAGAIN},
    {EAI_MEMORY, -ENOMEM},       {0, -EHOSTUNREACH}, /* no address at all */
};

START_TEST(test_failures)
{
    struct lookup_addresses found;
    struct lookup *lookup;
    int error = 0;

    stand.error = failures[_i].answer;
    ck_assert_int_eq(lookup_now(STAND_HOST, 1, &found), failures[_i].error);
    ck_assert_int_eq(lookup_start(STAND_HOST, 1, &lookup), 0);
    ck_assert(wait_for(lookup, &found, &error));
    ck_assert_int_eq(error, failures[_i].error);
}
END_TEST

START_TEST(test_background)
{
    struct lookup_addresses found;
    sigset_t before, after;
    struct lookup *lookup;
    int error = 1;

    stand.addresses[0] = "127.0.0.9";
    stand.hangs = true;
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    ck_assert_int_eq(lookup_start(STAND_HOST, 1, &lookup), 0);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    for (int number = 1; number < NSIG; number++)
        ck_assert_int_eq(sigismember(&after, number), sigismember(&before, number));
    ck_assert(!lookup_finish(lookup, &found, &error));
    sem_post(&stand.let_go);
    ck_assert(wait_for(lookup, &found, &error));
    ck_assert_int_eq(error, 0);
    assert_address(&found, 0, "127.0.0.9");
    ck_assert(!stand.had_signals);
}
END_TEST

/* The thread's end frees it; a sanitizer or valgrind tells. */
START_TEST(test_abandoned)
{
    struct lookup *lookup;

    lookup_abandon(NULL);
    stand.hangs = true;
    ck_assert_int_eq(lookup_start(STAND_HOST, 1, &lookup), 0);
    while (stand.n_asked == 0)
        sched_yield();
    lookup_abandon(lookup);
    sem_post(&stand.let_go);
}
END_TEST

START_TEST(test_forgotten)
{
    lookup_forget(NULL);
}
END_TEST

int
main(void)
{
    TCase *tcase = tcase_create("lookup");
    Suite *suite = suite_create("lookup");

    tcase_add_checked_fixture(tcase, stand_setup, stand_teardown);
    tcase_add_test(tcase, test_numeric);
    tcase_add_test(tcase, test_ipv4_comes_first);
    tcase_add_test(tcase, test_many_and_odd_ones);
    tcase_add_loop_test(tcase, test_failures, 0, COUNT(failures));
    tcase_add_test(tcase, test_background);
    tcase_add_test(tcase, test_abandoned);
    tcase_add_test(tcase, test_forgotten);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
