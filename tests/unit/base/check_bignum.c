/*
 * check_bignum: the arithmetic held against itself, above all the division with the limbs that
 * make its guesses go wrong. What num makes of it is check_num's.
 */
#include "base/bignum.h"

#include <check.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Limbs at the edges, where carries run and quotient digits are guessed too high. */
static const uint32_t edges[] = {0, 1, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff};

static bool
is_equal(const struct bignum *a, const struct bignum *b)
{
    for (uint32_t i = 0; a->n == b->n && i < a->n; i++) {
        if (a->limb[i] != b->limb[i]) {
            return false;
        }
    }
    return a->n == b->n;
}

/* The most that can remain of a division by den, whose highest bit is set. */
static void
set_less_one(const struct bignum *den, struct bignum *out)
{
    uint32_t i = 0;

    *out = *den;
    while (out->limb[i]-- == 0) {
        i++;
    }
}

/* a += b, where b has no more limbs. */
static void
add(struct bignum *a, const struct bignum *b)
{
    uint64_t carry = 0;

    for (uint32_t i = 0; i < a->n; i++) {
        carry += (uint64_t)a->limb[i] + (i < b->n ? b->limb[i] : 0);
        a->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry != 0) {
        a->limb[a->n++] = (uint32_t)carry;
    }
}

/* The digits of choice in base 7 are the edges that become limbs, below the highest one. */
static void
set_edges(struct bignum *out, uint32_t n, unsigned choice, uint32_t highest)
{
    for (uint32_t i = 0; i + 1 < n; i++) {
        out->limb[i] = edges[choice % COUNT(edges)];
        choice /= COUNT(edges);
    }
    out->limb[n - 1] = highest;
    out->n = n;
}

/* num = den * quotient + rest must divide into just these. */
static bool
divides_back(const struct bignum *den, uint64_t quotient, const struct bignum *rest)
{
    struct bignum num;

    bignum_mul_u64(den, quotient, &num);
    if (num.n < rest->n) {
        num = *rest;
    } else {
        add(&num, rest);
    }
    return bignum_divide(&num, den) == quotient && is_equal(&num, rest);
}

START_TEST(test_divide)
{
    struct bignum den, rest;
    uint32_t n = (uint32_t)_i + 1;

    for (unsigned i = 0; i < 4 * 343; i++) {
        set_edges(&den, n, i / 4, edges[3 + i % 4]);
        for (unsigned j = 0; j < 49; j++) {
            uint64_t quotient = (uint64_t)edges[j % 7] << 32 | edges[j / 7];
            bignum_set(&rest, 0);
            bool is_right = divides_back(&den, quotient, &rest);
            set_less_one(&den, &rest);
            is_right = is_right && divides_back(&den, quotient, &rest);
            if (!is_right) {
                ck_abort_msg("divisor %u, quotient %" PRIx64, i, quotient);
            }
        }
    }
}
END_TEST

/* 5^n * 2^n by two ways, and its length in bits. */
START_TEST(test_powers)
{
    struct bignum by_tens, by_shift;

    bignum_set(&by_tens, 1);
    for (uint32_t n = 0; n <= 900; n++) {
        bignum_set(&by_shift, 1);
        bignum_mul_pow5(&by_shift, n);
        uint32_t n_bits = bignum_bits(&by_shift);
        bignum_shift_left(&by_shift, n);
        ck_assert(is_equal(&by_tens, &by_shift));
        ck_assert_uint_eq(bignum_bits(&by_shift), n_bits + n);
        bignum_mul_add(&by_tens, 10, 0);
    }
}
END_TEST

START_TEST(test_small)
{
    struct bignum a, b;

    bignum_set(&a, 0);
    ck_assert_uint_eq(a.n, 0);
    ck_assert_uint_eq(bignum_bits(&a), 0);
    bignum_shift_left(&a, 100);
    ck_assert_uint_eq(a.n, 0);
    bignum_mul_u64(&a, UINT64_MAX, &b);
    ck_assert_uint_eq(b.n, 0);
    bignum_mul_add(&a, 10, 7);
    bignum_set(&b, 7);
    ck_assert(is_equal(&a, &b));
    ck_assert_uint_eq(bignum_bits(&a), 3);
    bignum_shift_left(&a, 61);
    bignum_set(&b, UINT64_C(7) << 61);
    ck_assert(is_equal(&a, &b));
    bignum_set(&b, 7);
    bignum_set(&a, 22);
    bignum_align(&a, &b);
    ck_assert_uint_eq(b.limb[0], UINT32_C(7) << 29);
    ck_assert(bignum_divide(&a, &b) == 3);
    ck_assert_uint_eq(a.limb[0], UINT32_C(1) << 29);
}
END_TEST

static Suite *
bignum_suite(void)
{
    Suite *suite = suite_create("bignum");
    TCase *core = tcase_create("core");

    tcase_set_timeout(core, 60);
    tcase_add_loop_test(core, test_divide, 0, 4);
    tcase_add_test(core, test_powers);
    tcase_add_test(core, test_small);
    suite_add_tcase(suite, core);
    return suite;
}

int
main(void)
{
    SRunner *runner = srunner_create(bignum_suite());

    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
