/*
 * outlet: see outlet.h.
 */
#include "pipe/outlet.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int
outlet_init(struct outlet *outlet, int fd, size_t backlog_size)
{
    memset(outlet, 0, sizeof(*outlet));
    outlet->fd = fd;
    outlet->n_slots = backlog_size / FRAME_MAX;
    buf_init_fixed(&outlet->payload, outlet->packet + sizeof(struct frame_header),
                   FRAME_PAYLOAD_MAX);
    if (outlet->n_slots == 0)
        return 0;
    outlet->backlog = mmap(NULL, outlet->n_slots * FRAME_MAX, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (outlet->backlog == MAP_FAILED) {
        outlet->backlog = NULL;
        return -errno;
    }
    return 0;
}

void
outlet_release(struct outlet *outlet)
{
    if (outlet->backlog != NULL)
        (void)munmap(outlet->backlog, outlet->n_slots * FRAME_MAX);
    outlet->backlog = NULL;
    outlet->n_slots = outlet->n_waiting = 0;
}

void
outlet_begin(struct outlet *outlet, uint64_t flush_id)
{
    outlet->flush_id = flush_id;
    outlet->payload.len = 0;
}

static int
write_packet(const struct outlet *outlet, const uint8_t *packet, size_t len)
{
    ssize_t n;

    do
        n = write(outlet->fd, packet, len);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

/* A packet says itself how long it is. */
static size_t
packet_len(const uint8_t *packet)
{
    struct frame_header header;

    memcpy(&header, packet, sizeof(header));
    return sizeof(header) + header.len;
}

int
outlet_drain(struct outlet *outlet)
{
    size_t n_before = outlet->n_waiting;
    int error = 0;

    while (outlet->n_waiting > 0 && error == 0) {
        const uint8_t *packet = outlet->backlog + outlet->first * FRAME_MAX;

        error = write_packet(outlet, packet, packet_len(packet));
        if (error == 0) {
            outlet->first = (outlet->first + 1) % outlet->n_slots;
            outlet->n_waiting--;
        }
    }
    if (n_before > 0 && outlet->n_waiting == 0)
        (void)madvise(outlet->backlog, outlet->n_slots * FRAME_MAX, MADV_DONTNEED);
    return error;
}

static int
put_back(struct outlet *outlet, size_t len)
{
    size_t slot;

    if (outlet->n_waiting == outlet->n_slots)
        return -EAGAIN;
    slot = (outlet->first + outlet->n_waiting) % outlet->n_slots;
    memcpy(outlet->backlog + slot * FRAME_MAX, outlet->packet, len);
    outlet->n_waiting++;
    return 0;
}

int
outlet_send(struct outlet *outlet, uint16_t flags)
{
    struct frame_header header = {
        .len = (uint16_t)outlet->payload.len,
        .flags = flags,
        .sequence = outlet->sequence,
        .flush_id = outlet->flush_id,
    };
    int error = outlet_drain(outlet);
    size_t len = frame_seal(outlet->packet, &header);

    if (error == 0)
        error = write_packet(outlet, outlet->packet, len);
    if (error == -EAGAIN)
        error = put_back(outlet, len);
    if (error != 0)
        return error;
    outlet->sequence++;
    outlet->payload.len = 0;
    return 0;
}
