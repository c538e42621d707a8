/*
 * config: every setting, from the command line, the file, the dialect and the defaults, in that
 * order, checked, and handed out as each process's own options. The sole user of libconfuse.
 */
#ifndef MASTER_CONFIG_H
#define MASTER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/log.h"
#include "master/args.h"
#include "sender/sender.h"
#include "worker/worker.h"

#define CONFIG_DEFAULT_FILE "/etc/default/pystatsd"
#define CONFIG_TEXT_MAX     512
#define CONFIG_KEYS_MAX     96
#define CONFIG_LISTS_MAX    2     /* settings that are lists of words */
#define CONFIG_LIST_MAX     65792 /* bytes of one, its NUL included */

/* Where a setting's value came from. */
enum config_origin { ORIGIN_DEFAULT, ORIGIN_DIALECT, ORIGIN_FILE, ORIGIN_FLAG };

/* One effective setting as text, for --check-config and to tell what a reload changed. */
struct config_entry {
    const char *key;
    char value[CONFIG_TEXT_MAX]; /* as it could stand in the file, without quotes */
    const char *list;            /* the same of a list of words, in the config; else NULL */
    enum config_origin origin;
    char where[64]; /* "FILE:LINE" of ORIGIN_FILE (cut on the left), the flag of ORIGIN_FLAG */
};

/* What the master itself needs. */
struct master_opts {
    char listen_address[CONFIG_TEXT_MAX]; /* "": all */
    uint16_t listen_port;
    uint64_t receive_buffer;
    char graphite_host[CONFIG_TEXT_MAX];
    uint16_t graphite_port;
    char user[64], group[64]; /* group "": the user's */
    char pidfile[CONFIG_TEXT_MAX];
    /* Absolute paths; "": none. */
    char state_dir[CONFIG_TEXT_MAX], spool_dir[CONFIG_TEXT_MAX], gauges_file[CONFIG_TEXT_MAX];
    char admin_socket[CONFIG_TEXT_MAX]; /* an absolute path; "": none */
    unsigned admin_mode;                /* of that socket */
    char console_host[CONFIG_TEXT_MAX]; /* "": no console */
    uint16_t console_port;
    bool console_write; /* also where not only this machine can ask */
};

struct config {
    struct master_opts master;
    struct worker_opts worker;             /* but for its descriptors and n_restarts */
    struct sender_opts sender;             /* the same */
    char destination[CONFIG_TEXT_MAX + 8]; /* sender.destination borrows it */
    enum log_destination log_to;
    int log_level; /* LOG_ERR … LOG_DEBUG */
    struct config_entry entries[CONFIG_KEYS_MAX];
    size_t n_entries;
    char lists[CONFIG_LISTS_MAX][CONFIG_LIST_MAX]; /* entries and worker.filter borrow them */
    size_t n_lists;
};

/* Reads and checks everything into *out. Returns 0, or -1 with one line in error that says what is
 * wrong, where (file:line or flag) and what was expected; *out is then unusable. Lines that an
 * operator should know of but that stop nothing (an unknown key, with the nearest known one) are
 * appended to warnings, each with a newline. out points into itself: never copy it by assignment.
 */
int config_load(const struct args *args, struct config *out, struct buf *error,
                struct buf *warnings);

/* The whole value of a setting, as it could stand in the file, without quotes. */
const char *config_entry_text(const struct config_entry *entry);

/* Prints every effective setting as KEY="value", with its origin as a comment on the line above. */
void config_print(const struct config *config, FILE *stream);

#endif
