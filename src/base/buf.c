/*
 * buf: owns the growth of a byte string and its bounds. Knows nothing of what the bytes mean.
 */
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

/* Small enough not to matter, large enough that short texts are allocated once. */
#define FIRST_CAP 64

#define CUT_MARK "..."

void
buf_init_fixed(struct buf *buf, void *storage, size_t size)
{
    *buf = (struct buf){.data = storage, .cap = size, .limit = size};
}

void
buf_init(struct buf *buf, size_t limit)
{
    *buf = (struct buf){.limit = limit, .on_heap = true};
}

void
buf_release(struct buf *buf)
{
    if (buf->on_heap)
        free(buf->data);
    *buf = (struct buf){0};
}

/* By half, so that a freed block can be found again by a later growth; needed <= limit. */
static size_t
next_cap(const struct buf *buf, size_t needed)
{
    size_t cap = buf->cap < buf->limit - buf->cap / 2 ? buf->cap + buf->cap / 2 : buf->limit;

    if (cap < FIRST_CAP)
        cap = FIRST_CAP;
    if (cap < needed)
        cap = needed;
    return cap < buf->limit ? cap : buf->limit;
}

static int
grow(struct buf *buf, size_t needed)
{
    size_t cap = next_cap(buf, needed);
    uint8_t *data = realloc(buf->data, cap);

    if (data == NULL)
        return -1;
    buf->data = data;
    buf->cap = cap;
    return 0;
}

uint8_t *
buf_reserve(struct buf *buf, size_t len)
{
    if (len > buf->limit - buf->len)
        return NULL;
    if (buf->on_heap && (buf->data == NULL || len > buf->cap - buf->len)) {
        if (grow(buf, buf->len + len) != 0)
            return NULL;
    }
    return buf->data + buf->len;
}

int
buf_append(struct buf *buf, const void *bytes, size_t len)
{
    uint8_t *room;

    if (len == 0)
        return 0;
    room = buf_reserve(buf, len);
    if (room == NULL)
        return -1;
    memcpy(room, bytes, len);
    buf->len += len;
    return 0;
}

int
buf_append_str(struct buf *buf, const char *string)
{
    return buf_append(buf, string, strlen(string));
}

static int
append_escaped_byte(struct buf *buf, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    char escape[4] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};

    if (byte == '\\')
        return buf_append(buf, "\\\\", 2);
    if (byte >= ' ' && byte <= '~')
        return buf_append(buf, &byte, 1);
    return buf_append(buf, escape, sizeof(escape));
}

void
buf_append_escaped(struct buf *buf, const void *bytes, size_t len, size_t max_len)
{
    const uint8_t *at = bytes;
    size_t n = len < max_len ? len : max_len;
    size_t i, last_cut = buf->len; /* where the mark would still fit */

    for (i = 0; i < n; i++) {
        if (buf->limit - buf->len >= strlen(CUT_MARK))
            last_cut = buf->len;
        if (append_escaped_byte(buf, at[i]) != 0)
            break;
    }
    if (i == len || buf_append_str(buf, CUT_MARK) == 0)
        return;
    buf->len = last_cut;
    (void)buf_append_str(buf, CUT_MARK);
}
