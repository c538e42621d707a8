/*
 * buf: the one way bytes are appended. Either over the caller's storage (never grows) or on the
 * heap up to a limit. An append that does not fit changes nothing and returns -1.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *data;
    size_t len;   /* bytes in use */
    size_t cap;   /* bytes allocated */
    size_t limit; /* cap never grows beyond */
    bool on_heap;
};

/* Over size bytes of the caller's, who keeps them alive and releases nothing. */
void buf_init_fixed(struct buf *buf, void *storage, size_t size);

/* On the heap, empty, growing up to limit bytes. */
void buf_init(struct buf *buf, size_t limit);

/* Frees heap storage; fine on a zeroed struct. */
void buf_release(struct buf *buf);

/* Room for len more bytes, or NULL when they exceed the limit or memory. The caller writes there
 * and adds what it wrote to buf->len. */
uint8_t *buf_reserve(struct buf *buf, size_t len);

/* 0, or -1 where it does not fit. */
int buf_append(struct buf *buf, const void *bytes, size_t len);

/* The same, without the final NUL. */
int buf_append_str(struct buf *buf, const char *string);

/* At most max_len bytes of untrusted text for a log: printable ASCII as it is, `\` doubled, the
 * rest as \xHH; "..." where it was cut. As much as fits is appended; never fails. */
void buf_append_escaped(struct buf *buf, const void *bytes, size_t len, size_t max_len);

#endif
