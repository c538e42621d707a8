/*
 * frame: see frame.h. Pure bytes.
 */
#include "pipe/frame.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"

_Static_assert(sizeof(struct frame_header) == 32, "a frame's header has no holes");

static const char *const error_names[] = {
    [FRAME_OK] = "ok",
    [FRAME_SHORT] = "shorter than a header",
    [FRAME_LENGTH] = "not as long as it says",
    [FRAME_CHECKSUM] = "wrong checksum",
};

const char *
frame_strerror(enum frame_error error)
{
    return error_names[error];
}

static uint32_t
checksum(const uint8_t *packet, size_t len)
{
    return hash_crc32c(0, packet + sizeof(uint32_t), len - sizeof(uint32_t));
}

size_t
frame_seal(uint8_t packet[FRAME_MAX], const struct frame_header *header)
{
    size_t len = sizeof(*header) + header->len;
    uint32_t crc;

    assert(len <= FRAME_MAX);
    memcpy(packet, header, sizeof(*header));
    crc = checksum(packet, len);
    memcpy(packet, &crc, sizeof(crc));
    return len;
}

enum frame_error
frame_check(const uint8_t *packet, size_t len, struct frame_header *out)
{
    struct frame_header header;

    if (len < sizeof(header))
        return FRAME_SHORT;
    memcpy(&header, packet, sizeof(header));
    if (len != sizeof(header) + header.len)
        return FRAME_LENGTH;
    if (checksum(packet, len) != header.crc)
        return FRAME_CHECKSUM;
    *out = header;
    return FRAME_OK;
}
