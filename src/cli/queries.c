/*
 * queries: owns what is asked of the daemon in so many words. Must not know how it is asked.
 */
#include "cli/queries.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/getview.h"
#include "cli/options.h"
#include "cli/say.h"

#define SERVER     "pystatsd-server"
#define SHOWN_MOST 10 /* names, before they are deleted */

static const char *
operand(const struct options *options)
{
    return options->n_operands > 0 ? options->operands[0] : NULL;
}

static int
complain(const char *error)
{
    say_error("%s", error);
    return EXIT_TROUBLE;
}

/* What has been printed must have arrived. */
static int
finish_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_FINE;
    say_error("standard output cannot be written: %s", strerror(errno));
    return EXIT_TROUBLE;
}

/* At most so many lines. Returns how many there are. */
static size_t
print_lines(FILE *out, const char *text, size_t most)
{
    size_t n = 0;

    for (; *text != '\0'; n++) {
        size_t len = strcspn(text, "\n");

        if (n < most) {
            say_as_fits(out, text, len);
            fputc('\n', out);
        }
        text += len + (text[len] == '\n');
    }
    return n;
}

int
queries_plain(const struct options *options)
{
    char *text, error[ADMIN_ERROR_MAX];
    size_t len;

    if (ask_text(options, options->command->name, operand(options), &text, &len, error) != ADMIN_OK)
        return complain(error);
    print_lines(stdout, text, SIZE_MAX);
    free(text);
    return finish_output();
}

int
queries_get(const struct options *options)
{
    char *text, error[ADMIN_ERROR_MAX];
    size_t len;

    if (ask_text(options, "get", operand(options), &text, &len, error) != ADMIN_OK)
        return complain(error);
    if (len == 0) {
        free(text);
        say_error("there is no metric '%s'; `pystatsd list` names all", operand(options));
        return EXIT_TROUBLE;
    }
    if (isatty(STDOUT_FILENO))
        getview_print(stdout, text);
    else
        print_lines(stdout, text, SIZE_MAX);
    free(text);
    return finish_output();
}

static int
on_watched(void *context, const char *line, size_t len)
{
    (void)context;
    say_as_fits(stdout, line, len);
    fputc('\n', stdout);
    return fflush(stdout);
}

int
queries_watch(const struct options *options)
{
    struct admin_question question = {
        .command = "watch",
        .argument = operand(options),
        .silence_ms = ADMIN_FOREVER,
        .deadline_ms = ADMIN_FOREVER,
        .on_line = on_watched,
    };
    char error[ADMIN_ERROR_MAX];

    if (ask(options, &question, error) != ADMIN_OK)
        return complain(error);
    if (finish_output() != EXIT_FINE)
        return EXIT_TROUBLE;
    return complain("the daemon has ended the watch");
}

/* Shows what would go, and asks. */
static bool
agree(const struct options *options, const char *names)
{
    size_t n;
    int answer, rest;

    n = print_lines(stderr, names, SHOWN_MOST);
    if (n > SHOWN_MOST)
        fprintf(stderr, "... and %zu more\n", n - SHOWN_MOST);
    fprintf(stderr, "Delete %s that match%s '", n == 1 ? "the one" : "all of those",
            n == 1 ? "es" : "");
    say_safely(stderr, operand(options), strlen(operand(options)));
    fputs("'? [y/N] ", stderr);
    answer = rest = getchar();
    while (rest != '\n' && rest != EOF)
        rest = getchar();
    return answer == 'y' || answer == 'Y';
}

/* Returns whether to go on; else *status is how to end. */
static bool
confirm(const struct options *options, int *status)
{
    char *names, error[ADMIN_ERROR_MAX];
    bool agreed;
    size_t len;

    if (ask_text(options, "list", operand(options), &names, &len, error) != ADMIN_OK) {
        *status = complain(error);
        return false;
    }
    if (len == 0)
        say_error("nothing matches '%s'", operand(options));
    agreed = len > 0 && agree(options, names);
    free(names);
    *status = EXIT_TROUBLE;
    return agreed;
}

int
queries_delete(const struct options *options)
{
    int status;

    if (isatty(STDIN_FILENO) && !options->is_agreed && !confirm(options, &status))
        return status;
    return queries_plain(options);
}

/* Beside this program, where it is run from the place that it was built in; else as PATH says. */
static int
explain_without_daemon(const char *line)
{
    char self[PATH_MAX], *beside = NULL;
    char *argv[] = {strdup(SERVER), strdup("--explain"), strdup(line), NULL};
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (argv[0] == NULL || argv[1] == NULL || argv[2] == NULL)
        return complain("there is no memory for the line");
    say_error("no daemon answers; the settings in /etc/default/pystatsd say");
    if (len > 0) {
        self[len] = '\0';
        if (asprintf(&beside, "%s/" SERVER, dirname(self)) > 0)
            execv(beside, argv);
    }
    execvp(SERVER, argv);
    say_error(SERVER " cannot be run: %s", strerror(errno));
    return EXIT_TROUBLE;
}

/* Whether one of the lines is of something that would be sent. */
static bool
is_sent(const char *told)
{
    while (told != NULL) {
        if (strncmp(told, "sent ", 5) == 0)
            return true;
        told = strchr(told, '\n');
        told += told != NULL;
    }
    return false;
}

/* Returns what the daemon said. *all_sent becomes false where nothing of the line would be sent. */
static enum admin_result
explain_line(const struct options *options, const char *line, bool *all_sent,
             char error[ADMIN_ERROR_MAX])
{
    char *text;
    size_t len;
    enum admin_result result = ask_text(options, "explain", line, &text, &len, error);

    if (result != ADMIN_OK)
        return result;
    print_lines(stdout, text, SIZE_MAX);
    *all_sent = *all_sent && is_sent(text);
    free(text);
    return ADMIN_OK;
}

/* Each line of a datagram, as pystatsd-server --explain does. */
int
queries_explain(const struct options *options)
{
    char *lines = strdup(operand(options)), *rest = lines, *line, error[ADMIN_ERROR_MAX];
    enum admin_result result = ADMIN_OK;
    bool all_sent = true;

    if (lines == NULL)
        return complain("there is no memory for the line");
    while (result == ADMIN_OK && (line = strsep(&rest, "\n")) != NULL) {
        bool is_first = line == lines;

        result = explain_line(options, line, &all_sent, error);
        if (result == ADMIN_ABSENT && is_first && options->socket_path == NULL) {
            free(lines);
            return explain_without_daemon(operand(options));
        }
    }
    free(lines);
    if (result != ADMIN_OK)
        return complain(error);
    if (finish_output() != EXIT_FINE)
        return EXIT_TROUBLE;
    return all_sent ? EXIT_FINE : EXIT_REFUSED;
}
