/*
 * bignum: whole numbers of up to BIGNUM_LIMBS * 32 bits on the caller's stack, with just the
 * operations that num needs to round exactly. A result that does not fit is a programmer's error.
 */
#ifndef BASE_BIGNUM_H
#define BASE_BIGNUM_H

#include <stdint.h>

/* 769 decimal digits or 5^1093, either one scaled to a quotient of 64 bits, and some. */
#define BIGNUM_LIMBS 96

struct bignum {
    uint32_t n;                  /* limbs in use, the last is not 0; 0 for zero */
    uint32_t limb[BIGNUM_LIMBS]; /* least significant first; beyond n undefined */
};

/* Sets to value, whatever was there. */
void bignum_set(struct bignum *big, uint64_t value);

/* big = big * factor + addend; factor must not be 0. */
void bignum_mul_add(struct bignum *big, uint32_t factor, uint32_t addend);

/* big = big * 5^power. */
void bignum_mul_pow5(struct bignum *big, uint32_t power);

/* *out = big * factor, out being another one than big. */
void bignum_mul_u64(const struct bignum *big, uint64_t factor, struct bignum *out);

/* big = big * 2^n_bits. */
void bignum_shift_left(struct bignum *big, uint32_t n_bits);

/* Bits from the highest that is set on; 0 for zero. */
uint32_t bignum_bits(const struct bignum *big);

/* Shifts both by the same number of bits so that den (not 0) is as bignum_divide wants it. */
void bignum_align(struct bignum *num, struct bignum *den);

/* Returns num / den, rounded down, and leaves the remainder in num. num must be less than
 * den * 2^64, and the highest bit of den's last limb set. */
uint64_t bignum_divide(struct bignum *num, const struct bignum *den);

#endif
