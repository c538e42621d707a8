/*
 * check_command: the commands of ADMIN_SOCKET, and what is no request.
 */
#include "worker/command.h"

#include <signal.h>
#include <sys/wait.h>

#include "estrade.h"

static struct estrade estrade;

static const char *
ask(const char *text)
{
    return estrade_ask_admin(&estrade, text);
}

/* Asks without the shards, which a child does not have. */
static int
reload_is_good(void)
{
    const struct command *command = commands;
    struct reply reply;
    const char *why;

    while (strcmp(command->name, "reload") != 0)
        command++;
    reply_init(&reply, &estrade.desk, false);
    why = command->begin(&reply, "");
    reply_release(&reply);
    return why == NULL;
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

static sig_atomic_t n_hangups;

static void
on_hangup(int number)
{
    (void)number;
    n_hangups++;
}

static void
reload_as_a_child(uint64_t master)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        board_set(&estrade.opts.board->master.pid, master);
        _exit(reload_is_good());
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), n_hangups);
}

/* Only the master is told, not whoever is the parent when it has gone. */
START_TEST(test_reload)
{
    signal(SIGHUP, on_hangup);
    estrade_open(&estrade);
    reload_as_a_child(0);
    reload_as_a_child((uint64_t)getpid() + 1);
    ck_assert_int_eq(n_hangups, 0);
    reload_as_a_child((uint64_t)getpid());
    ck_assert_int_eq(n_hangups, 1);
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
static void
ask_for_flush(bool is_sent)
{
    char line[] = "flush";
    struct reply reply;

    reply_init(&reply, &estrade.desk, false);
    command_begin(&reply, line, strlen(line));
    ck_assert_int_eq(estrade_take(&estrade, &reply), REPLY_LATER);
    ck_assert_str_eq((const char *)estrade.said.data, "");
    ck_assert(desk_take_flush(&estrade.desk));
    ck_assert_int_eq(estrade_take(&estrade, &reply), REPLY_LATER);
    desk_flushed(&estrade.desk, is_sent);
    ck_assert_int_eq(estrade_take(&estrade, &reply), REPLY_DONE);
    ck_assert_str_eq((const char *)estrade.said.data,
                     is_sent
                         ? "ok\n"
                         : "error carbon takes nothing more at the moment: the interval is sent "
                           "at its end\n");
    reply_release(&reply);
}

START_TEST(test_flush)
{
    estrade_open(&estrade);
    ask_for_flush(true);
    ask_for_flush(false);
    ask_for_flush(true);
    estrade.opts.never_twice = true;
    ck_assert_ptr_nonnull(strstr(ask("flush"), "aggregator"));
    estrade_close(&estrade);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_wrong, test_table, test_lines, test_reload, test_flush};

    return estrade_run("command", tests, sizeof(tests) / sizeof(tests[0]));
}
