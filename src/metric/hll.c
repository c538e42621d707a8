/*
 * hll: see hll.h. Owns the registers. Knows nothing of sets, nor how members were hashed.
 *
 * The top bits of a hash choose a register, which keeps the longest run of zeros seen in the bits
 * below, plus one; 0 is a register that no member chose.
 */
#include "metric/hll.h"

#include <string.h>

#define RUN_BITS (64 - HLL_PRECISION)
#define RANK_MAX (RUN_BITS + 1) /* all of these bits are zero */

static int
allocate(struct hll *hll, struct arena *arena)
{
    arena_ref ref = arena_take(arena, HLL_REGISTERS);

    if (ref == 0)
        return -1;
    memset(arena_at(arena, ref), 0, HLL_REGISTERS);
    hll->registers = ref;
    hll->sum = 0;
    return 0;
}

void
hll_note(const struct hll *hll, const struct arena *arena, uint64_t hash)
{
    const uint8_t *registers = arena_at(arena, hll->registers);

    undo_note(arena->undo, &registers[hash >> RUN_BITS], 1);
}

int
hll_add(struct hll *hll, struct arena *arena, uint64_t hash)
{
    /* The bit that is put in ends the longest run. */
    uint64_t run = hash << HLL_PRECISION | UINT64_C(1) << (HLL_PRECISION - 1);
    uint8_t rank = (uint8_t)(__builtin_clzll(run) + 1);
    uint8_t *registers;

    if (hll->registers == 0 && allocate(hll, arena) != 0)
        return -1;
    registers = arena_at(arena, hll->registers);
    if (registers[hash >> RUN_BITS] >= rank)
        return 0;
    hll->sum += (uint32_t)(rank - registers[hash >> RUN_BITS]);
    registers[hash >> RUN_BITS] = rank;
    return 0;
}

int
hll_merge(struct hll *into, struct arena *arena, const struct hll *from,
          const struct arena *from_arena)
{
    const uint8_t *more;
    uint8_t *registers;

    if (from->registers == 0)
        return 0;
    if (into->registers == 0 && allocate(into, arena) != 0)
        return -1;
    registers = arena_at(arena, into->registers);
    more = arena_at(from_arena, from->registers);
    into->sum = 0;
    for (size_t i = 0; i < HLL_REGISTERS; i++) {
        registers[i] = registers[i] < more[i] ? more[i] : registers[i];
        into->sum += registers[i];
    }
    return 0;
}

/* Ertl's sigma: x + the sum over k from 1 of x^(2^k) × 2^(k - 1). x in [0, 1). */
static double
sigma(double x)
{
    double sum = x, before, weight = 1;

    do {
        before = sum;
        x *= x;
        sum += x * weight;
        weight *= 2;
    } while (sum > before);
    return sum;
}

uint64_t
hll_estimate(const struct hll *hll, const struct arena *arena)
{
    static const double alpha = 0.72134752044448170368; /* 1 / (2 ln 2) */
    static const double m = HLL_REGISTERS;
    uint32_t n_of_rank[RANK_MAX + 1] = {0};
    const uint8_t *registers;
    double sum, estimate;

    if (hll->registers == 0)
        return 0;
    registers = arena_at(arena, hll->registers);
    for (size_t i = 0; i < HLL_REGISTERS; i++)
        n_of_rank[registers[i]]++;
    /* m × tau(1 - share of full registers), of which the first term, share / 3, is all there is to
     * see: a register is full by one in 2^50 of its members. */
    sum = n_of_rank[RANK_MAX] / 3.0;
    for (unsigned rank = RANK_MAX - 1; rank > 0; rank--)
        sum = (sum + n_of_rank[rank]) / 2;
    sum += m * sigma(n_of_rank[0] / m);
    estimate = alpha * m * m / sum + 0.5;
    return estimate < 0x1p64 ? (uint64_t)estimate : UINT64_MAX;
}

bool
hll_survey(const struct hll *hll, struct survey *survey)
{
    const uint8_t *registers;
    uint32_t sum = 0;

    if (!survey_mark(survey, hll->registers, HLL_REGISTERS))
        return false;
    registers = arena_at(survey->arena, hll->registers);
    for (size_t i = 0; i < HLL_REGISTERS; i++) {
        if (registers[i] > RANK_MAX)
            return false;
        sum += registers[i];
    }
    return sum == hll->sum;
}

void
hll_reset(struct hll *hll, struct arena *arena)
{
    if (hll->registers != 0)
        arena_give(arena, hll->registers, HLL_REGISTERS);
    *hll = (struct hll){0};
}
