/*
 * target: where the flushes go: the destination's name, its addresses, and the questions that the
 * master has been asked about them. Knows no batch and no connection, and logs nothing.
 *
 * An answer may be long in coming. Addresses that are known are used meanwhile, and the answer
 * that comes late is taken for the next connection.
 */
#ifndef SENDER_TARGET_H
#define SENDER_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/resolved.h"

struct target {
    int ask_fd;       /* one byte written here asks */
    int addresses_fd; /* packets of struct resolved; -1 when nobody is left to write any */
    char destination[RESOLVED_DESTINATION_MAX]; /* "localhost:2003", for the log */
    struct resolved addresses;                  /* the last good answer; n is 0 before it */
    int error;                                  /* EAI_ code of the last answer */
    uint32_t fresh_ms;                          /* how long an answer is as good as a new one */
    uint64_t fresh_until_ms;                    /* before, nobody is asked again */
    bool asked;                                 /* the question at asked_ms has no answer yet */
    uint64_t asked_ms;
    bool has_news; /* addresses that nobody asked for, not tried yet */
    bool waiting;  /* for an answer, until deadline_ms */
    uint64_t deadline_ms;
};

/* What an answer means to who was not waiting for it. */
enum target_news {
    TARGET_NOTHING, /* none, or what was asked for */
    TARGET_UNASKED, /* other addresses, or the same, of the same destination */
    TARGET_MOVED,   /* another destination from now on */
};

enum target_state {
    TARGET_READY,   /* addresses are there, as good as they get now */
    TARGET_WAITING, /* call again when addresses_fd is readable, or at deadline_ms */
    TARGET_UNKNOWN, /* there are none: target->error says why */
};

/* Over two pipe ends, non-blocking, which the caller keeps and closes. What stands in addresses_fd
 * is the answer to somebody else and is thrown away. Copies destination. */
void target_init(struct target *target, int ask_fd, int addresses_fd, const char *destination,
                 uint32_t fresh_ms);

/* Takes the answers that have come. */
enum target_news target_read(struct target *target, uint64_t now_ms);

/* Whether a connection can be tried now. Asks where what is known is not fresh and no question is
 * on its way. hurry: known addresses are used at once, and unknown ones are waited for less. */
enum target_state target_seek(struct target *target, bool hurry, uint64_t now_ms);

/* The addresses did not work: ask before the next try. Returns false, and nothing is to be asked,
 * where others have come since they were taken. */
bool target_doubt(struct target *target);

/* No more time than in a hurry is left to wait. */
void target_hurry(struct target *target, uint64_t now_ms);

#endif
