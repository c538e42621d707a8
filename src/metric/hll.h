/*
 * hll: about how many different members an interval saw, however many they are: HyperLogLog
 * (Flajolet, Fusy, Gandouet and Meunier, "HyperLogLog: the analysis of a near-optimal cardinality
 * estimation algorithm", 2007) of 16,384 registers, 16 KiB.
 */
#ifndef METRIC_HLL_H
#define METRIC_HLL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/survey.h"

#define HLL_PRECISION 14
#define HLL_REGISTERS (1 << HLL_PRECISION)

/* Zeroed: empty. The registers, of one byte each, stand in the arena from the first member on. */
struct hll {
    arena_ref registers;
    uint32_t sum; /* of all registers: a successor of the process trusts them */
};

/* Notes in the arena's undo what hll_add with the same hash is going to change in the registers of
 * an hll that it has not itself made since the last commit. */
void hll_note(const struct hll *hll, const struct arena *arena, uint64_t hash);

/* Adds a member by a hash of which every bit is as good as random; one that was there changes
 * nothing. Returns 0, or -1 and nothing done when the arena is full, which only an empty one finds
 * out. */
int hll_add(struct hll *hll, struct arena *arena, uint64_t hash);

/* Makes into what it were had it been given all members of from (in from_arena; may be the same) as
 * well. Returns 0, or -1 and nothing done when the arena is full. */
int hll_merge(struct hll *into, struct arena *arena, const struct hll *from,
              const struct arena *from_arena);

/* How many different members there are, to the nearest whole number: Ertl's improved estimator
 * ("New cardinality estimation algorithms for HyperLogLog sketches", 2017), which needs no table of
 * biases and no switch between formulas. The standard error is 0.81 % of many members, less of few;
 * the same registers give the same answer. */
uint64_t hll_estimate(const struct hll *hll, const struct arena *arena);

/* Marks what it has of the arena that is surveyed. False where it cannot be what it was. */
bool hll_survey(const struct hll *hll, struct survey *survey);

/* Back to empty; gives the memory back. */
void hll_reset(struct hll *hll, struct arena *arena);

#endif
