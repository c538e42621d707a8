/*
 * replay: delivered flushes that go out again after carbon was seen to die, since what it had
 * acknowledged and not written to disk died with it. Knows no connection.
 */
#ifndef SENDER_REPLAY_H
#define SENDER_REPLAY_H

#include <stdint.h>

#include "sender/queue.h"

/* Those that were delivered longer than window_ms ago leave. */
void replay_expire(struct queue *queue, uint64_t window_ms, uint64_t now_ms);

/* Carbon was seen to die: those that were delivered within window_ms are to be sent again, and are
 * kept until they are. */
void replay_mark(struct queue *queue, uint64_t window_ms, uint64_t now_ms);

#endif
