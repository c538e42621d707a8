/*
 * log_event: a message that says what it is about, to readers that select by field, and that may
 * come again and again.
 */
#ifndef BASE_LOG_EVENT_H
#define BASE_LOG_EVENT_H

#include <stdbool.h>
#include <stdint.h>

/* Of one kind of event. Zero-initialised: nothing said yet. Not for several threads. Where a
 * process may die and come again it lies in memory that outlives it. */
struct log_limit {
    uint64_t again_ms; /* nothing is said before, CLOCK_MONOTONIC */
    uint64_t n_unsaid; /* since it was last said, but at LOG_DEBUG */
};

struct log_event {
    int level; /* LOG_ERR … LOG_DEBUG */
    /* The journal's PYSTATSD_REASON, PYSTATSD_NAME and PYSTATSD_PEER; NULL: not known. */
    const char *reason, *name, *peer;
    /* Once a minute, with how often it came meanwhile, each of which is told at LOG_DEBUG; NULL:
     * always. */
    struct log_limit *limit;
    uint64_t n_before; /* how often it came before, of what has a limit of its own */
    bool is_escaped;   /* the text's backslashes are those of buf_append_escaped */
};

/* Logs it, fields borrowed. Keeps errno. Returns whether there is no need to say it again: it went
 * out, or LOG_LEVEL does not ask for it. False where its limit kept it back or it had no room; the
 * limit is then as if it had not been tried. */
bool log_event(const struct log_event *event, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What of a process's log is for its successor to go on with. */
struct log_memory {
    struct log_limit fatal; /* what fatal and fatalx say, but where it is permanent */
    struct log_limit lost;  /* n_unsaid: messages that had no room */
};

/* From now on in memory, until log_set_process. Borrows it. */
void log_remember(struct log_memory *memory);

/* Says how many messages had no room, once there is some. To be called about every second. Keeps
 * errno. */
void log_tick(void);

#endif
