/*
 * bignum: owns arithmetic on whole numbers of a fixed maximum size. Must not know what the numbers
 * mean: decimal points, doubles and rounding are num's.
 */
#include "base/bignum.h"

#include <assert.h>

#define LIMB_BITS 32

/* 5^13 is the highest power of five in a limb. */
#define POW5_STEP 13
static const uint32_t pow5[POW5_STEP + 1] = {1,       5,        25,        125,       625,
                                             3125,    15625,    78125,     390625,    1953125,
                                             9765625, 48828125, 244140625, 1220703125};

static void
trim(struct bignum *big)
{
    while (big->n > 0 && big->limb[big->n - 1] == 0)
        big->n--;
}

void
bignum_set(struct bignum *big, uint64_t value)
{
    big->limb[0] = (uint32_t)value;
    big->limb[1] = (uint32_t)(value >> LIMB_BITS);
    big->n = 2;
    trim(big);
}

void
bignum_mul_add(struct bignum *big, uint32_t factor, uint32_t addend)
{
    uint64_t carry = addend;

    for (uint32_t i = 0; i < big->n; i++) {
        carry += (uint64_t)big->limb[i] * factor;
        big->limb[i] = (uint32_t)carry;
        carry >>= LIMB_BITS;
    }
    if (carry != 0) {
        assert(big->n < BIGNUM_LIMBS);
        big->limb[big->n++] = (uint32_t)carry;
    }
}

void
bignum_mul_pow5(struct bignum *big, uint32_t power)
{
    for (; power > POW5_STEP; power -= POW5_STEP)
        bignum_mul_add(big, pow5[POW5_STEP], 0);
    bignum_mul_add(big, pow5[power], 0);
}

void
bignum_mul_u64(const struct bignum *big, uint64_t factor, struct bignum *out)
{
    uint64_t low = (uint32_t)factor, high = factor >> LIMB_BITS;
    uint64_t carry = 0;
    uint32_t n = big->n;

    assert(n + 2 <= BIGNUM_LIMBS);
    for (uint32_t i = 0; i < n; i++) {
        carry += big->limb[i] * low;
        out->limb[i] = (uint32_t)carry;
        carry >>= LIMB_BITS;
    }
    out->limb[n] = (uint32_t)carry;
    carry = 0;
    for (uint32_t i = 0; i < n; i++) {
        carry += big->limb[i] * high + out->limb[i + 1];
        out->limb[i + 1] = (uint32_t)carry;
        carry >>= LIMB_BITS;
    }
    out->limb[n + 1] = (uint32_t)carry;
    out->n = n + 2;
    trim(out);
}

void
bignum_shift_left(struct bignum *big, uint32_t n_bits)
{
    uint32_t n_limbs = n_bits / LIMB_BITS, rest = n_bits % LIMB_BITS;

    if (big->n == 0 || n_bits == 0)
        return;
    assert(big->n + n_limbs < BIGNUM_LIMBS);
    big->limb[big->n + n_limbs] = 0;
    for (uint32_t i = big->n; i-- > 0;) {
        uint64_t wide = (uint64_t)big->limb[i] << rest;
        big->limb[i + n_limbs + 1] |= (uint32_t)(wide >> LIMB_BITS);
        big->limb[i + n_limbs] = (uint32_t)wide;
    }
    for (uint32_t i = 0; i < n_limbs; i++)
        big->limb[i] = 0;
    big->n += n_limbs + 1;
    trim(big);
}

uint32_t
bignum_bits(const struct bignum *big)
{
    if (big->n == 0)
        return 0;
    return big->n * LIMB_BITS - (uint32_t)__builtin_clz(big->limb[big->n - 1]);
}

void
bignum_align(struct bignum *num, struct bignum *den)
{
    uint32_t n_bits = (uint32_t)__builtin_clz(den->limb[den->n - 1]);

    bignum_shift_left(num, n_bits);
    bignum_shift_left(den, n_bits);
}

/* num -= den * factor, over den->n + 1 limbs. Returns whether that went below zero. */
static int
subtract_product(uint32_t *num, const struct bignum *den, uint64_t factor)
{
    uint32_t n = den->n;
    uint64_t carry = 0;

    for (uint32_t i = 0; i < n; i++) {
        carry += den->limb[i] * factor;
        uint32_t part = (uint32_t)carry;
        carry = (carry >> LIMB_BITS) + (num[i] < part);
        num[i] -= part;
    }
    int below = num[n] < carry;
    num[n] -= (uint32_t)carry;
    return below;
}

/* num += den, over den->n + 1 limbs. Returns whether that came back to zero or above. */
static int
add_back(uint32_t *num, const struct bignum *den)
{
    uint32_t n = den->n;
    uint64_t carry = 0;

    for (uint32_t i = 0; i < n; i++) {
        carry += (uint64_t)num[i] + den->limb[i];
        num[i] = (uint32_t)carry;
        carry >>= LIMB_BITS;
    }
    carry += num[n];
    num[n] = (uint32_t)carry;
    return carry >> LIMB_BITS != 0;
}

/* One digit in base 2^32 of a long division (Knuth, The Art of Computer Programming, 4.3.1,
 * algorithm D): a guess from the leading limbs, which is at most two too high. */
static uint32_t
divide_step(uint32_t *num, const struct bignum *den)
{
    uint32_t n = den->n;
    uint64_t leading = (uint64_t)num[n] << LIMB_BITS | num[n - 1];
    uint64_t digit = leading / den->limb[n - 1];

    if (digit > UINT32_MAX)
        digit = UINT32_MAX;
    for (int below = subtract_product(num, den, digit); below; digit--)
        below = !add_back(num, den);
    return (uint32_t)digit;
}

uint64_t
bignum_divide(struct bignum *num, const struct bignum *den)
{
    assert(den->n > 0 && den->limb[den->n - 1] >> (LIMB_BITS - 1) != 0);
    assert(num->n <= den->n + 2 && den->n + 2 <= BIGNUM_LIMBS);
    while (num->n < den->n + 2)
        num->limb[num->n++] = 0;
    uint64_t quotient = (uint64_t)divide_step(num->limb + 1, den) << LIMB_BITS;
    quotient |= divide_step(num->limb, den);
    trim(num);
    assert(num->n <= den->n);
    return quotient;
}
