/*
 * reply: see reply.h.
 */
#include "worker/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define GOOD "ok\n"

void
reply_init(struct reply *reply, struct desk *desk, bool plain)
{
    *reply = (struct reply){.desk = desk, .peer = "somebody", .plain = plain};
    buf_init(&reply->out, REPLY_MAX);
}

void
reply_good(struct reply *reply)
{
    if (!reply->plain && !reply->has_said)
        buf_append_str(&reply->out, GOOD);
    reply->has_said = true;
}

/* Where the step has nothing to say yet, it may still find that the request was wrong. */
enum reply_progress
reply_step(struct reply *reply)
{
    bool is_first = !reply->plain && !reply->has_said;
    enum reply_progress progress;

    reply_good(reply);
    progress = reply->step != NULL ? reply->step(reply) : REPLY_DONE;
    if (is_first && progress == REPLY_LATER && reply->out.len == strlen(GOOD)) {
        reply->out.len = 0;
        reply->has_said = false;
    }
    return progress;
}

enum reply_progress
reply_fail(struct reply *reply, const char *why)
{
    reply->out.len = 0;
    reply->has_said = true;
    reply->step = NULL;
    reply_say(reply, "error %s\n", why);
    return REPLY_DONE;
}

void
reply_say(struct reply *reply, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    buf_append_str(&reply->out, text);
}

void
reply_release(struct reply *reply)
{
    if (reply->release != NULL)
        reply->release(reply->state);
    buf_release(&reply->out);
    *reply = (struct reply){0};
}
