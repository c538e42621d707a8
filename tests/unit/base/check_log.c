/*
 * check_log: what an operator sees, line by line. stderr is a socket that keeps the bounds of each
 * write.
 */
#include <check.h>
#include <errno.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_event.h"

#define HEAD_LEN (sizeof("2026-11-22 18:20:43,123 ") - 1)

static int far_end; /* of stderr */
static int saved_stderr;
static char line[2048];

static void
take_stderr(void)
{
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
    saved_stderr = dup(STDERR_FILENO);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    close(ends[1]);
    far_end = ends[0];
    log_init(LOG_TO_STDERR, LOG_INFO);
    log_set_process("worker");
}

static void
give_stderr_back(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(far_end);
}

/* The next write to stderr, into line. False where there is none. */
static bool
next_line(void)
{
    ssize_t n = recv(far_end, line, sizeof(line) - 1, 0);

    line[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static void
assert_line(const char *without_time)
{
    ck_assert(next_line());
    ck_assert_uint_gt(strlen(line), HEAD_LEN);
    ck_assert_str_eq(line + HEAD_LEN, without_time);
}

static void
assert_matches(const char *pattern)
{
    regex_t regex;

    ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    ck_assert_msg(regexec(&regex, line, 0, NULL, 0) == 0, "%s", line);
    regfree(&regex);
}

START_TEST(test_line)
{
    log_info("%d metrics from %s", 7, "127.0.0.1");
    ck_assert(next_line());
    assert_matches("^[0-9]{4}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9],[0-9]{3} "
                   "\\[INFO\\] worker: 7 metrics from 127\\.0\\.0\\.1\n$");
    ck_assert(!next_line());
}
END_TEST

START_TEST(test_time_is_local)
{
    struct tm tm = {0};
    const char *end;
    double off_s;

    setenv("TZ", "XXX-05:30", 1);
    log_init(LOG_TO_STDERR, LOG_INFO);
    log_info("now");
    ck_assert(next_line());
    end = strptime(line, "%Y-%m-%d %H:%M:%S", &tm);
    ck_assert(end != NULL && *end == ',');
    off_s = difftime(timegm(&tm), time(NULL)) - (5.5 * 3600);
    ck_assert_msg(off_s >= -5 && off_s <= 1, "%.0f s off", off_s);
}
END_TEST

START_TEST(test_levels)
{
    static const int levels[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        log_init(LOG_TO_STDERR, levels[i]);
        log_warnx("w");
        log_info("i");
        log_debug("d");
        if (levels[i] >= LOG_WARNING)
            assert_line("[WARNING] worker: w\n");
        if (levels[i] >= LOG_INFO)
            assert_line("[INFO] worker: i\n");
        if (levels[i] >= LOG_DEBUG)
            assert_line("[DEBUG] worker: d\n");
        ck_assert(!next_line());
    }
}
END_TEST

START_TEST(test_process_name)
{
    log_set_process("sender");
    log_info("text");
    assert_line("[INFO] sender: text\n");
    log_set_process(NULL);
    log_info("text");
    assert_line("[INFO] text\n");
}
END_TEST

START_TEST(test_warn_says_why)
{
    errno = ENOENT;
    log_warn("cannot open %s", "/x");
    assert_line("[WARNING] worker: cannot open /x: No such file or directory\n");
    errno = ENOENT;
    log_warnx("cannot open %s", "/x");
    assert_line("[WARNING] worker: cannot open /x\n");
}
END_TEST

START_TEST(test_errno_is_kept)
{
    static const int destinations[] = {LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_JOURNAL};

    close(STDERR_FILENO); /* every write fails */
    for (size_t i = 0; i < 3; i++) {
        errno = EXDEV;
        log_init((enum log_destination)destinations[i], LOG_INFO);
        ck_assert_int_eq(errno, EXDEV);
        log_warn("text");
        ck_assert_int_eq(errno, EXDEV);
        log_warnx("text");
        ck_assert_int_eq(errno, EXDEV);
        log_info("text");
        ck_assert_int_eq(errno, EXDEV);
        log_debug("text");
        ck_assert_int_eq(errno, EXDEV);
    }
}
END_TEST

START_TEST(test_always_one_line)
{
    static const struct {
        const char *text, *shown;
    } rows[] = {
        {"", ""},
        {"two\nlines", "two\\x0alines"},
        {"at the end\n", "at the end\\x0a"},
        {"\r\t\x01\x7f", "\\x0d\\x09\\x01\\x7f"},
        {"\033[2J", "\\x1b[2J"},
        {"gr\xc3\xbc\xc3\x9f", "gr\\xc3\\xbc\\xc3\\x9f"},
        {"a\\x0ab", "a\\\\x0ab"}, /* nobody can write what looks like an escaped byte */
        {"100%s", "100%s"},
    };
    char expected[256];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        log_info("%s", rows[i].text);
        snprintf(expected, sizeof(expected), "[INFO] worker: %s\n", rows[i].shown);
        assert_line(expected);
        ck_assert(!next_line());
    }
}
END_TEST

START_TEST(test_what_is_escaped_already)
{
    struct log_event event = {.level = LOG_INFO, .is_escaped = true};

    ck_assert(log_event(&event, "a\\x0a\\\\b\n"));
    assert_line("[INFO] worker: a\\x0a\\\\b\\x0a\n");
}
END_TEST

/* Around the longest line, once with bytes that become four. */
START_TEST(test_long_messages_are_cut)
{
    static const char fills[] = {'x', '\n'};
    char text[3000];

    for (size_t fill = 0; fill < 2; fill++) {
        for (size_t len = 200; len<sizeof(text); len += len> 900 && len < 1100 ? 1 : 100) {
            size_t whole_len = strlen("worker: ") + (fill == 0 ? len : 4 * len);

            memset(text, fills[fill], len);
            text[len] = '\0';
            log_info("%s", text);
            ck_assert(next_line());
            ck_assert_uint_lt(strlen(line), 1024);
            ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
            if (whole_len <= 970)
                ck_assert_uint_eq(strlen(line), HEAD_LEN + strlen("[INFO] \n") + whole_len);
            else if (whole_len > 980)
                ck_assert_str_eq(line + strlen(line) - 4, "...\n");
            ck_assert(!next_line());
        }
    }
}
END_TEST

/* However long the text is, its reason and its count are there. */
START_TEST(test_tails_are_not_cut)
{
    struct log_event event = {.level = LOG_WARNING, .n_before = UINT64_MAX};
    char text[3000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_event(&event, "%s", text);
    ck_assert(next_line());
    ck_assert_uint_lt(strlen(line), 1024);
    assert_matches("xx\\.\\.\\. \\(and 18446744073709551615 times before\\)\n$");
    errno = ENOENT;
    log_warn("%s", text);
    ck_assert(next_line());
    assert_matches("xx\\.\\.\\.: No such file or directory\n$");
    event.n_before = 0;
    log_event(&event, "x");
    assert_line("[WARNING] worker: x\n");
}
END_TEST

/* The status with which a child that ends in fatal or fatalx exits. */
static int
status_of_fatal(bool with_reason, int status)
{
    pid_t pid = fork();
    int wait_status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        errno = EACCES;
        if (with_reason)
            fatal(status, "cannot %s", "go on");
        fatalx(status, "cannot %s", "go on");
    }
    ck_assert_int_eq(waitpid(pid, &wait_status, 0), pid);
    ck_assert(WIFEXITED(wait_status));
    return WEXITSTATUS(wait_status);
}

START_TEST(test_fatal_exits)
{
    log_init(LOG_TO_STDERR, LOG_ERR);
    ck_assert_int_eq(status_of_fatal(true, 78), 78);
    assert_line("[ERROR] worker: cannot go on: Permission denied\n");
    ck_assert_int_eq(status_of_fatal(false, 1), 1);
    assert_line("[ERROR] worker: cannot go on\n");
    ck_assert(!next_line());
}
END_TEST

/* Until it takes nothing more. */
static void
fill_stderr(void)
{
    for (int i = 0; i < 100000; i++)
        if (send(STDERR_FILENO, "x", 1, MSG_DONTWAIT) < 0)
            return;
    ck_abort_msg("stderr takes anything");
}

static void
drain_stderr(void)
{
    while (next_line())
        ck_assert_str_eq(line, "x");
}

START_TEST(test_no_room)
{
    fill_stderr();
    for (int i = 0; i < 7; i++)
        log_info("lost");
    errno = EXDEV;
    log_info("lost");
    ck_assert_int_eq(errno, EXDEV);
    drain_stderr();

    log_info("said");
    assert_line("[INFO] worker: said\n");
    assert_line("[WARNING] worker: 8 messages could not be logged\n");
    log_info("said");
    assert_line("[INFO] worker: said\n");
    ck_assert(!next_line());

    /* Again, within the same minute: it is kept for later. */
    fill_stderr();
    log_info("lost");
    drain_stderr();
    log_info("said");
    assert_line("[INFO] worker: said\n");
    ck_assert(!next_line());
}
END_TEST

static void
say(struct log_limit *limit, int n)
{
    log_event(&(struct log_event){.level = LOG_WARNING, .limit = limit}, "number %d", n);
}

START_TEST(test_what_repeats)
{
    struct log_limit one = {0}, other = {0};

    for (int i = 1; i <= 5; i++)
        say(&one, i);
    assert_line("[WARNING] worker: number 1\n");
    ck_assert(!next_line());
    say(&other, 1);
    assert_line("[WARNING] worker: number 1\n");
    ck_assert(!next_line());

    one.again_ms = 0; /* a minute later */
    say(&one, 6);
    assert_line("[WARNING] worker: number 6 (and 4 times before)\n");
    one.again_ms = 0;
    say(&one, 7);
    assert_line("[WARNING] worker: number 7\n");
    ck_assert(!next_line());
}
END_TEST

/* Who wants to know everything is told everything. */
START_TEST(test_what_repeats_for_debugging)
{
    struct log_limit limit = {0};

    log_init(LOG_TO_STDERR, LOG_DEBUG);
    for (int i = 1; i <= 3; i++)
        say(&limit, i);
    assert_line("[WARNING] worker: number 1\n");
    assert_line("[DEBUG] worker: number 2\n");
    assert_line("[DEBUG] worker: number 3\n");
    limit.again_ms = 0;
    say(&limit, 4);
    assert_line("[WARNING] worker: number 4 (and 2 times before)\n");
}
END_TEST

/* What had no room is to be said again, and its turn is still to come. */
START_TEST(test_what_repeats_and_is_lost)
{
    struct log_limit limit = {0};

    fill_stderr();
    ck_assert(!log_event(&(struct log_event){.level = LOG_WARNING, .limit = &limit}, "lost"));
    ck_assert(!log_event(&(struct log_event){.level = LOG_WARNING}, "lost"));
    drain_stderr();
    say(&limit, 2);
    assert_line("[WARNING] worker: number 2 (and 1 times before)\n");
    assert_line("[WARNING] worker: 2 messages could not be logged\n");
    ck_assert(!log_event(&(struct log_event){.level = LOG_WARNING, .limit = &limit}, "no turn"));
    ck_assert(!next_line());
    /* Nobody asks for it. */
    log_init(LOG_TO_STDERR, LOG_ERR);
    ck_assert(log_event(&(struct log_event){.level = LOG_WARNING}, "not asked for"));
    ck_assert(!next_line());
}
END_TEST

START_TEST(test_damaged_limit)
{
    struct log_limit limit = {.again_ms = UINT64_MAX};

    say(&limit, 1);
    say(&limit, 2);
    assert_line("[WARNING] worker: number 1\n");
    ck_assert(!next_line());
}
END_TEST

/* Nobody has to say anything for it. */
START_TEST(test_tick)
{
    log_tick();
    ck_assert(!next_line());
    fill_stderr();
    log_info("lost");
    errno = EXDEV;
    log_tick();
    ck_assert_int_eq(errno, EXDEV);
    drain_stderr();
    log_tick();
    log_tick();
    assert_line("[WARNING] worker: 1 messages could not be logged\n");
    ck_assert(!next_line());
}
END_TEST

/* What a parent could not say it tells itself. */
START_TEST(test_new_process)
{
    fill_stderr();
    log_info("lost");
    drain_stderr();
    log_set_process("sender");
    log_info("said");
    assert_line("[INFO] sender: said\n");
    ck_assert(!next_line());
}
END_TEST

/* What one that dies could not say its successor tells; once a minute, whoever it is. */
START_TEST(test_successor)
{
    struct log_memory memory = {0};

    log_remember(&memory);
    fill_stderr();
    log_info("lost");
    drain_stderr();
    for (int i = 0; i < 3; i++) {
        log_set_process("sender");
        log_remember(&memory);
        log_tick();
        if (i == 0)
            assert_line("[WARNING] sender: 1 messages could not be logged\n");
        ck_assert(!next_line());
        memory.lost.n_unsaid++;
    }
    log_set_process("worker");
    log_tick();
    ck_assert(!next_line());
    log_remember(&memory);
    memory.lost.again_ms = 0; /* a minute later */
    log_tick();
    assert_line("[WARNING] worker: 3 messages could not be logged\n");
}
END_TEST

/* Nor is the reason of a death news every time, unless it is the last. */
START_TEST(test_fatal_again_and_again)
{
    struct log_memory *memory =
        mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(memory, MAP_FAILED);
    log_remember(memory);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(status_of_fatal(true, 1), 1);
        if (i == 0)
            assert_line("[ERROR] worker: cannot go on: Permission denied\n");
        ck_assert(!next_line());
    }
    ck_assert_int_eq(status_of_fatal(false, 78), 78);
    assert_line("[ERROR] worker: cannot go on\n");
    memory->fatal.again_ms = 0; /* a minute later */
    ck_assert_int_eq(status_of_fatal(false, 1), 1);
    assert_line("[ERROR] worker: cannot go on (and 2 times before)\n");
    munmap(memory, sizeof(*memory));
}
END_TEST

START_TEST(test_events_have_levels)
{
    struct log_event event = {.level = LOG_DEBUG, .peer = "127.0.0.1:1", .limit = NULL};

    log_event(&event, "d");
    ck_assert(!next_line());
    event.level = LOG_INFO;
    for (int i = 0; i < 2; i++) {
        errno = EXDEV;
        log_event(&event, "%d", i);
        ck_assert_int_eq(errno, EXDEV);
    }
    assert_line("[INFO] worker: 0\n");
    assert_line("[INFO] worker: 1\n");
    ck_assert(!next_line());
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("log");
    TCase *tcase = tcase_create("log");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, take_stderr, give_stderr_back);
    tcase_add_test(tcase, test_line);
    tcase_add_test(tcase, test_time_is_local);
    tcase_add_test(tcase, test_levels);
    tcase_add_test(tcase, test_process_name);
    tcase_add_test(tcase, test_warn_says_why);
    tcase_add_test(tcase, test_errno_is_kept);
    tcase_add_test(tcase, test_always_one_line);
    tcase_add_test(tcase, test_long_messages_are_cut);
    tcase_add_test(tcase, test_fatal_exits);
    tcase_add_test(tcase, test_no_room);
    tcase_add_test(tcase, test_what_repeats);
    tcase_add_test(tcase, test_what_repeats_for_debugging);
    tcase_add_test(tcase, test_what_is_escaped_already);
    tcase_add_test(tcase, test_tails_are_not_cut);
    tcase_add_test(tcase, test_what_repeats_and_is_lost);
    tcase_add_test(tcase, test_damaged_limit);
    tcase_add_test(tcase, test_tick);
    tcase_add_test(tcase, test_new_process);
    tcase_add_test(tcase, test_successor);
    tcase_add_test(tcase, test_fatal_again_and_again);
    tcase_add_test(tcase, test_events_have_levels);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
