/*
 * log_event: a message that says what it is about, to readers that select by field, and that may
 * come again and again.
 */
#ifndef BASE_LOG_EVENT_H
#define BASE_LOG_EVENT_H

#include <stdint.h>

/* Of one kind of event. Zero-initialised: nothing said yet. Not for several threads. */
struct log_limit {
    uint64_t again_ms; /* nothing is said before */
    uint64_t n_unsaid; /* since it was last said, but at LOG_DEBUG */
};

struct log_event {
    int level; /* LOG_WARNING … LOG_DEBUG */
    /* The journal's PYSTATSD_REASON, PYSTATSD_NAME and PYSTATSD_PEER; NULL: not known. */
    const char *reason, *name, *peer;
    /* Once a minute, with how often it came meanwhile, each of which is told at LOG_DEBUG; NULL:
     * always. */
    struct log_limit *limit;
};

/* Logs it, fields borrowed. Keeps errno. */
void log_event(const struct log_event *event, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
