/*
 * filter: which names are kept, by globs on clean names without any prefix.
 *
 * "*" stands for any bytes, dots included, "?" for one byte, everything else for itself, in its
 * case. A name is kept when some pattern allows it, or none is there to allow, and none drops it.
 */
#ifndef METRIC_FILTER_H
#define METRIC_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILTER_PATTERNS_MAX 256 /* of a list */
#define FILTER_PATTERN_MAX  256 /* bytes */
/* Bytes of a list's text, its NUL included. */
#define FILTER_LIST_MAX (FILTER_PATTERNS_MAX * (FILTER_PATTERN_MAX + 1))
/* Room for the patterns of any two lists. */
#define FILTER_STORAGE_MAX (2 * FILTER_LIST_MAX)

/* Patterns separated by commas; NULL or "": none. */
struct filter_opts {
    const char *drop, *allow;
};

struct filter {
    const uint8_t
        *patterns; /* those that drop, then those that allow, each behind its length - 1 */
    size_t n_drop, n_allow;
};

/* How many bytes of storage filter_init takes for opts, at most FILTER_STORAGE_MAX for lists that
 * it does not refuse. */
size_t filter_storage_size(const struct filter_opts *opts);

/* Copies the patterns of both lists to storage, which the filter borrows from then on. Returns 0,
 * or -1 where a pattern is empty or too long, or where there are too many or too little storage;
 * the filter is then untouched. */
int filter_init(struct filter *filter, const struct filter_opts *opts, uint8_t *storage,
                size_t size);

/* What decides about a name. */
struct filter_verdict {
    bool keeps;
    const char *pattern; /* that drops or allows it, in the filter's storage; NULL: none does */
    size_t pattern_len;
};

/* Whether a name of len bytes is kept, and why. Costs what filter_keeps does. */
struct filter_verdict filter_judge(const struct filter *filter, const char *name, size_t len);

/* Whether a name of len bytes matches one pattern of n bytes. */
bool filter_matches(const char *pattern, size_t n, const char *name, size_t len);

/* Whether a name of len bytes is kept. Allocates nothing; takes at most len * FILTER_PATTERN_MAX
 * steps a pattern, and ordinarily about len. */
bool filter_keeps(const struct filter *filter, const char *name, size_t len);

#endif
