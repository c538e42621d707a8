/*
 * shortest: owns the choice of the digits for a double, as Steele and White ("How to print
 * floating-point numbers accurately") ask for them. Must not know how they are laid out as text.
 */
#include "base/shortest.h"

#include <float.h>
#include <stdbool.h>
#include <string.h>

#include "base/bignum.h"

#define MANTISSA_BITS 52 /* stored; one more is implied in a normal double */
#define HIDDEN_BIT    (UINT64_C(1) << MANTISSA_BITS)
#define MAX_EXACT     (UINT64_C(1) << 53) /* up to here every whole number is a double */
#define EXPONENT_BIAS 1075                /* of the mantissa as a whole number */
#define POW10_EXACT   22                  /* the highest power of ten that is a double */

/* Where double arithmetic keeps more bits than a double has (x87), it rounds twice, and the short
 * cut is closed. */
static const bool is_arithmetic_exact = FLT_EVAL_METHOD == 0;

static const double pow10_exact[POW10_EXACT + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* Up to 2^50 a multiplication and the division back are off by a quarter at most: rounding finds
 * the one candidate there is for each number of places. So the first that reads back is the
 * shortest. Returns false where none is found. */
static bool
find_fast(double value, uint64_t *out_digits, int *out_exponent)
{
    if (!is_arithmetic_exact)
        return false;
    if (value <= (double)MAX_EXACT && (double)(int64_t)value == value) {
        *out_digits = (uint64_t)value;
        *out_exponent = 0;
        return true;
    }
    for (int places = 1; places <= POW10_EXACT; places++) {
        double scaled = value * pow10_exact[places];
        if (scaled >= 0x1p50)
            return false;
        int64_t digits = (int64_t)(scaled + 0.5);
        if ((double)digits / pow10_exact[places] == value) {
            *out_digits = (uint64_t)digits;
            *out_exponent = -places;
            return true;
        }
    }
    return false;
}

/* The numbers that read back as one double, on a scale on which they have 18 or 19 digits. */
struct interval {
    uint64_t first, last; /* the outermost whole numbers in it */
    uint64_t middle;      /* the double itself, rounded down */
    bool is_whole;        /* nothing was lost by that */
    int scale;            /* the power of ten they all were multiplied by */
};

/* unit * factor / den, rounded down. */
static uint64_t
scaled_quotient(const struct bignum *unit, const struct bignum *den, uint64_t factor,
                bool *out_is_whole)
{
    struct bignum num;

    bignum_mul_u64(unit, factor, &num);
    uint64_t quotient = bignum_divide(&num, den);
    *out_is_whole = num.n == 0;
    return quotient;
}

static void
find_interval(double value, struct interval *out)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t mantissa = bits & (HIDDEN_BIT - 1);
    int exponent = (int)(bits >> MANTISSA_BITS);
    /* Below a power of two the doubles lie twice as close. */
    uint64_t below = mantissa == 0 && exponent > 1 ? 1 : 2;
    if (exponent > 0)
        mantissa |= HIDDEN_BIT;
    else
        exponent = 1;
    exponent -= EXPONENT_BIAS;

    /* 78913 / 2^18 is log10(2), near enough for any double; gcc shifts the sign along. With
     * 10^f <= 2^log2 < 10^(f + 1), the double becomes at least 10^17 and less than 2 * 10^18. */
    int log2 = exponent + 63 - __builtin_clzll(mantissa);
    int scale = 17 - ((log2 * 78913) >> 18);

    /* unit / den is a quarter of the distance to the next double. */
    struct bignum unit, den;
    int shift = exponent - 2 + scale;
    bignum_set(&unit, 1);
    bignum_set(&den, 1);
    bignum_mul_pow5(scale < 0 ? &den : &unit, (uint32_t)(scale < 0 ? -scale : scale));
    bignum_shift_left(shift < 0 ? &den : &unit, (uint32_t)(shift < 0 ? -shift : shift));
    bignum_align(&unit, &den);

    /* A number halfway between two doubles reads as the even one. */
    bool is_even = (mantissa & 1) == 0, is_whole;
    out->first = scaled_quotient(&unit, &den, mantissa * 4 - below, &is_whole);
    out->first += !(is_whole && is_even);
    out->last = scaled_quotient(&unit, &den, mantissa * 4 + 2, &is_whole);
    out->last -= is_whole && !is_even;
    out->middle = scaled_quotient(&unit, &den, mantissa * 4, &out->is_whole);
    out->scale = scale;
}

/* The multiple of the highest power of ten that the interval holds; of several, the one nearest
 * to the double, the even one where two are. */
static void
find_exact(double value, uint64_t *out_digits, int *out_exponent)
{
    struct interval interval;
    uint64_t step = 1;
    int n_zeros = 0;

    find_interval(value, &interval);
    while (interval.last / (step * 10) * (step * 10) >= interval.first) {
        step *= 10;
        n_zeros++;
    }
    /* The interval is wider than 10 (2^-53 of at least 10^17), so that step is even here and what
     * is_whole stands for can only decide where the rest is exactly half of it. */
    uint64_t digits = interval.middle / step;
    uint64_t twice_rest = (interval.middle - digits * step) * 2;
    digits +=
        twice_rest > step || (twice_rest == step && (!interval.is_whole || (digits & 1) != 0));
    if (digits * step < interval.first)
        digits++;
    else if (digits * step > interval.last)
        digits--;
    *out_digits = digits;
    *out_exponent = n_zeros - interval.scale;
}

void
shortest_digits(double value, uint64_t *out_digits, int *out_exponent)
{
    if (!find_fast(value, out_digits, out_exponent))
        find_exact(value, out_digits, out_exponent);
}
