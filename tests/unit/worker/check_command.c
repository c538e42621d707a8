/*
 * check_command: the commands of ADMIN_SOCKET, and what is no request.
 */
#include "worker/command.h"

#include "estrade.h"

static struct estrade estrade;

static const char *
ask(const char *text)
{
    struct reply reply;
    char line[1100];

    strcpy(line, text);
    reply_init(&reply, &estrade.desk, false);
    command_begin(&reply, line, strlen(line));
    ck_assert_int_eq(estrade_take(&estrade, &reply), REPLY_DONE);
    reply_release(&reply);
    return (const char *)estrade.said.data;
}

START_TEST(test_wrong)
{
    static const char *const lines[] = {
        "",      " ",      "x",      "HELP",   "helpx",     "help x",    "get",
        "get a", "delete", "get ::", "list ,", "flush now", "reload it", "config a"};

    estrade_open(&estrade);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        const char *answer = ask(lines[i]);

        ck_assert_msg(strncmp(answer, "error ", 6) == 0, "%s", lines[i]);
        ck_assert_ptr_eq(strchr(answer, '\n'), answer + strlen(answer) - 1);
    }
    estrade_close(&estrade);
}
END_TEST

START_TEST(test_table)
{
    estrade_open(&estrade);
    for (const struct command *command = commands; command->name != NULL; command++) {
        ck_assert_uint_gt(strlen(command->help), 5);
        ck_assert_ptr_nonnull(command->begin);
        ck_assert_ptr_nonnull(strstr(ask(" help\t\r"), command->help));
    }
    estrade_close(&estrade);
}
END_TEST

/* Behind one blank a line is what it is. */
START_TEST(test_lines)
{
    static const struct {
        const char *request, *said;
    } rows[] = {
        {"explain a:1|c", "ok\nline a:1|c\n"},
        {" explain  a:1|c \t\r", "ok\nline  a:1|c \\x09\\x0d\n"},
        {"explain\t\ta:1|c", "ok\nline \\x09a:1|c\n"},
        {"explain ", "ok\nline \nempty "},
        {"explain  ", "ok\nline  \n"},
        {"explain", "error it takes a line\n"},
    };

    estrade_open(&estrade);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *answer = ask(rows[i].request);

        ck_assert_msg(strncmp(answer, rows[i].said, strlen(rows[i].said)) == 0, "%s", answer);
    }
    estrade_close(&estrade);
}
END_TEST

/* The main thread is played by the test. */
START_TEST(test_flush)
{
    char line[] = "flush";
    struct reply reply;

    estrade_open(&estrade);
    reply_init(&reply, &estrade.desk, false);
    command_begin(&reply, line, strlen(line));
    ck_assert_int_eq(estrade_take(&estrade, &reply), REPLY_LATER);
    ck_assert_str_eq((const char *)estrade.said.data, "");
    ck_assert(desk_take_flush(&estrade.desk));
    ck_assert(!desk_take_flush(&estrade.desk));
    ck_assert_int_eq(estrade_take(&estrade, &reply), REPLY_LATER);
    desk_flushed(&estrade.desk);
    ck_assert_int_eq(estrade_take(&estrade, &reply), REPLY_DONE);
    ck_assert_str_eq((const char *)estrade.said.data, "ok\n");
    reply_release(&reply);
    estrade.opts.never_twice = true;
    ck_assert_ptr_nonnull(strstr(ask("flush"), "aggregator"));
    estrade_close(&estrade);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_wrong, test_table, test_lines, test_flush};

    return estrade_run("command", tests, sizeof(tests) / sizeof(tests[0]));
}
