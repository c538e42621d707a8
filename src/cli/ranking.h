/*
 * ranking: the daemon's answer to `top`, in its four lists.
 */
#ifndef CLI_RANKING_H
#define CLI_RANKING_H

#include <stddef.h>

#include "cli/human.h"

/* In the order of `top`; what is long, names, stands on the left. */
enum ranking_kind { RANKING_NAME, RANKING_PREFIX, RANKING_NEW, RANKING_SENDER, RANKING_KINDS };

#define RANKING_MOST 1000 /* entries of a list */

struct ranking_entry {
    double number; /* samples a second; of the newest: the age in seconds */
    char *text;
};

struct ranking_list {
    struct ranking_entry *entries;
    size_t n_entries;
};

struct ranking {
    struct ranking_list lists[RANKING_KINDS];
};

/* Takes a line "KIND NUMBER TEXT". Returns 0, or -1 where it is none, its list is full, or there is
 * no memory. */
int ranking_add(struct ranking *ranking, const char *line);

/* Frees all; fine on a zeroed struct. */
void ranking_release(struct ranking *ranking);

/* "BUSIEST NAMES", … */
const char *ranking_title(enum ranking_kind kind);

/* The unit of the numbers, for a heading: "a second", "age". */
const char *ranking_unit(enum ranking_kind kind);

/* The number as people read it. */
void ranking_format(enum ranking_kind kind, double number, char out[HUMAN_MAX]);

#endif
