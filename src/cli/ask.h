/*
 * ask: questions to the daemon for the commands: where it is, how long to wait, and what to say
 * where it does not answer.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <stddef.h>

#include "cli/admin.h"
#include "cli/facts.h"

struct options;

/* Asks, with the path of options put into the question. error as of admin_ask; nothing is printed.
 */
enum admin_result ask(const struct options *options, struct admin_question *question,
                      char error[ADMIN_ERROR_MAX]);

/* Asks, and gives the whole answer at once, NUL-terminated and *out_len bytes long, to be freed: so
 * that no slow reader of ours holds up the daemon. argument may be NULL. */
enum admin_result ask_text(const struct options *options, const char *command, const char *argument,
                           char **out_text, size_t *out_len, char error[ADMIN_ERROR_MAX]);

/* Asks for the daemon's status, which takes at most two seconds. */
enum admin_result ask_status(const struct options *options, struct facts *out,
                             char error[ADMIN_ERROR_MAX]);

#endif
