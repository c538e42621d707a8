/*
 * commands: owns the table. Must not know how any of them does its work.
 */
#include "cli/commands.h"

#include <limits.h>
#include <string.h>

#include "cli/emit.h"
#include "cli/feed.h"
#include "cli/options.h"
#include "cli/queries.h"
#include "cli/status.h"
#include "cli/stopwatch.h"
#include "cli/top.h"

#define SAMPLE TAKES_SAMPLE
#define SOCKET TAKES_SOCKET

static int print_help(const struct options *options);

const struct command commands[] = {
    {"increment", emit_count, "NAME [N]", 1, 2, SAMPLE, false, "add 1, or N, to a counter"},
    {"decrement", emit_count, "NAME [N]", 1, 2, SAMPLE, false, "take 1, or N, from a counter"},
    {"timing", emit_timing, "NAME MS", 2, 2, SAMPLE, false, "send how long something took"},
    {"time", stopwatch_command, "NAME COMMAND...", 2, UINT_MAX, SAMPLE, true,
     "run a command and send how long it took; its exit status is kept"},
    {"gauge", emit_gauge, "NAME VALUE", 2, 2, SAMPLE | TAKES_DELTA, false, "set a gauge"},
    {"set", emit_set, "NAME MEMBER", 2, 2, SAMPLE, false, "send a member of a set"},
    {"send", feed_command, "", 0, 0, SAMPLE, false,
     "send lines of standard input, NAME:VALUE|TYPE, packed"},
    {"status", status_command, "", 0, 0, SOCKET | TAKES_FORM, false, "how the daemon is"},
    {"top", top_command, "", 0, 0, SOCKET | TAKES_ROWS, false,
     "busiest and newest names, busiest senders and prefixes; q quits"},
    {"list", queries_plain, "[GLOB]", 0, 1, SOCKET, false, "types and names of metrics"},
    {"get", queries_get, "NAME", 1, 1, SOCKET, false, "what the open interval has of a metric"},
    {"watch", queries_watch, "[GLOB]", 0, 1, SOCKET, false,
     "lines that match, with their senders, as they come"},
    {"delete", queries_delete, "GLOB", 1, 1, SOCKET | TAKES_YES, false,
     "forget metrics; asks on a terminal"},
    {"flush", queries_plain, "", 0, 0, SOCKET, false, "send what the open interval has, now"},
    {"reload", queries_plain, "", 0, 0, SOCKET, false,
     "have the settings read again; the log says what came of it"},
    {"explain", queries_explain, "LINE", 1, 1, SOCKET, false,
     "how the daemon reads a line, and what it would send"},
    {"config", queries_plain, "", 0, 0, SOCKET, false, "the settings in effect"},
    {"help", print_help, "[COMMAND]", 0, 1, 0, false, "print the help of a command, or all"},
};

const size_t n_commands = sizeof(commands) / sizeof(commands[0]);

const struct command *
commands_find(const char *name)
{
    for (size_t i = 0; i < n_commands; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static void
print_all(FILE *out)
{
    char left[64];

    fputs("usage: pystatsd COMMAND [OPERAND]... [FLAG]...\n"
          "Sends samples to a StatsD server, and asks pystatsd's daemon.\n\n",
          out);
    for (size_t i = 0; i < n_commands; i++) {
        snprintf(left, sizeof(left), "%s%s%s", commands[i].name, *commands[i].usage ? " " : "",
                 commands[i].usage);
        fprintf(out, "  %-23s %s\n", left, commands[i].help);
    }
    fputs("\nFlags of those that send:\n", out);
    options_print_flags(out, TAKES_SAMPLE | TAKES_DELTA);
    fputs("\nFlags of those that ask the daemon:\n", out);
    options_print_flags(out, TAKES_SOCKET | TAKES_FORM | TAKES_ROWS | TAKES_YES);
    fputs("\nFlags of all:\n", out);
    options_print_flags(out, 0);
}

void
commands_print_help(FILE *out, const struct command *command)
{
    if (command == NULL) {
        print_all(out);
        return;
    }
    fprintf(out, "usage: pystatsd %s%s%s [FLAG]...\n%s\n\n", command->name,
            *command->usage ? " " : "", command->usage, command->help);
    if (command->takes != 0)
        options_print_flags(out, command->takes);
    options_print_flags(out, 0);
}

static int
print_help(const struct options *options)
{
    const struct command *command = NULL;

    if (options->n_operands > 0) {
        command = commands_find(options->operands[0]);
        if (command == NULL) {
            fprintf(stderr, "pystatsd: there is no such command; `pystatsd help` names all\n");
            return EXIT_USAGE;
        }
    }
    commands_print_help(stdout, command);
    return fflush(stdout) == 0 ? EXIT_FINE : EXIT_TROUBLE;
}
