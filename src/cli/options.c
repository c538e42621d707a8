/*
 * options: owns the flags. One table, from which getopt's and the help are made. Must not know what
 * a command does with them.
 */
#include "cli/options.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/say.h"

#define ROWS_MAX 1000

enum flag_id {
    FLAG_HOST = 256, /* above every letter */
    FLAG_PORT,
    FLAG_UNIX,
    FLAG_PREFIX,
    FLAG_SAMPLE_RATE,
    FLAG_TAG,
    FLAG_DELTA,
    FLAG_SOCKET,
    FLAG_JSON,
    FLAG_CHECK,
    FLAG_ONCE,
    FLAG_ROWS = 'n',
    FLAG_YES = 'y',
    FLAG_HELP = 'h',
    FLAG_VERSION = 300,
};

struct flag {
    const char *name;    /* with its dashes */
    int id;              /* also its letter, where it has one */
    unsigned group;      /* enum command_flags; 0: every command takes it */
    const char *operand; /* what the help calls it; NULL: takes none */
    const char *help;
};

static const struct flag flags[] = {
    {"--host", FLAG_HOST, TAKES_SAMPLE, "HOST", "the server (localhost)"},
    {"--port", FLAG_PORT, TAKES_SAMPLE, "PORT", "its UDP port (8125)"},
    {"--unix", FLAG_UNIX, TAKES_SAMPLE, "PATH",
     "its Unix datagram socket instead; @NAME: abstract"},
    {"--prefix", FLAG_PREFIX, TAKES_SAMPLE, "TEXT", "before every name, with a dot between"},
    {"--sample-rate", FLAG_SAMPLE_RATE, TAKES_SAMPLE, "RATE", "send so many of all, 0.1: a tenth"},
    {"--tag", FLAG_TAG, TAKES_SAMPLE, "TAG", "key:value or key; may be repeated"},
    {"--delta", FLAG_DELTA, TAKES_DELTA, NULL, "add VALUE to the gauge, +N or -N"},
    {"--socket", FLAG_SOCKET, TAKES_SOCKET, "PATH", "the daemon's ADMIN_SOCKET"},
    {"--json", FLAG_JSON, TAKES_FORM, NULL, "for programs: plain numbers"},
    {"--check", FLAG_CHECK, TAKES_FORM, NULL, "for monitoring: one line; exit 0, 1, 2 or 3"},
    {"--once", FLAG_ONCE, TAKES_ROWS, NULL, "print once and end"},
    {"--rows", FLAG_ROWS, TAKES_ROWS, "N", "at most so many lines of each kind"},
    {"--yes", FLAG_YES, TAKES_YES, NULL, "do not ask"},
    {"--help", FLAG_HELP, 0, NULL, "print the help of a command, or all"},
    {"--version", FLAG_VERSION, 0, NULL, "print the version"},
};

enum { N_FLAGS = sizeof(flags) / sizeof(flags[0]) };

static bool
has_letter(const struct flag *flag)
{
    return flag->id < FLAG_HOST;
}

void
options_print_flags(FILE *out, unsigned groups)
{
    char left[64];

    for (size_t i = 0; i < N_FLAGS; i++) {
        const struct flag *flag = &flags[i];

        if (groups != 0 ? (flag->group & groups) == 0 : flag->group != 0)
            continue;
        snprintf(left, sizeof(left), "%s%s%s", flag->name, flag->operand != NULL ? " " : "",
                 flag->operand != NULL ? flag->operand : "");
        fprintf(out, "  %c%c%c %-19s %s\n", has_letter(flag) ? '-' : ' ',
                has_letter(flag) ? flag->id : ' ', has_letter(flag) ? ',' : ' ', left, flag->help);
    }
}

int
options_number(const char *text, double *out)
{
    char *end;
    double value;

    /* strtod takes blanks, hex, inf and nan as well. */
    if (*text == '\0' || text[strspn(text, "+-.0123456789eE")] != '\0')
        return -1;
    value = strtod(text, &end);
    if (*end != '\0' || !isfinite(value))
        return -1;
    *out = value;
    return 0;
}

static int
read_whole(const struct flag *flag, const char *text, unsigned most, unsigned *out)
{
    double value;

    if (options_number(text, &value) != 0 || value != trunc(value) || value < 1 || value > most) {
        say_error("%s: expected a whole number from 1 to %u, got '%s'", flag->name, most, text);
        return -1;
    }
    *out = (unsigned)value;
    return 0;
}

static int
read_rate(const struct flag *flag, const char *text, double *out)
{
    double value;

    if (options_number(text, &value) != 0 || !(value > 0 && value <= 1)) {
        say_error("%s: expected a number above 0, at most 1, got '%s'", flag->name, text);
        return -1;
    }
    *out = value;
    return 0;
}

static int
add_tag(struct options *options, const char *tag)
{
    char *joined;

    if (asprintf(&joined, "%s%s%s", options->tags != NULL ? options->tags : "",
                 options->tags != NULL ? "," : "", tag) < 0) {
        say_error("there is no memory for the tags");
        return -1;
    }
    free(options->tags);
    options->tags = joined;
    options->client.tags = joined;
    return 0;
}

/* Returns 0, or -1 where it has complained. */
static int
take(struct options *options, const struct flag *flag, const char *operand)
{
    if (operand != NULL && *operand == '\0') {
        say_error("%s: must not be empty", flag->name);
        return -1;
    }
    switch ((enum flag_id)flag->id) {
    case FLAG_HOST: options->client.host = operand; break;
    case FLAG_PORT: return read_whole(flag, operand, 65535, &options->client.port);
    case FLAG_UNIX: options->client.unix_path = operand; break;
    case FLAG_PREFIX: options->client.prefix = operand; break;
    case FLAG_SAMPLE_RATE: return read_rate(flag, operand, &options->sample_rate);
    case FLAG_TAG: return add_tag(options, operand);
    case FLAG_DELTA: options->is_delta = true; break;
    case FLAG_SOCKET: options->socket_path = operand; break;
    case FLAG_JSON: options->as_json = true; break;
    case FLAG_CHECK: options->as_check = true; break;
    case FLAG_ONCE: options->is_once = true; break;
    case FLAG_ROWS: return read_whole(flag, operand, ROWS_MAX, &options->rows);
    case FLAG_YES: options->is_agreed = true; break;
    case FLAG_HELP: options->wants_help = true; break;
    case FLAG_VERSION: options->wants_version = true; break;
    }
    return 0;
}

/* The first word is the command, what follows its operands. Returns whether all that is left are
 * operands, too. */
static bool
take_operand(struct options *options, char *text)
{
    options->words[options->n_words++] = text;
    if (options->n_words == 1)
        options->command = commands_find(text);
    return options->n_words == 2 && options->command != NULL && options->command->is_wrapper;
}

static void
make_options(char letters[2 * N_FLAGS + 3], struct option longs[N_FLAGS + 1])
{
    *letters++ = '-'; /* operands in their place, as the letter 1 */
    for (size_t i = 0; i < N_FLAGS; i++) {
        longs[i] = (struct option){
            .name = flags[i].name + 2,
            .has_arg = flags[i].operand != NULL ? required_argument : no_argument,
            .val = flags[i].id,
        };
        if (!has_letter(&flags[i]))
            continue;
        *letters++ = (char)flags[i].id;
        if (flags[i].operand != NULL)
            *letters++ = ':';
    }
    *letters = '\0';
    longs[N_FLAGS] = (struct option){0};
}

static const struct flag *
find_flag(int id)
{
    for (size_t i = 0; i < N_FLAGS; i++) {
        if (flags[i].id == id)
            return &flags[i];
    }
    return NULL;
}

/* -5 is a value, and no flag. */
static bool
is_negative(const char *text)
{
    return text[0] == '-' && (text[1] == '.' || (text[1] >= '0' && text[1] <= '9'));
}

/* Returns the groups of the flags that were given, or -1 where it has complained. */
static int
take_all(int argc, char **argv, struct options *options)
{
    char letters[2 * N_FLAGS + 3];
    struct option longs[N_FLAGS + 1];
    unsigned groups = 0;
    bool is_rest = false;
    int id;

    make_options(letters, longs);
    optind = 0; /* the GNU way to start over; it becomes 1 with the first call */
    while (!is_rest) {
        if (optind > 0 && optind < argc && is_negative(argv[optind])) {
            is_rest = take_operand(options, argv[optind++]);
            continue;
        }
        if ((id = getopt_long(argc, argv, letters, longs, NULL)) == -1)
            break;
        if (id == 1) {
            is_rest = take_operand(options, optarg);
            continue;
        }
        const struct flag *flag = find_flag(id);
        if (flag == NULL || take(options, flag, optarg) != 0)
            return -1;
        groups |= flag->group;
    }
    optind += is_rest && optind < argc && strcmp(argv[optind], "--") == 0;
    while (optind < argc)
        take_operand(options, argv[optind++]);
    return (int)groups;
}

/* Whether the command takes what was given. */
static int
check(const struct options *options, unsigned groups)
{
    const struct command *command = options->command;
    unsigned unwanted;

    if (options->wants_help || options->wants_version)
        return 0;
    if (options->n_words == 0) {
        say_error("say what to do; `pystatsd help` names the commands");
        return -1;
    }
    if (command == NULL) {
        say_error("there is no command '%s'; `pystatsd help` names all", options->words[0]);
        return -1;
    }
    unwanted = groups & ~command->takes;
    for (size_t i = 0; i < N_FLAGS && unwanted != 0; i++) {
        if ((flags[i].group & unwanted) != 0) {
            say_error("%s is not for '%s'; see `pystatsd help %s`", flags[i].name, command->name,
                      command->name);
            return -1;
        }
    }
    if (options->n_operands < command->least || options->n_operands > command->most) {
        say_error("usage: pystatsd %s%s%s", command->name, *command->usage != '\0' ? " " : "",
                  command->usage);
        return -1;
    }
    return 0;
}

/* Whether it was to be a check, though the flags were not read as far: to who looks at the exit
 * status, 2 would be a verdict on the daemon. Behind a wrapped command's name they are not ours. */
static bool
was_to_check(int argc, char **argv, const struct options *options)
{
    if (options->command != NULL && options->command->is_wrapper)
        return options->as_check;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--check") == 0)
            return true;
    }
    return options->as_check;
}

int
options_read(int argc, char **argv, struct options *out)
{
    int groups;

    *out = (struct options){.sample_rate = 1};
    out->words = calloc((size_t)argc + 2, sizeof(*out->words));
    if (out->words == NULL) {
        say_error("there is no memory for the command line");
        return -1;
    }
    groups = take_all(argc, argv, out);
    out->operands = out->words + 1;
    out->n_operands = out->n_words > 0 ? out->n_words - 1 : 0;
    if (groups >= 0 && check(out, (unsigned)groups) == 0)
        return 0;
    out->as_check = was_to_check(argc, argv, out);
    return -1;
}

void
options_release(struct options *options)
{
    free(options->words);
    free(options->tags);
    options->words = NULL;
    options->tags = NULL;
}
