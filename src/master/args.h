/*
 * args: the command line, py-statsd's to the letter and a few more.
 */
#ifndef MASTER_ARGS_H
#define MASTER_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#define ARGS_SETTINGS_MAX 128

enum args_action {
    ARGS_RUN,     /* serve, in the foreground or (daemon) in the background */
    ARGS_STOP,    /* --stop */
    ARGS_RESTART, /* --restart: stop, then run in the background */
    ARGS_CHECK,   /* --check-config */
    ARGS_EXPLAIN, /* --explain: tell what becomes of a line */
    ARGS_DONE,    /* --help or --version has been printed */
};

/* One key set by a flag, in the order given. */
struct args_setting {
    const char *flag; /* as an operator would write it: "--port", "--set" */
    const char *key;  /* in upper case, NUL-terminated; of --set: borrowed from storage */
    const char *value;
};

struct args {
    enum args_action action;
    bool daemon;             /* -D */
    bool debug;              /* -d: also print each flush */
    const char *line;        /* of --explain */
    const char *config_file; /* --config; NULL: the default file if it is there */
    struct args_setting settings[ARGS_SETTINGS_MAX];
    size_t n_settings;
    char *storage; /* what --set was cut into */
};

/* Reads argv; prints help and version to stdout. Returns 0, or -1 after one line on stderr that
 * says what is wrong. Strings are borrowed from argv. */
int args_parse(int argc, char **argv, struct args *out);

/* Frees what args_parse took; fine on a zeroed struct. */
void args_release(struct args *args);

#endif
