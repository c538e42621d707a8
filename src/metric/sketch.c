/*
 * sketch: see sketch.h. Owns the buckets' borders and the counts. Knows nothing of timers, and not
 * which percentile is asked for.
 *
 * Buckets of one relative width: 35 to each power of two, a factor of 2^(1/35) = 1.0200 from border
 * to border, which is the least whole number that keeps the error under 1 % (34.66 would do). A
 * whole number makes the borders those of one octave everywhere, so that a value's bucket is its
 * exponent and a look at the top of its fraction, compared with one border: exact, and no log().
 */
#include "metric/sketch.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define N_STEPS      35 /* buckets in an octave */
#define MIN_EXPONENT (-30)
#define MAX_EXPONENT 50 /* the octave from 2^50 on is not covered */
#define N_BUCKETS    ((MAX_EXPONENT - MIN_EXPONENT) * N_STEPS)

#define MIN_CAPACITY 64u

/* IEEE 754's binary64. */
#define FRACTION_BITS 52
#define FRACTION_MASK ((UINT64_C(1) << FRACTION_BITS) - 1)
#define EXPONENT_MASK 0x7ff
#define EXPONENT_BIAS 1023

#define CELL_BITS 6

/* The fraction from which on a double is at least 2^(i/35) within its octave. */
static const uint64_t border[N_STEPS + 1] = {
    0x0000000000000,  0x051ed35254d7b, 0x0a57de9c16bc8, 0x0faba81d4e5e0, 0x151ab8c56eea3,
    0x1aa59c4115e7e,  0x204ce10811782, 0x2611186bae675, 0x2bf2d6a54f7db, 0x31f2b2e54f85d,
    0x381147622f887,  0x3e4f316812c30, 0x44ad116889e7c, 0x4b2b8b0aaf3c8, 0x51cb453b9536d,
    0x588cea3f093be,  0x5f7127c0ac32a, 0x6678aee5629f8, 0x6da4345d1e0ae, 0x74f47075017a0,
    0x7c6a1f29e2ce7,  0x8406003b2ae5d, 0x8bc8d73e16610, 0x93b36bb158fff, 0x9bc68911258c0,
    0xa402feeb9c533,  0xac69a0f5a241d, 0xb4fb472022b1b, 0xbdb8cdadbe121, 0xc6a31548e794e,
    0xcfbb031a741a5,  0xd90180e09c9e4, 0xe2777d0676771, 0xec1deabbe3c15, 0xf5f5c20dfe5f3,
    0x10000000000000,
};

/* The step in which each 64th of an octave begins; none is wide enough to hold two borders. */
static const uint8_t step_at[1 << CELL_BITS] = {
    0,  0,  1,  2,  3,  3,  4,  5,  5,  6,  7,  8,  8,  9,  9,  10, 11, 11, 12, 13, 13, 14,
    14, 15, 16, 16, 17, 17, 18, 18, 19, 19, 20, 20, 21, 22, 22, 23, 23, 24, 24, 24, 25, 25,
    26, 26, 27, 27, 28, 28, 29, 29, 30, 30, 30, 31, 31, 32, 32, 32, 33, 33, 34, 34,
};

static_assert(N_BUCKETS <= UINT16_MAX, "first and capacity hold any bucket");

/* The bucket of a value other than 0, whatever its sign. */
static unsigned
bucket_of(double value)
{
    uint64_t bits, fraction;
    int exponent;
    unsigned step;

    memcpy(&bits, &value, sizeof(bits));
    exponent = (int)(bits >> FRACTION_BITS & EXPONENT_MASK) - EXPONENT_BIAS;
    if (exponent < MIN_EXPONENT)
        return 0;
    if (exponent >= MAX_EXPONENT)
        return N_BUCKETS - 1;
    fraction = bits & FRACTION_MASK;
    step = step_at[fraction >> (FRACTION_BITS - CELL_BITS)];
    step += fraction >= border[step + 1];
    return (unsigned)(exponent - MIN_EXPONENT) * N_STEPS + step;
}

/* What is the same share of itself away from both of a bucket's borders. */
static double
middle_of(unsigned bucket)
{
    unsigned step = bucket % N_STEPS;
    double low = 1 + (double)border[step] * 0x1p-52;
    double high = 1 + (double)border[step + 1] * 0x1p-52;
    uint64_t bits = (uint64_t)(EXPONENT_BIAS + MIN_EXPONENT + (int)(bucket / N_STEPS))
                    << FRACTION_BITS;
    double octave;

    memcpy(&octave, &bits, sizeof(octave));
    return 2 * low * high / (low + high) * octave;
}

/* Any one bit that turns over changes it. */
static uint32_t
check_of(const struct sketch *sketch)
{
    uint32_t words[offsetof(struct sketch, check) / sizeof(uint32_t)], check = 0x9e3779b9;

    memcpy(words, sketch, sizeof(words));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        check = (check << 5 | check >> 27) ^ words[i];
    return check;
}

static size_t
bytes_of(unsigned capacity)
{
    return capacity * sizeof(uint32_t);
}

/* Doubled until it is enough, so that a store grows seven times at most. */
static unsigned
capacity_for(unsigned n)
{
    unsigned capacity = MIN_CAPACITY;

    while (capacity < n)
        capacity *= 2;
    return capacity < N_BUCKETS ? capacity : N_BUCKETS;
}

/* The bucket that a store of capacity begins with, its spare room on both sides of low..high. */
static unsigned
first_for(unsigned capacity, unsigned low, unsigned high)
{
    unsigned spare = (capacity - (high - low + 1)) / 2;
    unsigned first = low < spare ? 0 : low - spare;

    return first < N_BUCKETS - capacity ? first : N_BUCKETS - capacity;
}

/* Makes the buckets low..high part of the store. False, and nothing done, for want of memory. */
static bool
reserve(struct sketch_store *store, struct arena *arena, unsigned low, unsigned high)
{
    unsigned capacity, first;
    arena_ref ref;
    uint32_t *counts;

    if (store->capacity > 0) {
        unsigned end = store->first + store->capacity;

        low = low < store->first ? low : store->first;
        high = high < end ? end - 1 : high;
    }
    capacity = capacity_for(high - low + 1);
    if (capacity == store->capacity)
        return true;
    if ((ref = arena_take(arena, bytes_of(capacity))) == 0)
        return false;
    counts = arena_at(arena, ref);
    memset(counts, 0, bytes_of(capacity));
    first = first_for(capacity, low, high);
    if (store->capacity > 0) {
        memcpy(&counts[store->first - first], arena_at(arena, store->counts),
               bytes_of(store->capacity));
        arena_give(arena, store->counts, bytes_of(store->capacity));
    }
    *store = (struct sketch_store){
        .counts = ref, .first = (uint16_t)first, .capacity = (uint16_t)capacity};
    return true;
}

void
sketch_note(const struct sketch *sketch, const struct arena *arena, double value)
{
    const struct sketch_store *store = value < 0 ? &sketch->negative : &sketch->positive;
    unsigned place = value != 0 ? bucket_of(value) - store->first : UINT32_MAX;

    undo_note(arena->undo, sketch, sizeof(*sketch));
    if (place < store->capacity)
        undo_note(arena->undo, (uint32_t *)arena_at(arena, store->counts) + place,
                  sizeof(uint32_t));
}

enum sketch_verdict
sketch_add(struct sketch *sketch, struct arena *arena, double value)
{
    struct sketch_store *store = value < 0 ? &sketch->negative : &sketch->positive;
    unsigned bucket;
    uint32_t *counts;

    if (sketch->n == UINT32_MAX)
        return SKETCH_OVERFLOW;
    if (value == 0) {
        sketch->n_zeros++;
    } else {
        bucket = bucket_of(value);
        /* A bucket before the first is a difference beyond any capacity. */
        if (bucket - store->first >= store->capacity && !reserve(store, arena, bucket, bucket))
            return SKETCH_NO_MEMORY;
        counts = arena_at(arena, store->counts);
        counts[bucket - store->first]++;
    }
    sketch->n++;
    sketch->check = check_of(sketch);
    return SKETCH_ADDED;
}

static bool
reserve_all(struct sketch_store *into, struct arena *arena, const struct sketch_store *from)
{
    return from->capacity == 0 ||
           reserve(into, arena, from->first, from->first + from->capacity - 1u);
}

/* into has the room. */
static void
add_counts(const struct sketch_store *into, const struct arena *arena,
           const struct sketch_store *from, const struct arena *from_arena)
{
    const uint32_t *more;
    uint32_t *counts;

    if (from->capacity == 0)
        return;
    more = arena_at(from_arena, from->counts);
    counts = arena_at(arena, into->counts);
    counts += from->first - into->first;
    for (unsigned i = 0; i < from->capacity; i++)
        counts[i] += more[i];
}

enum sketch_verdict
sketch_merge(struct sketch *into, struct arena *arena, const struct sketch *from,
             const struct arena *from_arena)
{
    if (from->n > UINT32_MAX - into->n)
        return SKETCH_OVERFLOW;
    if (!reserve_all(&into->positive, arena, &from->positive) ||
        !reserve_all(&into->negative, arena, &from->negative))
        return SKETCH_NO_MEMORY;
    add_counts(&into->positive, arena, &from->positive, from_arena);
    add_counts(&into->negative, arena, &from->negative, from_arena);
    into->n_zeros += from->n_zeros;
    into->n += from->n;
    into->check = check_of(into);
    return SKETCH_ADDED;
}

double
sketch_nth(const struct sketch *sketch, const struct arena *arena, uint32_t k)
{
    const struct sketch_store *store = &sketch->negative;
    const uint32_t *counts = arena_at(arena, store->counts);
    unsigned i;

    assert(k < sketch->n);
    for (i = store->capacity; i-- > 0; k -= counts[i]) {
        if (k < counts[i])
            return -middle_of(store->first + i);
    }
    if (k < sketch->n_zeros)
        return 0;
    k -= sketch->n_zeros;
    store = &sketch->positive;
    counts = arena_at(arena, store->counts);
    for (i = 0; k >= counts[i]; i++) {
        k -= counts[i];
        assert(i + 1 < store->capacity);
    }
    return middle_of(store->first + i);
}

/* Adds to *sum what the store counts. */
static bool
survey_store(const struct sketch_store *store, struct survey *survey, uint64_t *sum)
{
    const uint32_t *counts;

    if (store->capacity == 0)
        return true;
    if ((unsigned)store->first + store->capacity > N_BUCKETS ||
        !survey_mark(survey, store->counts, bytes_of(store->capacity)))
        return false;
    counts = arena_at(survey->arena, store->counts);
    for (unsigned i = 0; i < store->capacity; i++)
        *sum += counts[i];
    return true;
}

bool
sketch_survey(const struct sketch *sketch, struct survey *survey)
{
    uint64_t sum = sketch->n_zeros;

    return sketch->check == check_of(sketch) && survey_store(&sketch->positive, survey, &sum) &&
           survey_store(&sketch->negative, survey, &sum) && sum == sketch->n;
}

static void
release(struct sketch_store *store, struct arena *arena)
{
    if (store->capacity > 0)
        arena_give(arena, store->counts, bytes_of(store->capacity));
}

void
sketch_reset(struct sketch *sketch, struct arena *arena)
{
    release(&sketch->positive, arena);
    release(&sketch->negative, arena);
    memset(sketch, 0, sizeof(*sketch));
}

void
sketch_pile_up(const struct sketch *sketch, const struct arena *arena, struct arena_pile *pile)
{
    const struct sketch_store *stores[] = {&sketch->positive, &sketch->negative};

    for (size_t i = 0; i < 2; i++) {
        if (stores[i]->capacity > 0)
            arena_pile_up(arena, pile, stores[i]->counts, bytes_of(stores[i]->capacity));
    }
}
