/*
 * culprit: see culprit.h.
 */
#include "worker/culprit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

/* The first two nodes. */
static struct name
prefix_of(const struct name *name)
{
    struct name prefix = {.text = name->text};
    int n_dots = 0;

    for (; prefix.len < name->len && prefix.len < CULPRIT_PREFIX_MAX; prefix.len++) {
        if (name->text[prefix.len] == '.' && ++n_dots == 2)
            break;
    }
    return prefix;
}

/* n more for a prefix. One that has no place takes as much off all others, until one is free. */
static void
count(struct culprit *culprit, const struct name *prefix, uint64_t n)
{
    size_t least = 0;
    uint64_t off;

    for (size_t i = 0; i < CULPRIT_PREFIXES; i++) {
        if (culprit->kept[i].n > 0 && culprit->kept[i].len == prefix->len &&
            memcmp(culprit->kept[i].prefix, prefix->text, prefix->len) == 0) {
            culprit->kept[i].n += n;
            return;
        }
        if (culprit->kept[i].n < culprit->kept[least].n)
            least = i;
    }
    off = culprit->kept[least].n < n ? culprit->kept[least].n : n;
    for (size_t i = 0; i < CULPRIT_PREFIXES; i++)
        culprit->kept[i].n -= off;
    if (n == off)
        return;
    culprit->kept[least].n = n - off;
    culprit->kept[least].len = (uint8_t)prefix->len;
    memcpy(culprit->kept[least].prefix, prefix->text, prefix->len);
}

void
culprit_add(struct culprit *culprit, const struct name *name)
{
    struct name prefix = prefix_of(name);

    culprit->n_refused++;
    count(culprit, &prefix, 1);
}

void
culprit_merge(struct culprit *into, const struct culprit *from)
{
    into->n_refused += from->n_refused;
    for (size_t i = 0; i < CULPRIT_PREFIXES; i++) {
        struct name prefix = {.text = from->kept[i].prefix, .len = from->kept[i].len};

        if (from->kept[i].n > 0)
            count(into, &prefix, from->kept[i].n);
    }
}

struct name
culprit_worst(const struct culprit *culprit)
{
    size_t worst = 0;

    for (size_t i = 1; i < CULPRIT_PREFIXES; i++) {
        if (culprit->kept[i].n > culprit->kept[worst].n)
            worst = i;
    }
    if (culprit->kept[worst].n == 0)
        return (struct name){0};
    return (struct name){.text = culprit->kept[worst].prefix, .len = culprit->kept[worst].len};
}

void
culprit_log(const struct culprit *culprit, struct log_limit *limit)
{
    struct name worst = culprit_worst(culprit);
    char prefix[CULPRIT_PREFIX_MAX + 1];

    snprintf(prefix, sizeof(prefix), "%.*s", (int)worst.len, worst.text);
    if (culprit->n_refused > 0)
        log_event(&(struct log_event){.level = LOG_WARNING, .name = prefix, .limit = limit},
                  "%" PRIu64 " lines were refused for want of room (MAX_METRICS, MEMORY_LIMIT), "
                  "most of them under %s",
                  culprit->n_refused, prefix);
}
