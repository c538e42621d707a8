/*
 * admin: one question to the daemon over its admin socket, and the answer, a line at a time.
 */
#ifndef CLI_ADMIN_H
#define CLI_ADMIN_H

#include <stddef.h>

struct options;

#define ADMIN_ERROR_MAX 512
#define ADMIN_LINE_MAX  (256 * 1024) /* of an answer */
#define ADMIN_FOREVER   (-1)
/* Once it has said that it answers it may look at many names of which there is nothing to say. */
#define ADMIN_SEARCH_TIMES 6

enum admin_result {
    ADMIN_OK,
    ADMIN_ABSENT,  /* nobody answers there */
    ADMIN_REFUSED, /* the daemon says that it cannot */
    ADMIN_SLOW,    /* it takes too long, or has no room for us */
    ADMIN_TROUBLE, /* what answers is no daemon of ours, or we may not ask it */
};

struct admin_question {
    const char *path;
    const char *command;
    const char *argument; /* or NULL */
    int silence_ms;       /* how long the daemon may say nothing at first; or ADMIN_FOREVER */
    int deadline_ms;      /* how long all of it may take; or ADMIN_FOREVER */
    /* Called for each line of the answer, NUL-terminated, without its newline; what is not 0 ends
     * the answer, which is then ADMIN_OK. */
    int (*on_line)(void *context, const char *line, size_t len);
    void *context;
};

/* Asks. error gets what is wrong and what to do about it, where it is not ADMIN_OK. */
enum admin_result admin_ask(const struct admin_question *question, char error[ADMIN_ERROR_MAX]);

/* "COMMAND[ ARGUMENT]\n" in out, NUL-terminated. Returns its length, or -1 where it would be no
 * single line or does not fit. */
int admin_request(const char *command, const char *argument, size_t size, char *out);

#endif
