/*
 * arena: batches and files for the tests of what keeps them. Included by the checks alone.
 */
#ifndef TESTS_UNIT_SENDER_ARENA_H
#define TESTS_UNIT_SENDER_ARENA_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sender/batch.h"
#include "sender/queue.h"

#define EPOCH (UINT64_C(0x5eed) << 32)

/* The n-th flush: a sealed batch of so many lines, of its own interval. */
static inline struct batch *
batch_of(unsigned n, unsigned n_lines)
{
    struct batch *batch = batch_new(EPOCH | n, 1000 * (UINT64_C(1700000000) + 10 * n), 1 << 24);

    for (unsigned i = 0; i < n_lines; i++)
        batch_add_own(batch, "name", n + i / 1000.0);
    ck_assert_uint_eq(batch->n_lines, n_lines);
    batch_seal(batch);
    return batch;
}

/* How many lines batch_of puts into a page and no more. */
#define LINES_OF_A_PAGE (VAULT_PAGE / (4 + 10 + 4))

static inline int
new_arena(void)
{
    int fd = memfd_create("arena", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    return fd;
}

/* A copy that what is done to it does not show in the first. */
static inline int
copy_arena(int fd)
{
    static char bytes[1 << 16];
    off_t size = lseek(fd, 0, SEEK_END);
    int copy = new_arena();

    ck_assert_int_eq(ftruncate(copy, size), 0);
    for (off_t at = 0; at < size; at += (off_t)sizeof(bytes)) {
        ssize_t n = pread(fd, bytes, sizeof(bytes), at);

        ck_assert_int_gt((int)n, 0);
        ck_assert_int_eq((int)pwrite(copy, bytes, (size_t)n, at), (int)n);
    }
    return copy;
}

/* Whether the ledger closes. */
static inline bool
is_closed(struct queue *queue)
{
    const struct ledger *ledger = queue_ledger(queue);
    size_t n_batches;

    return ledger->emitted == ledger->delivered + queue_lines(queue, &n_batches) + ledger->spooled +
                                  ledger_dropped(ledger);
}

/* Commits the n-th flush. */
static inline int
take(struct queue *queue, unsigned n, unsigned n_lines)
{
    struct batch *batch = batch_of(n, n_lines);
    int error = queue_take(queue, batch, queue_ledger(queue));

    batch_free(batch);
    return error;
}

#endif
