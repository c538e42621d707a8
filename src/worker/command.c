/*
 * command: owns the table of commands, and those that take no more than a few lines.
 */
#include "worker/command.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bulletin.h"
#include "worker/listing.h"
#include "worker/live.h"
#include "worker/status.h"

#define BLANKS " \t\r"

static const char NO_ARGUMENT[] = "it takes no argument";

static enum reply_progress
step_config(struct reply *reply)
{
    if (bulletin_read(reply->desk->opts->config, &reply->out) != 0)
        return reply_fail(reply, "the configuration is being changed");
    return REPLY_DONE;
}

static const char *
begin_config(struct reply *reply, const char *argument)
{
    reply->step = step_config;
    return argument[0] != '\0' ? NO_ARGUMENT : NULL;
}

static const char *
begin_reload(struct reply *reply, const char *argument)
{
    pid_t master;

    if (argument[0] != '\0')
        return NO_ARGUMENT;
    master = (pid_t)board_get(&reply->desk->opts->board->master.pid);
    /* Whose parent has died is somebody else's child. */
    if (master <= 0 || getppid() != master)
        return "the master is gone";
    return kill(master, SIGHUP) == 0 ? NULL : strerror(errno);
}

struct flush_state {
    uint64_t number;
};

static enum reply_progress
step_flush(struct reply *reply)
{
    const struct flush_state *state = reply->state;
    bool is_sent;

    if (!desk_flush_is_done(reply->desk, state->number, &is_sent))
        return REPLY_LATER;
    return is_sent ? REPLY_DONE
                   : reply_fail(reply, "carbon takes nothing more at the moment: the interval is "
                                       "sent at its end");
}

static const char *
begin_flush(struct reply *reply, const char *argument)
{
    struct flush_state *state;

    if (argument[0] != '\0')
        return NO_ARGUMENT;
    if (reply->desk->opts->never_twice)
        return "with DOWNSTREAM=aggregator nothing is sent twice, and the interval is sent at its "
               "end";
    if ((state = calloc(1, sizeof(*state))) == NULL)
        return "out of memory";
    state->number = desk_want_flush(reply->desk);
    reply->state = state;
    reply->release = free;
    reply->step = step_flush;
    return NULL;
}

static enum reply_progress
step_help(struct reply *reply)
{
    for (const struct command *command = commands; command->name != NULL; command++)
        reply_say(reply, "%s%s%s\t%s\n", command->name, command->argument[0] != '\0' ? " " : "",
                  command->argument, command->help);
    return REPLY_DONE;
}

static const char *
begin_help(struct reply *reply, const char *argument)
{
    reply->step = step_help;
    return argument[0] != '\0' ? NO_ARGUMENT : NULL;
}

const struct command commands[] = {
    {"status", "", "how the daemon fares, a number a line", status_begin, false},
    {"list", "[GLOB]", "the names that there are, or those that a pattern matches",
     listing_begin_list, false},
    {"get", "NAME", "what the open interval has of a name", listing_begin_get, false},
    {"delete", "GLOB", "forget names, which are not sent unless they come anew",
     listing_begin_delete, false},
    {"config", "", "the settings in effect, as --check-config prints them", begin_config, false},
    {"flush", "", "send what the open interval has now; its whole follows at its end", begin_flush,
     false},
    {"reload", "", "read the configuration again; the log says what came of it", begin_reload,
     false},
    {"explain", "LINE", "how a line is read, cleaned and named, and what would be sent of it",
     live_begin_explain, true},
    {"watch", "[GLOB]", "lines whose name matches, as they come", live_begin_watch, false},
    {"top", "[N]", "the busiest names, senders and prefixes, and the newest names", live_begin_top,
     false},
    {"help", "", "these lines", begin_help, false},
    {NULL, NULL, NULL, NULL, false},
};

static const struct command *
find(const char *name)
{
    for (const struct command *command = commands; command->name != NULL; command++) {
        if (strcmp(command->name, name) == 0)
            return command;
    }
    return NULL;
}

/* Cuts the blanks off both ends. */
static char *
trim(char *text)
{
    size_t len = strlen(text);

    while (len > 0 && strchr(BLANKS, text[len - 1]) != NULL)
        len--;
    text[len] = '\0';
    return text + strspn(text, BLANKS);
}

void
command_begin(struct reply *reply, char *line, size_t len)
{
    const struct command *command;
    const char *wrong;
    bool has_argument;
    char *end;

    if (memchr(line, '\0', len) != NULL) {
        (void)reply_fail(reply, "a request is text");
        return;
    }
    line[len] = '\0';
    line += strspn(line, BLANKS);
    end = line + strcspn(line, BLANKS);
    has_argument = *end != '\0';
    *end = '\0';
    end += has_argument;
    command = find(line);
    if (command == NULL)
        wrong = "no such command; help names them";
    else if (!command->takes_line)
        wrong = command->begin(reply, trim(end));
    else
        wrong = has_argument ? command->begin(reply, end) : "it takes a line";
    if (wrong != NULL)
        (void)reply_fail(reply, wrong);
}
