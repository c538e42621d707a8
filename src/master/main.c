/*
 * main: owns the way from a command line to what is to be done. Must not know how.
 */
#include <bsd/unistd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/buf.h"
#include "base/fault.h"
#include "master/args.h"
#include "master/config.h"
#include "master/daemon.h"
#include "master/master.h"
#include "worker/explain.h"

#define TEXT_MAX 65536

/* Returns status, or EX_IOERR where not all that was printed could be written. */
static int
end_output(int status)
{
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? status : EX_IOERR;
}

/* Tells what becomes of each line of a datagram. Returns 0 where something of all of them would be
 * sent. */
static int
explain_lines(const struct config *config, const char *text)
{
    bool all_sent = true;

    for (const char *end; text != NULL; text = end != NULL ? end + 1 : NULL) {
        struct buf told;
        bool sent = false;
        int error;

        end = strchr(text, '\n');
        buf_init(&told, EXPLAIN_TEXT_MAX);
        error = explain(&config->worker, text, strcspn(text, "\n"), &told, &sent);
        fwrite(told.data, 1, told.len, stdout);
        buf_release(&told);
        if (error != 0) {
            fprintf(stderr, "pystatsd-server: --explain: %s\n", strerror(-error));
            return EX_OSERR;
        }
        all_sent = all_sent && sent;
    }
    return end_output(all_sent ? 0 : EX_DATAERR);
}

static int
act(struct args *args, struct config *config, const struct buf *warnings)
{
    int status = 0;

    if (args->action == ARGS_CHECK || args->action == ARGS_EXPLAIN)
        fprintf(stderr, "%.*s", (int)warnings->len, (const char *)warnings->data);
    if (args->action == ARGS_EXPLAIN)
        return explain_lines(config, args->line);
    if (args->action == ARGS_CHECK) {
        config_print(config, stdout);
        return end_output(0);
    }
    if (args->action != ARGS_RUN)
        status = daemon_stop(config->master.pidfile);
    if (args->action == ARGS_STOP || status != 0)
        return status;
    args->daemon |= args->action == ARGS_RESTART;
    return master_run(args, config, warnings);
}

/* What runs must be stopped also where the configuration has become wrong, as long as its pidfile
 * is known. */
static int
act_without_config(const struct args *args, const struct buf *error)
{
    const char *pidfile = NULL;

    for (size_t i = 0; i < args->n_settings && args->action == ARGS_STOP; i++) {
        if (strcmp(args->settings[i].key, "PIDFILE") == 0)
            pidfile = args->settings[i].value;
    }
    fprintf(stderr, "pystatsd-server: %s%.*s\n", pidfile != NULL ? "warning: " : "",
            (int)error->len, (const char *)error->data);
    return pidfile != NULL ? daemon_stop(pidfile) : EX_CONFIG;
}

/* Reads the configuration and acts on it. */
static int
run(struct args *args)
{
    struct config *config = calloc(1, sizeof(*config));
    struct buf error, warnings;
    int status;

    if (config == NULL) {
        fputs("pystatsd-server: there is no memory for the settings\n", stderr);
        return EX_OSERR;
    }
    buf_init(&error, TEXT_MAX);
    buf_init(&warnings, TEXT_MAX);
    if (config_load(args, config, &error, &warnings) == 0)
        status = act(args, config, &warnings);
    else
        status = act_without_config(args, &error);
    free(config);
    buf_release(&warnings);
    buf_release(&error);
    return status;
}

int
main(int argc, char **argv, char **envp)
{
    struct args args = {.action = ARGS_RUN};
    int status = EX_CONFIG;

    setproctitle_init(argc, argv, envp); /* before anything points into argv: it is moved */
    fault_init();
    if (args_parse(argc, argv, &args) == 0)
        status = args.action == ARGS_DONE ? end_output(0) : run(&args);
    args_release(&args);
    return status;
}
