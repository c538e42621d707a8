/*
 * check_trail: what is told of what was changed by hand, whatever bytes it has and however often it
 * comes.
 */
#include "worker/trail.h"

#include "base/log.h"

#include "estrade.h"

static struct desk desk;
static struct reply reply;
static char told[1 << 14];

static void
set_up(void)
{
    memset(&desk, 0, sizeof(desk));
    reply_init(&reply, &desk, true);
    reply.peer = "192.0.2.1:4711";
}

/* Where the log goes meanwhile. */
static int ends[2], saved;

static void
listen_to(int level)
{
    saved = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_init(LOG_TO_STDERR, level);
}

/* What was logged since. */
static const char *
stop_listening(void)
{
    ssize_t n;

    dup2(saved, STDERR_FILENO);
    close(saved);
    n = read(ends[0], told, sizeof(told) - 1);
    ck_assert_int_ge(n, 0);
    told[n] = '\0';
    close(ends[0]);
    return told;
}

/* Without the time. */
static const char *
text_of(const char *line)
{
    const char *text = strchr(line, '[');

    return text != NULL ? text : line;
}

START_TEST(test_deletions)
{
    set_up();
    listen_to(LOG_INFO);
    trail_deleted(&reply, "gauges", "nothing.*", 0);
    trail_deleted(&reply, "timers", "a.* b", 12);
    ck_assert_str_eq(text_of(stop_listening()),
                     "[INFO] 12 timers deleted by 192.0.2.1:4711: a.* b\n");
}
END_TEST

START_TEST(test_any_bytes)
{
    char text[1024], want[256] = "[INFO] 1 metrics deleted by 192.0.2.1:4711: a\\x0a\\xff\\\\";

    set_up();
    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, "a\n\xff\\", 4);
    text[sizeof(text) - 1] = '\0';
    memset(want + strlen(want), 'x', 128 - 4);
    strcat(want, "...\n");
    listen_to(LOG_INFO);
    trail_deleted(&reply, "metrics", text, 1);
    ck_assert_str_eq(text_of(stop_listening()), want);
}
END_TEST

static unsigned
count_lines(const char *text)
{
    unsigned n = 0;

    for (; (text = strchr(text, '\n')) != NULL; text++)
        n++;
    return n;
}

/* A minute may end within the flood. What is held back leaves room for what is of another kind. */
START_TEST(test_flood)
{
    set_up();
    listen_to(LOG_INFO);
    for (unsigned i = 0; i < 10 * TRAIL_PER_MINUTE; i++)
        trail_deleted(&reply, "gauges", "g", 1);
    trail_health(&reply, true);
    stop_listening();
    ck_assert_uint_ge(count_lines(told), TRAIL_PER_MINUTE + 1);
    ck_assert_uint_le(count_lines(told), 2 * TRAIL_PER_MINUTE + 1);
    ck_assert_ptr_nonnull(strstr(told, "[INFO] health set to down by 192.0.2.1:4711\n"));
    desk.told_deletions.window_start_ms = 1; /* another minute */
    desk.told_deletions.n_suppressed = 90;
    listen_to(LOG_INFO);
    trail_deleted(&reply, "gauges", "g", 1);
    ck_assert_ptr_nonnull(strstr(stop_listening(), ": g (and 90 times before)\n"));
}
END_TEST

START_TEST(test_the_rest_at_level_debug)
{
    set_up();
    listen_to(LOG_DEBUG);
    for (unsigned i = 0; i < 4 * TRAIL_PER_MINUTE; i++)
        trail_health(&reply, false);
    stop_listening();
    ck_assert_uint_eq(count_lines(told), 4 * TRAIL_PER_MINUTE);
    ck_assert_ptr_nonnull(strstr(told, "[DEBUG] health set to up by 192.0.2.1:4711\n"));
}
END_TEST

/* Who does not wait for the end of the answer has deleted all the same. */
START_TEST(test_abandoned)
{
    static struct estrade estrade;
    char line[] = "delete *";

    estrade_open(&estrade);
    for (unsigned i = 0; i < 2000; i++) {
        char name[16];

        snprintf(name, sizeof(name), "n%u", i);
        estrade_give(&estrade, 0, METRIC_GAUGE, name, 1);
    }
    reply_init(&reply, &estrade.desk, false);
    command_begin(&reply, line, strlen(line));
    ck_assert_int_eq(reply_step(&reply), REPLY_MORE);
    listen_to(LOG_INFO);
    reply_release(&reply);
    ck_assert_ptr_nonnull(strstr(stop_listening(), " metrics deleted by somebody: *\n"));
    estrade_close(&estrade);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_deletions, test_any_bytes, test_flood,
                                  test_the_rest_at_level_debug, test_abandoned};

    return estrade_run("trail", tests, sizeof(tests) / sizeof(tests[0]));
}
