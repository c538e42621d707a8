/*
 * num: owns decimal text, what is accepted and what is written. Ordinary numbers are read by a
 * short cut through the processor's own arithmetic, the others through bignum; both give the same
 * answers. Must not know locales, the C library's conversions or what the numbers count.
 */
#include "base/num.h"

#include <assert.h>
#include <float.h>
#include <stdbool.h>
#include <string.h>

#include "base/bignum.h"
#include "base/shortest.h"

#define MANTISSA_BITS 52                  /* stored; one more is implied in a normal double */
#define MAX_EXACT     (UINT64_C(1) << 53) /* up to here every whole number is a double */
#define EXPONENT_BIAS 1075                /* of the mantissa as a whole number */
#define EXPONENT_INF  2047
#define POW10_EXACT   22  /* the highest power of ten that is a double */
#define HEAD_DIGITS   19  /* as many always fit in 64 bits */
#define DIGITS_MAX    768 /* no midpoint between doubles has more; beyond, zero or not is enough */

/* Exponents are read up to here: more than any text's length could make up for. */
#define EXPONENT_CAP INT64_C(100000000000000000)

/* Where double arithmetic keeps more bits than a double has (x87), it rounds twice, and the short
 * cuts are closed. */
static const bool is_arithmetic_exact = FLT_EVAL_METHOD == 0;

static const double pow10_exact[POW10_EXACT + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* A number as it was written, without its sign. */
struct decimal {
    const char *digits; /* the first one that is not 0, where n_digits is not 0 */
    size_t n_digits;    /* from there on, the point not counted */
    uint64_t head;      /* the first HEAD_DIGITS of them */
    int64_t exponent;   /* head * 10^exponent is the number, but for digits beyond the head */
};

/* Returns the end of digits[.digits], or NULL where there is no digit. */
static const char *
scan_mantissa(const char *text, const char *end, struct decimal *out)
{
    const char *at = text, *point = NULL, *digits = NULL;
    size_t n_digits = 0;
    uint64_t head = 0;

    for (; at < end; at++) {
        unsigned digit = (unsigned char)*at - (unsigned)'0';
        if (digit <= 9) {
            if (n_digits == 0) {
                if (digit == 0)
                    continue;
                digits = at;
            }
            if (n_digits++ < HEAD_DIGITS)
                head = head * 10 + digit;
        } else if (*at == '.' && point == NULL) {
            point = at;
        } else {
            break;
        }
    }
    if (at - text == (point != NULL))
        return NULL;
    out->digits = digits;
    out->n_digits = n_digits;
    out->head = head;
    out->exponent = n_digits > HEAD_DIGITS ? (int64_t)(n_digits - HEAD_DIGITS) : 0;
    out->exponent -= point != NULL ? at - point - 1 : 0;
    return at;
}

/* Reads all of (e|E)[+-]digits, and adds it to *exponent. Returns 0, or -1 where it is no such. */
static int
scan_exponent(const char *at, const char *end, int64_t *exponent)
{
    int64_t value = 0;
    bool negative = false;

    if (*at != 'e' && *at != 'E')
        return -1;
    at++;
    if (at < end && (*at == '+' || *at == '-'))
        negative = *at++ == '-';
    if (at == end)
        return -1;
    for (; at < end; at++) {
        unsigned digit = (unsigned char)*at - (unsigned)'0';
        if (digit > 9)
            return -1;
        if (value < EXPONENT_CAP)
            value = value * 10 + digit;
    }
    *exponent += negative ? -value : value;
    return 0;
}

/* Two doubles that are exact need one rounding (Clinger, "How to read floating point numbers
 * accurately"). Returns false where they are not. */
static bool
convert_fast(const struct decimal *decimal, double *out)
{
    if (!is_arithmetic_exact || decimal->n_digits > HEAD_DIGITS || decimal->head > MAX_EXACT ||
        decimal->exponent < -POW10_EXACT || decimal->exponent > POW10_EXACT)
        return false;
    if (decimal->exponent < 0)
        *out = (double)decimal->head / pow10_exact[-decimal->exponent];
    else
        *out = (double)decimal->head * pow10_exact[decimal->exponent];
    return true;
}

/* All digits as a whole number. Of those beyond DIGITS_MAX a final 1 tells that one is not 0.
 * Returns how many digits the number has. */
static int
load_digits(const struct decimal *decimal, struct bignum *out)
{
    const char *at = decimal->digits;
    size_t n_kept = decimal->n_digits < DIGITS_MAX ? decimal->n_digits : DIGITS_MAX;
    size_t n_read = 0;

    bignum_set(out, 0);
    while (n_read < n_kept) {
        uint32_t chunk = 0, factor = 1;
        for (; n_read < n_kept && factor < 1000000000; at++) {
            if (*at != '.') {
                chunk = chunk * 10 + (uint32_t)(*at - '0');
                factor *= 10;
                n_read++;
            }
        }
        bignum_mul_add(out, factor, chunk);
    }
    for (; n_read < decimal->n_digits; at++) {
        if (*at == '.')
            continue;
        if (*at != '0') {
            bignum_mul_add(out, 10, 1);
            return DIGITS_MAX + 1;
        }
        n_read++;
    }
    return (int)n_kept;
}

/* Rounds quotient * 2^exponent; the lowest bit of quotient stands for all that are below it, and
 * quotient has at least 62 bits. Returns 0, or -1 where it is too large. */
static int
round_to_double(uint64_t quotient, int exponent, double *out)
{
    int n_leading = __builtin_clzll(quotient);
    quotient <<= n_leading;
    exponent += 63 - n_leading;

    /* A number below the normal ones loses more bits. */
    int biased = exponent + EXPONENT_BIAS - MANTISSA_BITS;
    int n_dropped = 63 - MANTISSA_BITS;
    if (biased < 1) {
        n_dropped += 1 - biased;
        biased = 1;
    }
    if (n_dropped > 64) {
        *out = 0;
        return 0;
    }
    uint64_t mantissa = n_dropped == 64 ? 0 : quotient >> n_dropped;
    uint64_t rest = quotient << (64 - n_dropped);
    uint64_t half = UINT64_C(1) << 63;
    mantissa += rest > half || (rest == half && (mantissa & 1) != 0);

    /* The hidden bit, or the carry out of the mantissa, is what counts the exponent up. */
    uint64_t bits = ((uint64_t)(biased - 1) << MANTISSA_BITS) + mantissa;
    if (bits >> MANTISSA_BITS >= EXPONENT_INF)
        return -1;
    memcpy(out, &bits, sizeof *out);
    return 0;
}

/* The digits over a power of ten as a quotient of 63 or 64 bits, exact but for the last. */
static int
convert_exact(const struct decimal *decimal, double *out)
{
    size_t n_head = decimal->n_digits < HEAD_DIGITS ? decimal->n_digits : HEAD_DIGITS;
    int64_t point = decimal->exponent + (int64_t)n_head;
    struct bignum num, den;

    /* Of what passes, 10^(point - 1) <= number < 10^point, and all sizes are small. */
    if (decimal->n_digits == 0 || point < -323) {
        *out = 0;
        return 0;
    }
    if (point > 309)
        return -1;
    int exponent = (int)point - load_digits(decimal, &num);
    bignum_set(&den, 1);
    bignum_mul_pow5(exponent < 0 ? &den : &num, (uint32_t)(exponent < 0 ? -exponent : exponent));
    int shift = 63 + (int)bignum_bits(&den) - (int)bignum_bits(&num);
    bignum_shift_left(shift < 0 ? &den : &num, (uint32_t)(shift < 0 ? -shift : shift));
    bignum_align(&num, &den);
    uint64_t quotient = bignum_divide(&num, &den);
    return round_to_double(quotient | (num.n > 0), exponent - shift, out);
}

int
num_parse(const char *text, size_t len, double *out)
{
    const char *at = text, *end = text + len;
    struct decimal decimal;
    bool negative = false;
    double value;

    if (at < end && (*at == '+' || *at == '-'))
        negative = *at++ == '-';
    at = scan_mantissa(at, end, &decimal);
    if (at == NULL || (at < end && scan_exponent(at, end, &decimal.exponent) != 0))
        return -1;
    if (!convert_fast(&decimal, &value) && convert_exact(&decimal, &value) != 0)
        return -1;
    *out = negative ? -value : value;
    return 0;
}

int
num_parse_u64(const char *text, size_t len, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    if (len == 0)
        return -1;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned char)text[i] - (unsigned)'0';
        if (digit > 9 || value > max / 10 || digit > max - value * 10)
            return -1;
        value = value * 10 + digit;
    }
    *out = value;
    return 0;
}

/* digits * 10^exponent in full. */
static size_t
write_decimal(uint64_t digits, int exponent, char *out)
{
    char text[20];
    size_t start = sizeof text;
    char *at = out;

    do {
        text[--start] = (char)('0' + digits % 10);
        digits /= 10;
    } while (digits > 0);
    const char *first = text + start;
    size_t n_digits = sizeof text - start;

    if (exponent >= 0) {
        memcpy(at, first, n_digits);
        memset(at + n_digits, '0', (size_t)exponent);
        return n_digits + (size_t)exponent;
    }
    size_t n_places = (size_t)-exponent;
    if (n_digits > n_places) {
        size_t n_whole = n_digits - n_places;
        memcpy(at, first, n_whole);
        at[n_whole] = '.';
        memcpy(at + n_whole + 1, first + n_whole, n_places);
        return n_digits + 1;
    }
    size_t n_zeros = n_places - n_digits;
    memcpy(at, "0.", 2);
    memset(at + 2, '0', n_zeros);
    memcpy(at + 2 + n_zeros, first, n_digits);
    return 2 + n_places;
}

size_t
num_format(double value, char out[NUM_TEXT_MAX])
{
    size_t n_sign = 0;
    uint64_t digits;
    int exponent;

    assert(value >= -DBL_MAX && value <= DBL_MAX);
    if (value < 0) {
        out[n_sign++] = '-';
        value = -value;
    }
    shortest_digits(value, &digits, &exponent);
    return n_sign + write_decimal(digits, exponent, out + n_sign);
}
