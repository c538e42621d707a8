/*
 * trail: see trail.h. Owns how much of it is told.
 */
#include "worker/trail.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/clock.h"
#include "base/log_event.h"

#define MINUTE_MS UINT64_C(60000)
/* Of patterns and names; the log may escape each byte to four. */
#define SHOWN_MAX 128

/* What is too much is there at level debug. */
static void
tell(struct limit *limit, const char *peer, const char *name, const char *text)
{
    struct log_event event = {.level = LOG_INFO, .name = name, .peer = peer};

    if (!limit_allow(limit, TRAIL_PER_MINUTE, MINUTE_MS, clock_mono_ms(), &event.n_before))
        event.level = LOG_DEBUG;
    log_event(&event, "%s", text);
}

void
trail_deleted(const struct reply *reply, const char *kind, const char *text, uint64_t n)
{
    char shown[SHOWN_MAX + 4], line[SHOWN_MAX + 256];

    if (n == 0)
        return;
    snprintf(shown, sizeof(shown), "%.*s%s", SHOWN_MAX, text,
             strlen(text) > SHOWN_MAX ? "..." : "");
    snprintf(line, sizeof(line), "%" PRIu64 " %s deleted by %s: %s", n, kind, reply->peer, shown);
    tell(&reply->desk->told_deletions, reply->peer, shown, line);
}

void
trail_health(const struct reply *reply, bool is_down)
{
    char line[256];

    snprintf(line, sizeof(line), "health set to %s by %s", is_down ? "down" : "up", reply->peer);
    tell(&reply->desk->told_healths, reply->peer, NULL, line);
}
