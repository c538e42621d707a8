/*
 * logsink: where a message goes. It never waits: what has no room at once is refused.
 */
#ifndef BASE_LOGSINK_H
#define BASE_LOGSINK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/log_event.h"

struct logsink {
    enum log_destination destination;
    int fd;          /* of syslog and the journal; -1: none */
    bool may_wait;   /* stderr does, so it is asked for room before each line */
    bool in_journal; /* stderr is a stream of the journal's */
    bool is_torn;    /* what stderr was given last is a part of a line */
};

/* One line of printable ASCII. */
struct logsink_message {
    int level;
    const char *text;
    size_t text_len;
    const char *process;           /* or NULL */
    const struct log_event *event; /* its fields, or NULL */
};

/* Begins to send to another destination, and to hold stderr in a way that never waits. *sink is
 * open already or has an fd of -1. Returns 0, or -errno where nobody takes datagrams there
 * yet: messages are tried all the same. */
int logsink_open(struct logsink *sink, enum log_destination destination);

/* The path of the socket that messages go to, or "stderr". */
const char *logsink_name(enum log_destination destination);

/* Sends one message, and what is an error to stderr as well. Returns 0, or -errno where it is
 * lost. */
int logsink_put(struct logsink *sink, const struct logsink_message *message);

#endif
