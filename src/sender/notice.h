/*
 * notice: what the sender puts on the board for those who ask how deliveries fare.
 */
#ifndef SENDER_NOTICE_H
#define SENDER_NOTICE_H

#include <stdint.h>

#include "base/board.h"
#include "sender/delivery.h"

/* How often what is there is said at most. */
#define NOTICE_MS 200

/* What is there and what became of everything else, unless it was said a moment ago. now_ms is
 * monotonic. */
void notice_state(struct delivery *delivery, uint64_t now_ms);

/* The same, now: who is told next that a flush is committed finds it among what waits. */
void notice_now(struct delivery *delivery);

/* The item on its way has been delivered, but for n_refused of its lines. */
void notice_success(struct delivery *delivery, uint64_t n_refused, uint64_t now_ms);

/* A delivery has failed. */
void notice_failure(struct board_delivery *board);

#endif
