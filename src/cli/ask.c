/*
 * ask: owns how long the daemon may take, and keeps whole answers. Must not know what is in them.
 */
#include "cli/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "cli/place.h"

#define SETTINGS         "/etc/default/pystatsd"
#define SILENCE_MS       10000
#define STATUS_WITHIN_MS 2000

enum admin_result
ask(const struct options *options, struct admin_question *question, char error[ADMIN_ERROR_MAX])
{
    char path[PLACE_MAX];

    if (place_find(options->socket_path, SETTINGS, path) != 0) {
        snprintf(error, ADMIN_ERROR_MAX, "the admin socket's path is longer than %d bytes",
                 PLACE_MAX - 1);
        return ADMIN_TROUBLE;
    }
    question->path = path;
    return admin_ask(question, error);
}

static int
on_text(void *context, const char *line, size_t len)
{
    FILE *text = context;

    fwrite(line, 1, len, text);
    fputc('\n', text);
    return ferror(text);
}

enum admin_result
ask_text(const struct options *options, const char *command, const char *argument, char **out_text,
         size_t *out_len, char error[ADMIN_ERROR_MAX])
{
    FILE *text = open_memstream(out_text, out_len);
    struct admin_question question = {
        .command = command,
        .argument = argument,
        .silence_ms = SILENCE_MS,
        .deadline_ms = ADMIN_FOREVER,
        .on_line = on_text,
        .context = text,
    };
    enum admin_result result = ADMIN_TROUBLE;
    int full = 1;

    snprintf(error, ADMIN_ERROR_MAX, "there is no memory for the answer");
    if (text == NULL)
        return result;
    result = ask(options, &question, error);
    full = ferror(text);
    if (fclose(text) == 0 && !full && result == ADMIN_OK)
        return ADMIN_OK;
    if (result == ADMIN_OK)
        snprintf(error, ADMIN_ERROR_MAX, "there is no memory for the answer");
    free(*out_text);
    return result == ADMIN_OK ? ADMIN_TROUBLE : result;
}

static int
on_fact(void *context, const char *line, size_t len)
{
    (void)len;
    facts_add(context, line); /* what is no fact, a later daemon may mean something by */
    return 0;
}

enum admin_result
ask_status(const struct options *options, struct facts *out, char error[ADMIN_ERROR_MAX])
{
    struct admin_question question = {
        .command = "status",
        .silence_ms = STATUS_WITHIN_MS,
        .deadline_ms = STATUS_WITHIN_MS,
        .on_line = on_fact,
        .context = out,
    };

    return ask(options, &question, error);
}
