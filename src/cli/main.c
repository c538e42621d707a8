/*
 * main: owns the way from a command line to its command.
 */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/options.h"

static int
run(const struct options *options)
{
    if (options->wants_version)
        printf("pystatsd %s\n", PYSTATSD_VERSION);
    else if (options->wants_help)
        commands_print_help(stdout, options->command);
    else
        return options->command->run(options);
    return fflush(stdout) == 0 ? EXIT_FINE : EXIT_TROUBLE;
}

int
main(int argc, char **argv)
{
    struct options options;
    int status;

    if (options_read(argc, argv, &options) == 0) {
        status = run(&options);
    } else if (options.as_check) {
        /* A monitoring system reads standard output alone. */
        puts("UNKNOWN - wrong command line, see standard error");
        status = EXIT_UNKNOWN;
    } else {
        status = EXIT_USAGE;
    }
    options_release(&options);
    return status;
}
