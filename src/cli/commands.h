/*
 * commands: the table of what the program can do, from which its dispatch, its help and its
 * completion are made.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct options;

/* Groups of flags, see options.c. A command takes those of all its groups. */
enum command_flags {
    TAKES_SAMPLE = 1, /* where to, and how */
    TAKES_DELTA = 2,
    TAKES_SOCKET = 4,
    TAKES_FORM = 8, /* of status */
    TAKES_ROWS = 16,
    TAKES_YES = 32,
};

/* How the program ends, but where a command of the user's decides. */
enum exit_status {
    EXIT_FINE,
    EXIT_TROUBLE,
    EXIT_USAGE,
    EXIT_UNKNOWN,
    EXIT_REFUSED = 65 /* as of pystatsd-server --explain */
};

struct command {
    const char *name;
    int (*run)(const struct options *options); /* returns the exit status */
    const char *usage;                         /* operands as the help names them; "": none */
    unsigned least, most;                      /* operands */
    unsigned takes;                            /* command_flags */
    bool is_wrapper; /* what follows the first operand is another program's command line */
    const char *help;
};

/* The table, in the order of the help. */
extern const struct command commands[];
extern const size_t n_commands;

/* The command of that name, or NULL. */
const struct command *commands_find(const char *name);

/* All commands, or where command is not NULL that one with its flags. */
void commands_print_help(FILE *out, const struct command *command);

#endif
