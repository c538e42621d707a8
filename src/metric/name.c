/*
 * name: the sanitisers. Pure text in, clean text out.
 */
#include "metric/name.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum byte_class { DROP, KEEP, DASH, BLANK, SPACE };

/* What py-statsd does with each byte; its white space is that of Python 2's \s. */
static const uint8_t classes[256] = {
    ['0' ... '9'] = KEEP, ['A' ... 'Z'] = KEEP, ['a' ... 'z'] = KEEP, ['_'] = KEEP,
    ['-'] = KEEP,         ['.'] = KEEP,         ['/'] = DASH,         [' '] = BLANK,
    ['\t'] = SPACE,       ['\v'] = SPACE,       ['\f'] = SPACE,       ['\r'] = SPACE,
    ['\n'] = SPACE,
};

static bool
is_clean(const char *raw, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (classes[(uint8_t)raw[i]] != KEEP)
            return false;
    }
    return true;
}

/* Writes the clean name, at most limits->name_max bytes. Returns how many there would be. */
static size_t
rewrite(const char *raw, size_t len, size_t max, char *out)
{
    uint8_t before = DROP;
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        uint8_t class = classes[(uint8_t)raw[i]];

        if (class != DROP && !(class == SPACE && before == SPACE)) {
            if (n < max)
                out[n] = class == KEEP ? raw[i] : class == DASH ? '-' : '_';
            n++;
        }
        before = class;
    }
    return n;
}

/* Only a name that is long enough for it can have a node that is too long. */
static bool
has_long_node(const struct name *name, size_t node_max)
{
    const char *at = name->text, *end = at + name->len;

    while ((size_t)(end - at) > node_max) {
        const char *dot = memchr(at, '.', node_max + 1);

        if (dot == NULL)
            return true;
        at = dot + 1;
    }
    return false;
}

static enum parse_error
check(const struct name *name, const struct name_limits *limits)
{
    if (name->len == 0)
        return PARSE_NO_NAME;
    if (name->len > limits->name_max || has_long_node(name, limits->node_max))
        return PARSE_TOO_LONG;
    return PARSE_OK;
}

enum parse_error
name_clean(const char *raw, size_t len, const struct name_limits *limits,
           char scratch[NAME_LEN_MAX], struct name *out)
{
    struct name name = {.text = raw, .len = len};
    enum parse_error error;

    assert(limits->name_max <= NAME_LEN_MAX);
    if (!is_clean(raw, len)) {
        name.text = scratch;
        name.len = rewrite(raw, len, limits->name_max, scratch);
    }
    if ((error = check(&name, limits)) == PARSE_OK)
        *out = name;
    return error;
}
