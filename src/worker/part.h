/*
 * part: when what the open interval has may be sent before its end, because somebody wants it. It
 * takes as much of the sender's room as the whole that follows, so it must not wait there and push
 * out what has no other copy.
 */
#ifndef WORKER_PART_H
#define WORKER_PART_H

#include <stdbool.h>
#include <stdint.h>

#include "base/board.h"
#include "worker/store.h"

/* How long what was sent before may take to arrive. */
#define PART_PATIENCE_MS 2000
/* How soon it is looked at again. */
#define PART_LOOK_MS 20

enum part_verdict { PART_BEGINS, PART_WAITS, PART_REFUSED };

/* Zeroed: nobody wants one. */
struct part {
    bool is_sent;       /* it is on its way */
    bool is_busy;       /* samples came between two of its steps, and may want their turn */
    uint64_t n_packets; /* at the last step */
    uint64_t wanted_ms; /* monotonic; since when one waits to begin, 0: none does */
};

/* Judges, where nothing of this worker's is on its way and one is wanted, whether it may begin. All
 * that was committed must be what the board says. */
enum part_verdict part_judge(struct part *part, const struct board_delivery *board,
                             uint64_t now_ms);

/* Notes what the shards, which are held, have received by now. */
void part_note(struct part *part, const struct store_map *map, unsigned n_shards);

#endif
