/*
 * filter: holds the globs and matches names against them. Knows nothing of where the lists come
 * from or what becomes of a name that is not kept.
 */
#include "metric/filter.h"

#include <string.h>

/* Where the patterns of the lists go, one after the other. */
struct sink {
    uint8_t *storage;
    size_t len, size;
};

static size_t
list_len(const char *list)
{
    return list != NULL ? strlen(list) : 0;
}

/* A pattern's length byte takes the place of its comma or of the list's end. */
size_t
filter_storage_size(const struct filter_opts *opts)
{
    return list_len(opts->drop) + 1 + list_len(opts->allow) + 1;
}

static int
take_pattern(struct sink *sink, const char *text, size_t len)
{
    if (len < 1 || len > FILTER_PATTERN_MAX || sink->size - sink->len < len + 1)
        return -1;
    sink->storage[sink->len++] = (uint8_t)(len - 1);
    memcpy(sink->storage + sink->len, text, len);
    sink->len += len;
    return 0;
}

static int
take_list(struct sink *sink, const char *list, size_t *out_n)
{
    size_t n = 0;

    for (bool more = list_len(list) > 0; more; n++) {
        size_t len = strcspn(list, ",");

        if (n == FILTER_PATTERNS_MAX || take_pattern(sink, list, len) < 0)
            return -1;
        more = list[len] == ',';
        list += len + more;
    }
    *out_n = n;
    return 0;
}

int
filter_init(struct filter *filter, const struct filter_opts *opts, uint8_t *storage, size_t size)
{
    struct sink sink = {.storage = storage, .size = size};
    struct filter fresh = {.patterns = storage};

    if (take_list(&sink, opts->drop, &fresh.n_drop) < 0 ||
        take_list(&sink, opts->allow, &fresh.n_allow) < 0)
        return -1;
    *filter = fresh;
    return 0;
}

/* Greedy, with one way back: what a star took is given up byte by byte, but never what an earlier
 * star took, since the earliest match of what lies between two stars leaves most to the rest. */
bool
filter_matches(const char *pattern, size_t n, const char *name, size_t len)
{
    size_t p = 0, i = 0, behind_star = 0, resume = 0;

    while (i < len) {
        if (p < n && pattern[p] == '*') {
            behind_star = ++p;
            resume = i;
        } else if (p < n && (pattern[p] == '?' || pattern[p] == name[i])) {
            p++;
            i++;
        } else if (behind_star > 0) {
            p = behind_star;
            i = ++resume;
        } else {
            return false;
        }
    }
    while (p < n && pattern[p] == '*')
        p++;
    return p == n;
}

/* Whether one of n patterns matches, which *out then names; *at moves on behind all of them where
 * none does. */
static bool
any_matches(const uint8_t **at, size_t n, const char *name, size_t len, struct filter_verdict *out)
{
    for (; n > 0; n--) {
        const char *pattern = (const char *)*at + 1;
        size_t pattern_len = (size_t) * *at + 1;

        if (filter_matches(pattern, pattern_len, name, len)) {
            out->pattern = pattern;
            out->pattern_len = pattern_len;
            return true;
        }
        *at += 1 + pattern_len;
    }
    return false;
}

struct filter_verdict
filter_judge(const struct filter *filter, const char *name, size_t len)
{
    struct filter_verdict verdict = {0};
    const uint8_t *at = filter->patterns;

    if (any_matches(&at, filter->n_drop, name, len, &verdict))
        return verdict;
    verdict.keeps = filter->n_allow == 0 || any_matches(&at, filter->n_allow, name, len, &verdict);
    return verdict;
}

bool
filter_keeps(const struct filter *filter, const char *name, size_t len)
{
    return filter_judge(filter, name, len).keeps;
}
