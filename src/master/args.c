/*
 * args: the command line. One table of flags, from which getopt's and the help are made. Knows
 * which key a flag stands for; must not know what a value of it may be.
 */
#include "master/args.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM   "pystatsd-server"
#define VAL_FIRST 256 /* of long flags, above every letter */

enum deed {
    DEED_SET,    /* key to the operand, or to fixed */
    DEED_DEBUG,  /* the same, and show each flush */
    DEED_PAIR,   /* a key and a value in one operand */
    DEED_FILE,   /* the configuration file */
    DEED_DAEMON, /* in the background */
    DEED_ACTION, /* what to do instead of serving */
    DEED_VERSION,
    DEED_HELP,
};

struct flag {
    const char *name; /* with its dashes */
    char letter;      /* or 0 */
    enum deed deed;
    const char *operand; /* what the help calls it; NULL: takes none */
    const char *key;
    const char *fixed;
    enum args_action action;
    const char *help;
};

static const struct flag flags[] = {
    {"--debug", 'd', DEED_DEBUG, NULL, "LOG_LEVEL", "debug", 0, "log more, print each flush"},
    {"--name", 'n', DEED_SET, "HOST", "LISTEN_ADDRESS", NULL, 0, "address to listen on (all)"},
    {"--port", 'p', DEED_SET, "PORT", "LOCAL_PYSTATD_PORT", NULL, 0, "UDP port (8125)"},
    {"--transport", 'r', DEED_SET, "NAME", "TRANSPORT", NULL, 0, "graphite or none (graphite)"},
    {"--graphite-host", 0, DEED_SET, "HOST", "GRAPHITE_HOST", NULL, 0, "carbon's host (localhost)"},
    {"--graphite-port", 0, DEED_SET, "PORT", "GRAPHITE_PORT", NULL, 0, "carbon's port (2003)"},
    {"--ganglia-host", 0, DEED_SET, "HOST", "GANGLIA_HOST", NULL, 0, "not built yet"},
    {"--ganglia-port", 0, DEED_SET, "PORT", "GANGLIA_PORT", NULL, 0, "not built yet"},
    {"--ganglia-spoof-host", 0, DEED_SET, "HOST", "GANGLIA_SPOOF_HOST", NULL, 0, "not built yet"},
    {"--ganglia-gmetric-exec", 0, DEED_SET, "FILE", "GMETRIC_EXEC", NULL, 0, "not built yet"},
    {"--ganglia-gmetric-options", 0, DEED_SET, "TEXT", "GMETRIC_OPTIONS", NULL, 0, "not built yet"},
    {"--ganglia-max-length", 0, DEED_SET, "N", "GANGLIA_MAX_LENGTH", NULL, 0, "not built yet"},
    {"--flush-interval", 0, DEED_SET, "MS", "FLUSH_INTERVAL", NULL, 0, "between flushes (10000)"},
    {"--no-aggregate-counters", 0, DEED_SET, NULL, "AGGREGATE_COUNTERS", "no", 0,
     "counters as sums, not as rates"},
    {"--global-prefix", 0, DEED_SET, "TEXT", "GLOBAL_PREFIX", NULL, 0, "before every name (none)"},
    {"--counters-prefix", 0, DEED_SET, "TEXT", "COUNTERS_PREFIX", NULL, 0,
     "before counters and gauges (stats)"},
    {"--timers-prefix", 0, DEED_SET, "TEXT", "TIMERS_PREFIX", NULL, 0,
     "before timers (stats.timers)"},
    {"--pct", 't', DEED_SET, "N[,N]", "PCT", NULL, 0, "percentiles of timers (90)"},
    {"--daemon", 'D', DEED_DAEMON, NULL, NULL, NULL, 0, "in the background, log to syslog"},
    {"--pidfile", 0, DEED_SET, "FILE", "PIDFILE", NULL, 0, "with -D (/var/run/pystatsd.pid)"},
    {"--restart", 0, DEED_ACTION, NULL, NULL, NULL, ARGS_RESTART, "stop, then run with -D"},
    {"--stop", 0, DEED_ACTION, NULL, NULL, NULL, ARGS_STOP, "stop what runs with -D"},
    {"--expire", 0, DEED_SET, "SECONDS", "EXPIRE", NULL, 0, "forget idle metrics (0: never)"},
    {"--config", 0, DEED_FILE, "FILE", NULL, NULL, 0, "settings (/etc/default/pystatsd)"},
    {"--set", 0, DEED_PAIR, "KEY=VALUE", NULL, NULL, 0, "any setting; may be repeated"},
    {"--check-config", 0, DEED_ACTION, NULL, NULL, NULL, ARGS_CHECK, "print all settings, exit"},
    {"--explain", 0, DEED_ACTION, "LINE", NULL, NULL, ARGS_EXPLAIN, "tell what becomes of a line"},
    {"--version", 0, DEED_VERSION, NULL, NULL, NULL, 0, "print the version, exit"},
    {"--help", 'h', DEED_HELP, NULL, NULL, NULL, 0, "print this, exit"},
};

enum { N_FLAGS = sizeof(flags) / sizeof(flags[0]) };

static void
print_help(void)
{
    char left[64];

    puts("usage: " PROGRAM " [FLAG]...\n"
         "A StatsD server: sums up what applications send and tells Graphite's carbon.\n");
    for (size_t i = 0; i < N_FLAGS; i++) {
        const struct flag *flag = &flags[i];
        snprintf(left, sizeof(left), "%s%s%s", flag->name, flag->operand != NULL ? " " : "",
                 flag->operand != NULL ? flag->operand : "");
        printf("  %c%c%c %-31s %s\n", flag->letter ? '-' : ' ', flag->letter ? flag->letter : ' ',
               flag->letter ? ',' : ' ', left, flag->help);
    }
}

static void
make_options(char letters[2 * N_FLAGS + 1], struct option longs[N_FLAGS + 1])
{
    for (size_t i = 0; i < N_FLAGS; i++) {
        const struct flag *flag = &flags[i];
        longs[i] = (struct option){
            .name = flag->name + 2,
            .has_arg = flag->operand != NULL ? required_argument : no_argument,
            .val = VAL_FIRST + (int)i,
        };
        if (flag->letter == 0)
            continue;
        *letters++ = flag->letter;
        if (flag->operand != NULL)
            *letters++ = ':';
    }
    *letters = '\0';
    longs[N_FLAGS] = (struct option){0};
}

/* The flag of what getopt_long returned, or NULL where it has complained. */
static const struct flag *
find_flag(int val)
{
    if (val >= VAL_FIRST)
        return &flags[val - VAL_FIRST];
    for (size_t i = 0; i < N_FLAGS; i++) {
        if (flags[i].letter == val)
            return &flags[i];
    }
    return NULL;
}

static int
add_setting(struct args *out, const char *flag, const char *key, const char *value)
{
    if (out->n_settings == ARGS_SETTINGS_MAX) {
        fprintf(stderr, "%s: more than %d settings\n", PROGRAM, ARGS_SETTINGS_MAX);
        return -1;
    }
    out->settings[out->n_settings++] = (struct args_setting){flag, key, value};
    return 0;
}

/* Copies the key of KEY=VALUE, in upper case, to *storage and moves that behind it. */
static int
add_pair(struct args *out, const char *flag, const char *pair, char **storage)
{
    const char *equals = strchr(pair, '=');
    char *key = *storage;

    if (equals == NULL || equals == pair) {
        fprintf(stderr, "%s: %s: expected KEY=VALUE, got '%s'\n", PROGRAM, flag, pair);
        return -1;
    }
    for (const char *at = pair; at < equals; at++)
        *(*storage)++ = (char)toupper((unsigned char)*at);
    *(*storage)++ = '\0';
    return add_setting(out, flag, key, equals + 1);
}

/* Returns 0, or -1 where it has complained. */
static int
take(struct args *out, const struct flag *flag, const char *operand, char **storage)
{
    switch (flag->deed) {
    case DEED_DEBUG: out->debug = true; break;
    case DEED_SET: break;
    case DEED_PAIR: return add_pair(out, flag->name, operand, storage);
    case DEED_FILE: out->config_file = operand; return 0;
    case DEED_DAEMON: out->daemon = true; return 0;
    case DEED_ACTION:
        out->action = flag->action;
        out->line = operand;
        out->daemon = out->daemon || flag->action == ARGS_RESTART;
        return 0;
    case DEED_VERSION: puts(PROGRAM " " PYSTATSD_VERSION); break;
    case DEED_HELP: print_help(); break;
    }
    if (flag->key == NULL) {
        out->action = ARGS_DONE;
        return 0;
    }
    return add_setting(out, flag->name, flag->key, flag->fixed != NULL ? flag->fixed : operand);
}

static int
take_all(int argc, char **argv, struct args *out)
{
    char letters[2 * N_FLAGS + 1];
    struct option longs[N_FLAGS + 1];
    char *storage = out->storage;
    int val;

    make_options(letters, longs);
    optind = 0; /* the GNU way to start over */
    while ((val = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        const struct flag *flag = find_flag(val);
        if (flag == NULL || take(out, flag, optarg, &storage) < 0)
            return -1;
        if (out->action == ARGS_DONE)
            return 0;
    }
    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument '%s'\n", PROGRAM, argv[optind]);
        return -1;
    }
    return 0;
}

int
args_parse(int argc, char **argv, struct args *out)
{
    size_t room = 1;

    memset(out, 0, sizeof(*out));
    if (argc == 0)
        return 0;
    for (int i = 0; i < argc; i++)
        room += strlen(argv[i]) + 1;
    out->storage = malloc(room);
    if (out->storage == NULL) {
        perror(PROGRAM);
        return -1;
    }
    if (take_all(argc, argv, out) == 0)
        return 0;
    args_release(out);
    return -1;
}

void
args_release(struct args *args)
{
    free(args->storage);
    args->storage = NULL;
}
