/*
 * number: owns the text of numbers. What is usual takes a short cut of whole-number arithmetic, the
 * rest asks the C library in ways that no locale can change. Must not know what the numbers count.
 */
#include "client/number.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DECIMALS     6       /* of "%f" */
#define MICRO        1000000 /* 10^DECIMALS */
#define DIGITS_MAX   17      /* tell any double from its neighbours */
#define U64_TEXT_MAX 20
#define POW10_EXACT  22 /* the highest power of ten that is a double */
#define POINT_MIN    (-3)
#define POINT_MAX    16

/* Where double arithmetic keeps more bits than a double has (x87), it rounds twice, and the short
 * cut to the shortest digits is closed. */
static const bool is_arithmetic_exact = FLT_EVAL_METHOD == 0;

static const double pow10_exact[POW10_EXACT + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static size_t
write_u64(uint64_t value, char *out)
{
    char text[U64_TEXT_MAX];
    size_t start = sizeof text;

    do {
        text[--start] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    memcpy(out, text + start, sizeof text - start);
    return sizeof text - start;
}

size_t
number_whole(long value, char out[NUMBER_TEXT_MAX])
{
    size_t n_sign = value < 0;

    out[0] = '-';
    return n_sign + write_u64(value < 0 ? -(uint64_t)value : (uint64_t)value, out + n_sign);
}

/* The C library's, whatever it has for a point. */
static size_t
fixed_by_library(double magnitude, char *out)
{
    char text[NUMBER_TEXT_MAX + 16]; /* a point may have several bytes */
    size_t len = (size_t)snprintf(text, sizeof text, "%.*f", DECIMALS, magnitude);
    size_t n_whole = strspn(text, "0123456789");

    memcpy(out, text, n_whole);
    out[n_whole] = '.';
    memcpy(out + n_whole + 1, text + len - DECIMALS, DECIMALS);
    return n_whole + 1 + DECIMALS;
}

/* What is behind the point, to six places, ties to even; 10^6 where it rounds up to 1. A fraction
 * of 2^-12 and more, or of a number that large, has no bits below 2^-64, so nothing is lost. */
static uint32_t
round_fraction(double fraction)
{
    uint64_t bits = (uint64_t)(fraction * 0x1p64);
    uint64_t low = (bits & UINT32_MAX) * MICRO;
    uint64_t high = (bits >> 32) * MICRO + (low >> 32);
    uint64_t rest = high << 32 | (low & UINT32_MAX);
    uint64_t half = UINT64_C(1) << 63;
    uint32_t micros = (uint32_t)(high >> 32);

    return micros + (rest > half || (rest == half && (micros & 1) != 0));
}

static size_t
fixed(double magnitude, char *out)
{
    if (magnitude >= 0x1p63 || (magnitude < 0x1p-12 && magnitude > 0))
        return fixed_by_library(magnitude, out);

    uint64_t whole = (uint64_t)magnitude;
    uint32_t micros = round_fraction(magnitude - (double)whole);
    if (micros == MICRO) {
        whole++;
        micros = 0;
    }
    size_t len = write_u64(whole, out);
    out[len] = '.';
    for (int i = DECIMALS; i > 0; i--) {
        out[len + (size_t)i] = (char)('0' + micros % 10);
        micros /= 10;
    }
    return len + 1 + DECIMALS;
}

size_t
number_fixed(double value, char out[NUMBER_TEXT_MAX])
{
    size_t n_sign = signbit(value) != 0;

    out[0] = '-';
    return n_sign + fixed(fabs(value), out + n_sign);
}

/* digits, read as a whole number, * 10^exponent. */
struct decimal {
    char digits[U64_TEXT_MAX];
    size_t n_digits;
    int exponent;
};

/* Up to 2^50 a multiplication and the division back are off by a quarter at most: rounding finds
 * the one candidate there is for each number of places. So the first that reads back is the
 * shortest. */
static bool
find_fast(double magnitude, struct decimal *out)
{
    for (int places = 0; is_arithmetic_exact && places <= POW10_EXACT; places++) {
        double scaled = magnitude * pow10_exact[places];
        if (scaled >= 0x1p50)
            break;
        uint64_t whole = (uint64_t)(scaled + 0.5);
        if ((double)whole / pow10_exact[places] == magnitude) {
            out->n_digits = write_u64(whole, out->digits);
            out->exponent = -places;
            return true;
        }
    }
    return false;
}

/* Tries one number of digits after the other. No point is ever read: what is read is a whole number
 * with an exponent, which all locales write alike. */
static void
find_by_library(double magnitude, struct decimal *out)
{
    for (int n = 1; n <= DIGITS_MAX; n++) {
        char text[64], again[64];
        snprintf(text, sizeof text, "%.*e", n - 1, magnitude);
        const char *mark = strchr(text, 'e');
        out->digits[0] = text[0];
        memcpy(out->digits + 1, mark - (n - 1), (size_t)(n - 1));
        out->n_digits = (size_t)n;
        out->exponent = (int)strtol(mark + 1, NULL, 10) - (n - 1);
        snprintf(again, sizeof again, "%.*se%d", n, out->digits, out->exponent);
        if (strtod(again, NULL) == magnitude)
            return;
    }
}

/* d.ddde-05 */
static size_t
write_scientific(const struct decimal *decimal, int power, char *out)
{
    size_t len = 0;

    out[len++] = decimal->digits[0];
    if (decimal->n_digits > 1) {
        out[len++] = '.';
        memcpy(out + len, decimal->digits + 1, decimal->n_digits - 1);
        len += decimal->n_digits - 1;
    }
    out[len++] = 'e';
    out[len++] = power < 0 ? '-' : '+';
    power = power < 0 ? -power : power;
    if (power < 10)
        out[len++] = '0';
    return len + write_u64((uint64_t)power, out + len);
}

/* With the point behind the first `point` digits, or so many zeros before them. */
static size_t
write_plain(const struct decimal *decimal, int point, char *out)
{
    size_t n = decimal->n_digits, len = 0;

    if (point <= 0) {
        memcpy(out, "0.", 2);
        memset(out + 2, '0', (size_t)-point);
        len = 2 + (size_t)-point;
        memcpy(out + len, decimal->digits, n);
        return len + n;
    }
    if ((size_t)point >= n) {
        memcpy(out, decimal->digits, n);
        memset(out + n, '0', (size_t)point - n);
        return (size_t)point;
    }
    memcpy(out, decimal->digits, (size_t)point);
    out[point] = '.';
    memcpy(out + point + 1, decimal->digits + point, n - (size_t)point);
    return n + 1;
}

size_t
number_shortest(double value, char out[NUMBER_TEXT_MAX])
{
    size_t n_sign = signbit(value) != 0;
    double magnitude = fabs(value);
    struct decimal decimal;

    out[0] = '-';
    if (!find_fast(magnitude, &decimal))
        find_by_library(magnitude, &decimal);
    int point = (int)decimal.n_digits + decimal.exponent;
    if (magnitude == 0)
        point = 1;
    if (point < POINT_MIN || point > POINT_MAX)
        return n_sign + write_scientific(&decimal, point - 1, out + n_sign);
    return n_sign + write_plain(&decimal, point, out + n_sign);
}
