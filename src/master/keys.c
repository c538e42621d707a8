/*
 * keys: finds a setting by its name. Must not know what any of them means.
 */
#include "master/keys.h"

#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define SHOWN_MAX         64 /* bytes of an unknown name that a message shows */
#define NAME_MAX_COMPARED 48 /* longer than any name; what lies behind it is not compared */

enum { N_GROUPS = 6 };

/* In the order in which settings are listed. */
static const struct key_group *const groups[N_GROUPS] = {
    &keys_in, &keys_idle, &keys_name, &keys_limit, &keys_out, &keys_ask,
};

size_t
keys_count(void)
{
    size_t n = 0;

    for (size_t i = 0; i < N_GROUPS; i++)
        n += groups[i]->n;
    return n;
}

const struct key *
keys_at(size_t index)
{
    size_t i = 0;

    for (; index >= groups[i]->n; i++) {
        index -= groups[i]->n;
        assert(i + 1 < N_GROUPS);
    }
    return &groups[i]->rows[index];
}

static bool
is_name(const char *known, const char *name, size_t len)
{
    return known != NULL && strlen(known) == len && memcmp(known, name, len) == 0;
}

int
keys_find(const char *name, size_t len)
{
    for (size_t i = 0; i < keys_count(); i++) {
        const struct key *key = keys_at(i);
        if (is_name(key->name, name, len) || is_name(key->alias, name, len))
            return (int)i;
    }
    return -1;
}

static size_t
least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Levenshtein's distance, row by row; the letters' case does not count. */
static size_t
edits(const char *known, const char *name, size_t len)
{
    size_t row[NAME_MAX_COMPARED + 1];

    if (len > NAME_MAX_COMPARED)
        len = NAME_MAX_COMPARED;
    for (size_t i = 0; i <= len; i++)
        row[i] = i;
    for (size_t k = 0; known[k] != '\0'; k++) {
        size_t diagonal = row[0];
        row[0] = k + 1;
        for (size_t i = 1; i <= len; i++) {
            bool same = toupper((unsigned char)name[i - 1]) == known[k];
            size_t here = least(row[i] + 1, row[i - 1] + 1, diagonal + !same);
            diagonal = row[i];
            row[i] = here;
        }
    }
    return row[len];
}

static const char *
nearest_name(const char *name, size_t len)
{
    const char *nearest = NULL;
    size_t fewest = SIZE_MAX;

    for (size_t i = 0; i < keys_count(); i++) {
        size_t n = edits(keys_at(i)->name, name, len);
        if (n < fewest) {
            fewest = n;
            nearest = keys_at(i)->name;
        }
    }
    return nearest;
}

void
keys_say_unknown(const char *name, size_t len, struct buf *out)
{
    buf_append_escaped(out, name, len, SHOWN_MAX);
    value_say(out, " is no known key; the nearest is %s", nearest_name(name, len));
}

void
keys_say_unbuilt(const struct key *key, struct buf *out)
{
    value_say(out, "%s is not built yet in this version; remove it", key->name);
}
