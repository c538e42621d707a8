/*
 * log: what the daemon tells its operator. Only program code (worker, sender, master) logs;
 * lower layers return errors. errno is kept by every call, and none waits: a message for which its
 * destination has no room is lost, and once there is room again it is said how many were.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>

enum log_destination {
    LOG_TO_STDERR,  /* "<time> [LEVEL] process: text"; "<N>process: text" where it is the journal's
                     */
    LOG_TO_SYSLOG,  /* facility daemon; what is fatal also to stderr */
    LOG_TO_JOURNAL, /* with fields; what is fatal also to stderr */
};

/* Sets where to and from which level on (LOG_ERR … LOG_DEBUG of <syslog.h>) messages go.
 * Before the first call: to stderr, from LOG_INFO on. Warns on stderr where nobody listens. */
void log_init(enum log_destination destination, int level);

/* Names this process ("master", "worker", …) in every later message. What its parent could not say
 * is the parent's to tell. Borrows the string. */
void log_set_process(const char *process);

/* LOG_WARNING with strerror(errno) behind the text; log_warnx without. */
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warnx(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How the daemon fares, for every operator. */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What --debug shows. */
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* LOG_ERR, then exit(status). Status 78 (EX_CONFIG of <sysexits.h>) means "do not restart, an
 * operator must act"; any other "restart", and is said as an event with a limit is. fatal adds
 * strerror(errno), fatalx does not. */
_Noreturn void fatal(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void fatalx(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
