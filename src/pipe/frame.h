/*
 * frame: one packet of the pipe between worker and sender: a header and a payload that means
 * nothing here. A pipe opened with O_DIRECT keeps packets of up to 4,096 bytes whole.
 */
#ifndef PIPE_FRAME_H
#define PIPE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 4096

/* In the machine's byte order. */
struct frame_header {
    uint32_t crc;      /* CRC-32C of everything behind this field */
    uint16_t len;      /* of the payload */
    uint16_t flags;    /* FRAME_LAST */
    uint64_t sequence; /* of the frame in its flush, from 0 on; 0 again where that begins anew */
    uint64_t flush_id; /* what tells flushes apart, see below */
    uint64_t end_ms;   /* the end of the flushed interval, wall clock, milliseconds */
};

/* A flush_id is two halves: the writer's arena, a random number that is not 0, and the flush in
 * that arena, one more than the one before. Of one arena, a flush that is not newer than another
 * that was taken has been taken itself; several may have the same end_ms, the last is the whole. */
static inline uint32_t
frame_epoch(uint64_t flush_id)
{
    return (uint32_t)(flush_id >> 32);
}

static inline uint32_t
frame_number(uint64_t flush_id)
{
    return (uint32_t)flush_id;
}

/* The last frame of its flush. */
#define FRAME_LAST 1u

#define FRAME_PAYLOAD_MAX (FRAME_MAX - sizeof(struct frame_header))

enum frame_error {
    FRAME_OK,
    FRAME_SHORT,    /* no whole header */
    FRAME_LENGTH,   /* the header's length is not the packet's */
    FRAME_CHECKSUM, /* what arrived is not what was sent */
};

/* For a log line: "shorter than a header", … */
const char *frame_strerror(enum frame_error error);

/* Puts header (its crc is made here) before the header->len bytes that already stand at
 * packet + sizeof(struct frame_header). Returns the packet's length. */
size_t frame_seal(uint8_t packet[FRAME_MAX], const struct frame_header *header);

/* Checks a packet of len bytes. *out is filled where it is FRAME_OK. */
enum frame_error frame_check(const uint8_t *packet, size_t len, struct frame_header *out);

#endif
