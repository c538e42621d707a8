/*
 * stow: the way of flushes from the queue into the spool and out of it, and the ledger of that.
 * That a file exists is the state; the ledger follows, and is made to agree where a kill came
 * between the two. Logs what happens to files.
 */
#ifndef SENDER_STOW_H
#define SENDER_STOW_H

#include <stdbool.h>
#include <stdint.h>

#include "sender/queue.h"
#include "sender/sender.h"
#include "sender/spool.h"

struct stow {
    struct spool spool;
    bool is_open;
    struct spool_file leftover; /* in the spool no more, but its file could not be removed */
    uint64_t n_bad_seen, n_dropped_seen; /* of the spool's counts: what is in the ledger */
    const struct sender_opts *opts;
};

/* Takes up what is in the directory, where there is one. Where it cannot be used that is logged,
 * and it is as if there were none. Borrows opts. */
void stow_open(struct stow *stow, struct queue *queue, const struct sender_opts *opts);

/* Everything stays. */
void stow_close(struct stow *stow);

/* Brings a batch of the queue into the spool. Returns 0 or -errno: it is where it was. */
int stow_put(struct stow *stow, struct queue *queue, uint32_t slot);

/* Brings in what waits in the queue, oldest first, but for busy and the newest while that was not
 * tried. What cannot be brought in stays. Returns whether there is more than a second was enough
 * for. */
bool stow_put_all(struct stow *stow, struct queue *queue, uint32_t busy);

/* Reads the oldest that can be read back; what is damaged is passed over for good. NULL: there is
 * none now. The caller frees it. It is kept as spool.busy, until that is 0 again. */
struct batch *stow_load(struct stow *stow, struct queue *queue);

/* A batch of the spool is delivered, but for so many lines that are none for carbon. */
void stow_delivered(struct stow *stow, struct queue *queue, const struct batch *batch,
                    uint64_t n_refused);

/* A batch of the spool must not be sent. */
void stow_dropped(struct stow *stow, struct queue *queue, const struct spool_file *file,
                  enum ledger_reason reason);

/* The flush of that id, or NULL. It is good until the spool changes. */
const struct spool_file *stow_find(const struct stow *stow, uint64_t id);

#endif
