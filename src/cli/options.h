/*
 * options: one command line, read.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "client/pystatsd.h"

struct command;

struct options {
    const struct command *command;
    char **words; /* all that are no flags, of argv; the array is owned */
    size_t n_words;
    char **operands; /* those behind the command's name, NULL behind them */
    size_t n_operands;
    struct pystatsd_options client; /* --host … --prefix, --tag; strings of argv, or tags */
    char *tags;                     /* all of --tag, joined */
    double sample_rate;
    bool is_delta;
    const char *socket_path; /* --socket, or NULL */
    bool as_json, as_check;
    bool is_once;
    unsigned rows;  /* 0: as many as there is room for */
    bool is_agreed; /* --yes */
    bool wants_help, wants_version;
};

/* Reads argv, whose pointers it may move and borrows. Returns 0, or -1 after one line on stderr
 * that says what is wrong; as_check then also counts where it stands behind that. */
int options_read(int argc, char **argv, struct options *out);

/* Frees what options_read took; fine on a zeroed struct. */
void options_release(struct options *options);

/* The flags of the groups (enum command_flags), one a line; 0: those that every command takes. */
void options_print_flags(FILE *out, unsigned groups);

/* Reads all of text as a finite number. Returns 0 or -1. */
int options_number(const char *text, double *out);

#endif
