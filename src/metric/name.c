/*
 * name: the sanitisers. Pure text in, clean text out.
 */
#include "metric/name.h"

#include <assert.h>
#include <stdint.h>

enum byte_class { DROP, KEEP, DASH, BLANK, SPACE };

/* What py-statsd does with each byte; its white space is that of Python 2's \s. */
static const uint8_t classes[256] = {
    ['0' ... '9'] = KEEP, ['A' ... 'Z'] = KEEP, ['a' ... 'z'] = KEEP, ['_'] = KEEP,
    ['-'] = KEEP,         ['.'] = KEEP,         ['/'] = DASH,         [' '] = BLANK,
    ['\t'] = SPACE,       ['\v'] = SPACE,       ['\f'] = SPACE,       ['\r'] = SPACE,
    ['\n'] = SPACE,
};

/* Appends one byte, keeping count of the node it belongs to. -1 beyond the limits. */
static int
put(char byte, const struct name_limits *limits, char *out, size_t *len, size_t *node_len)
{
    *node_len = byte == '.' ? 0 : *node_len + 1;
    if (*len == limits->name_max || *node_len > limits->node_max)
        return -1;
    out[(*len)++] = byte;
    return 0;
}

enum parse_error
name_clean(const char *raw, size_t len, const struct name_limits *limits, char out[NAME_LEN_MAX],
           size_t *out_len)
{
    size_t n = 0, node_len = 0;
    uint8_t before = DROP;

    assert(limits->name_max <= NAME_LEN_MAX);
    for (size_t i = 0; i < len; i++) {
        uint8_t class = classes[(uint8_t)raw[i]];
        char byte = class == KEEP ? raw[i] : class == DASH ? '-' : '_';

        if (class != DROP && !(class == SPACE && before == SPACE) &&
            put(byte, limits, out, &n, &node_len) != 0)
            return PARSE_TOO_LONG;
        before = class;
    }
    if (n == 0)
        return PARSE_NO_NAME;
    *out_len = n;
    return PARSE_OK;
}
