/*
 * clean: owns what each byte of a caller's text becomes. Pure text in, clean text out.
 */
#include "client/clean.h"

#include <stdbool.h>
#include <stdint.h>

#define DELETE 0x7f

enum byte_class { DROP, KEEP, DASH, BLANK, SPACE };

/* What py-statsd does with each byte of a name; its white space is that of Python 2's \s. */
static const uint8_t classes[256] = {
    ['0' ... '9'] = KEEP, ['A' ... 'Z'] = KEEP, ['a' ... 'z'] = KEEP, ['_'] = KEEP,
    ['-'] = KEEP,         ['.'] = KEEP,         ['/'] = DASH,         [' '] = BLANK,
    ['\t'] = SPACE,       ['\v'] = SPACE,       ['\f'] = SPACE,       ['\r'] = SPACE,
    ['\n'] = SPACE,
};

size_t
clean_name(const char *raw, char *out, size_t max)
{
    uint8_t before = DROP;
    size_t n = 0;

    /* Most names are clean. */
    while (n < max && classes[(uint8_t)raw[n]] == KEEP) {
        out[n] = raw[n];
        n++;
    }
    for (raw += n; *raw != '\0'; raw++) {
        uint8_t class = classes[(uint8_t)*raw];

        if (class != DROP && !(class == SPACE && before == SPACE)) {
            if (n < max)
                out[n] = class == KEEP ? *raw : class == DASH ? '-' : '_';
            n++;
        }
        before = class;
    }
    return n;
}

static size_t
replace(const char *raw, char first, char second, char *out, size_t max)
{
    size_t n = 0;

    for (; raw[n] != '\0'; n++) {
        uint8_t byte = (uint8_t)raw[n];
        bool is_unsafe = byte < ' ' || byte == DELETE || raw[n] == first || raw[n] == second;

        if (n < max)
            out[n] = is_unsafe ? '_' : raw[n];
    }
    return n;
}

size_t
clean_member(const char *raw, char *out, size_t max)
{
    return replace(raw, ':', '|', out, max);
}

size_t
clean_fields(const char *raw, char *out, size_t max)
{
    return replace(raw, '\n', '\n', out, max);
}

size_t
clean_tags(const char *raw, char *out, size_t max)
{
    return replace(raw, ' ', '|', out, max);
}
