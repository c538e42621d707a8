/*
 * status: owns the choice of the form. What is in it, statusview and verdict know.
 */
#include "cli/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/say.h"
#include "cli/statusview.h"
#include "cli/verdict.h"

static unsigned
columns_of_terminal(void)
{
    struct winsize size = {0};

    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 1000;
}

/* A monitoring system reads standard output alone. */
static int
check(const struct facts *facts, enum admin_result result, const char *error)
{
    enum verdict verdict;

    if (result == ADMIN_OK) {
        verdict_print(stdout, facts);
        verdict = verdict_of(facts);
    } else {
        verdict =
            result == ADMIN_ABSENT || result == ADMIN_SLOW ? VERDICT_CRITICAL : VERDICT_UNKNOWN;
        printf("%s - ", verdict_name(verdict));
        say_safely(stdout, error, strcspn(error, "|"));
        putchar('\n');
    }
    return fflush(stdout) == 0 ? (int)verdict : EXIT_UNKNOWN;
}

static int
show(const struct options *options, const struct facts *facts)
{
    if (facts_text(facts, "version") == NULL) {
        say_error("the daemon's answer makes no sense: is it another version?");
        return EXIT_TROUBLE;
    }
    if (options->as_json)
        statusview_print_json(stdout, facts);
    else
        statusview_print(stdout, facts, columns_of_terminal(), say_in_colour(stdout));
    if (fflush(stdout) == 0)
        return EXIT_FINE;
    say_error("standard output cannot be written: %s", strerror(errno));
    return EXIT_TROUBLE;
}

int
status_command(const struct options *options)
{
    struct facts facts = {0};
    char error[ADMIN_ERROR_MAX];
    enum admin_result result = ask_status(options, &facts, error);
    int status = EXIT_TROUBLE;

    if (options->as_check)
        status = check(&facts, result, error);
    else if (result == ADMIN_OK)
        status = show(options, &facts);
    else
        say_error("%s", error);
    facts_release(&facts);
    return status;
}
