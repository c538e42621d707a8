/*
 * console: see console.h. Owns the commands' words and what each looks like.
 */
#include "worker/console.h"

#include <string.h>

static enum reply_progress
step_error(struct reply *reply)
{
    reply_say(reply, "ERROR\n");
    return REPLY_DONE;
}

static enum reply_progress
step_help(struct reply *reply)
{
    reply_say(reply, "Commands: stats, counters, timers, gauges, delcounters, deltimers, "
                     "delgauges, health, config, quit\n\n");
    return REPLY_DONE;
}

bool
console_begin(struct reply *reply, char *text, size_t len)
{
    reply->step = len >= 4 && memcmp(text, "help", 4) == 0 ? step_help : step_error;
    return true;
}
