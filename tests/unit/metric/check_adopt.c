/*
 * check_adopt: tables taken over in every kind of state; with any one bit of them turned over, they
 * say what they would have said, or are refused; with memory for any part of what comes, what was
 * applied is sent. And gauges from before.
 */
#include "estate.h"

#define SEED    UINT64_C(20240308)
#define N_FLIPS 1300 /* of each image */

/* How much of a script, and what next to it, an image is taken of. */
static const struct {
    uint32_t n_steps;
    size_t n_sent, n_cleared; /* of the flush at the end */
    unsigned n_open;          /* samples that are not committed */
} moments[] = {
    {700, SIZE_MAX, SIZE_MAX, 0},
    {700, 4, 0, 1},
    {700, SIZE_MAX, 9, 2},
    {1400, SIZE_MAX, SIZE_MAX, 3},
};

#define N_MOMENTS (sizeof(moments) / sizeof(moments[0]))

/* Little of much that is kept exactly, and much of little that is not. */
static const struct estate_plan plans[] = {
    {.n_tables = 2,
     .memory = 160 << 10,
     .max_metrics = UINT32_MAX,
     .timer_max_samples = 20,
     .set_exact_max = 20,
     .seed = 6,
     .n_names = 12,
     .close_every = 100,
     .rules = {.expire_ms = {1500, 0, 900, 4000},
               .idle_zero = {true, false, true, true},
               .omit_idle_gauges = true,
               .gauges_max_ttl = 3}},
    {.n_tables = 2,
     .memory = 320 << 10,
     .max_metrics = UINT32_MAX,
     .timer_max_samples = 4,
     .set_exact_max = 4,
     .seed = 6,
     .n_names = 8,
     .close_every = 350,
     .rules = {.expire_ms = {5000, 4000, 3000, 12000}}},
};

#define N_PLANS (sizeof(plans) / sizeof(plans[0]))

static struct estate_plan
plan_of(size_t i, size_t moment)
{
    struct estate_plan plan = plans[i];

    plan.n_steps = moments[moment].n_steps + 24;
    return plan;
}

/* A sample that is applied, and its process dies before it could say so. */
static void
apply_open(struct heir *heir, unsigned n)
{
    struct table *table = &heir->estate->tables[0];
    struct name name = {.text = "never", .len = 5};

    for (unsigned i = 0; i < n; i++) {
        struct sample sample = {.type = METRIC_TIMER, .value = i, .rate = 1};

        ck_assert_int_eq(table_apply(table, &sample, &name, table_hash(table, METRIC_TIMER, &name),
                                     ESTATE_EPOCH_MS),
                         TABLE_APPLIED);
    }
}

/* What a process leaves that dies at that moment; the caller closes the file. */
static int
make_image(const struct estate_plan *plan, size_t moment, struct estate_results *results)
{
    struct heir heir;
    int fd;

    heir_begin(&heir, plan, results);
    heir_run(&heir, moments[moment].n_steps - 1);
    heir_finish_flush(&heir);
    heir_close(&heir, moments[moment].n_steps - 1);
    for (size_t n = 0; n < moments[moment].n_sent; n++) {
        if (heir.estate->state.phase == ESTATE_SENDING)
            heir_send(&heir, 1);
        else
            break;
    }
    heir.walking = false;
    for (size_t n = 0; n < moments[moment].n_cleared; n++) {
        if (heir.estate->state.phase == ESTATE_CLEARING)
            heir_clear(&heir, 1);
        else
            break;
    }
    apply_open(&heir, moments[moment].n_open);
    fd = heir.fd;
    heir_end(&heir);
    return fd;
}

/* A stretch of the image that a bit is chosen from. */
struct stretch {
    size_t from, len;
};

static struct stretch
choose_stretch(const struct estate *estate, const struct estate_plan *plan, uint64_t *state)
{
    size_t head = arena_whole_pages(sizeof(*estate)), i = estate_draw(state) % plan->n_tables;
    const struct table *table = &estate->tables[i];
    const struct undo *undo = &estate->undos[i];
    size_t at = (size_t)((const uint8_t *)table - (const uint8_t *)estate);

    switch (estate_draw(state) % 8) {
    case 0:
        return (struct stretch){(size_t)((const uint8_t *)undo - (const uint8_t *)estate),
                                sizeof(undo->word) + (uint16_t)undo->word};
    case 1: /* all of it but what lists free blocks */
        return (struct stretch){at, offsetof(struct table, arena.free)};
    case 2:
        at += offsetof(struct table, n_metrics);
        return (struct stretch){at, offsetof(struct table, retired) -
                                        offsetof(struct table, n_metrics)};
    case 3:
        at += offsetof(struct table, number);
        return (struct stretch){at, offsetof(struct table, freed) - offsetof(struct table, number)};
    case 4: return (struct stretch){0, offsetof(struct estate, undo)};
    default:
        if (i == 0)
            return (struct stretch){head, table->arena.frontier - head};
        return (struct stretch){head + i * arena_whole_pages(plan->memory), table->arena.frontier};
    }
}

/* Goes on from image, one bit of it turned over where flip is not 0, in a mapping of its file.
 * Returns what heir_take_over does. */
static int
go_on(struct heir *heir, const uint8_t *image, size_t flip, struct estate_results *results)
{
    uint8_t *bytes = (uint8_t *)heir->estate;
    int error;

    memcpy(bytes, image, heir->size);
    bytes[flip / 8] ^= (uint8_t)(flip > 0 ? 1u << flip % 8 : 0);
    heir->results = results;
    heir->walking = false;
    error = heir_take_over(heir);
    if (error == 0)
        heir_run(heir, heir->plan->n_steps);
    flush_release(&heir->flush);
    return error;
}

/* What bits of an image may be tried on. */
struct trial {
    struct heir heir;
    struct estate_plan plan;
    uint8_t *image;
    struct estate_results *results, *expected;
    unsigned n_refused;
};

static void
trial_begin(struct trial *trial, const struct estate_plan *plan, size_t moment)
{
    int fd;

    memset(trial, 0, sizeof(*trial));
    trial->plan = *plan;
    trial->results = estate_results_new();
    trial->expected = estate_results_new();
    fd = make_image(&trial->plan, moment, trial->results);
    heir_map(&trial->heir, &trial->plan, fd);
    trial->image = malloc(trial->heir.size);
    ck_assert_ptr_nonnull(trial->image);
    memcpy(trial->image, trial->heir.estate, trial->heir.size);
    memcpy(trial->expected, trial->results, sizeof(*trial->results));
    ck_assert_int_eq(go_on(&trial->heir, trial->image, 0, trial->expected), 0);
}

static void
trial_end(struct trial *trial)
{
    close(trial->heir.fd);
    heir_end(&trial->heir);
    free(trial->image);
    estate_results_free(trial->results);
    estate_results_free(trial->expected);
}

static void
try_bit(struct trial *trial, size_t bit)
{
    int error = go_on(&trial->heir, trial->image, bit, trial->results);

    if (error != 0 && error != -EBADMSG)
        ck_abort_msg("bit %zu of byte %zu: %d", bit % 8, bit / 8, error);
    if (error == 0 && !estate_same(trial->results, trial->expected))
        ck_abort_msg("bit %zu of byte %zu: other records", bit % 8, bit / 8);
    trial->n_refused += error != 0;
}

START_TEST(test_any_bit)
{
    size_t moment = (size_t)_i % N_MOMENTS;
    struct estate_plan plan = plan_of((size_t)_i / N_MOMENTS, moment);
    uint64_t state = SEED + (uint64_t)_i;
    struct trial trial;

    trial_begin(&trial, &plan, moment);
    for (int i = 0; i < N_FLIPS; i++) {
        struct stretch stretch =
            choose_stretch((const struct estate *)(const void *)trial.image, &plan, &state);

        try_bit(&trial, stretch.from * 8 + estate_draw(&state) % (stretch.len * 8));
    }
    ck_assert_uint_gt(trial.n_refused, N_FLIPS / 10);
    ck_assert_uint_lt(trial.n_refused, N_FLIPS);
    trial_end(&trial);
}
END_TEST

/* All bits of all blocks behind the index, of a few names. */
START_TEST(test_every_bit)
{
    struct estate_plan plan = plan_of(0, 1);
    size_t from = arena_whole_pages(sizeof(struct estate)) + 1024 * sizeof(struct index_place), end;
    struct trial trial;

    plan.n_tables = 1;
    plan.n_names = 1;
    trial_begin(&trial, &plan, 1);
    end = ((const struct estate *)(const void *)trial.image)->tables[0].arena.frontier;
    ck_assert_uint_gt(end, from + 500);
    for (size_t bit = from * 8; bit < end * 8; bit++)
        try_bit(&trial, bit);
    ck_assert_uint_gt(trial.n_refused, (end - from) * 2);
    trial_end(&trial);
}
END_TEST

/* So much memory that each thing that takes some is once the first that finds none. */
START_TEST(test_any_size)
{
    struct estate_plan plan = plan_of(0, 0);
    uint32_t n_refused = 0, n_applied = 0;

    for (plan.memory = 9 << 10; plan.memory < 48 << 10; plan.memory += 112) {
        struct estate_results *results = estate_results_new(), *expected = estate_results_new();
        struct heir heir, next;
        int fd;

        heir_begin(&heir, &plan, results);
        fd = heir.fd;
        heir_run(&heir, plan.n_steps / 2);
        heir_end(&heir);
        ck_assert_int_eq(heir_adopt(&next, &plan, fd, results), 0);
        heir_run(&next, plan.n_steps);
        heir_end(&next);
        close(fd);
        for (uint32_t step = 0; step < plan.n_steps; step++) {
            n_refused += results->verdicts[step] == TABLE_MEMORY;
            n_applied += results->verdicts[step] == TABLE_APPLIED;
        }
        estate_expect(&plan, results, expected);
        if (!estate_same(results, expected))
            ck_abort_msg("%zu bytes: not what was applied", plan.memory);
        estate_results_free(results);
        estate_results_free(expected);
    }
    ck_assert_uint_gt(n_refused, 1000);
    ck_assert_uint_gt(n_applied, n_refused);
}
END_TEST

/* Limits and lists are those of who takes over, and so is the size. */
START_TEST(test_other_settings)
{
    struct filter_opts lists = {.drop = "n00*", .allow = NULL};
    struct estate_results *results = estate_results_new();
    struct estate_plan plan = plan_of(0, 0), larger = plan;
    uint8_t storage[64];
    struct filter filter;
    struct table_opts opts;
    struct heir heir;
    int fd = make_image(&plan, 0, results);
    uint32_t n_filtered = 0;

    ck_assert_int_eq(filter_init(&filter, &lists, storage, sizeof(storage)), 0);
    larger.n_tables = 1;
    larger.memory *= 2;
    larger.max_metrics = 1;
    heir_map(&heir, &larger, fd);
    ck_assert_int_eq(ftruncate(fd, (off_t)heir.size), 0);
    estate_table_opts(&heir, 0, &opts);
    opts.filter = &filter;
    ck_assert_int_eq(undo_roll_back(&heir.estate->undos[0], heir.estate, heir.size), 0);
    ck_assert_int_eq(adopt_table(&heir.estate->tables[0], &opts), 0);
    for (arena_ref ref = heir.estate->tables[0].first; ref != 0;) {
        const struct metric *metric = arena_at(&heir.estate->tables[0].arena, ref);

        ck_assert_int_eq(metric->filtered, memcmp(metric_name(metric), "n00", 3) == 0);
        n_filtered += metric->filtered;
        ref = metric->next;
    }
    ck_assert_uint_gt(n_filtered, 0);
    ck_assert_uint_eq(heir.estate->tables[0].arena.size, opts.arena.size);
    heir_end(&heir);
    close(fd);
    estate_results_free(results);
}
END_TEST

/* What no one bit makes. */
static void
spoil(struct table *table, int how)
{
    struct metric *first = arena_at(&table->arena, table->first);
    struct metric *second = arena_at(&table->arena, first->next);

    switch (how) {
    case 0: second->next = table->first; break; /* a circle */
    case 1: first->next = second->next; break;
    case 2: table->first = 0; break;
    case 3: table->unlinked = table->first; break;
    case 4: table->arena.frontier = table->arena.size + ARENA_UNIT; break;
    case 5: table->arena.backed = UINT64_MAX; break;
    case 6:
        table->newest = UINT32_MAX;
        table->check = table_check(table);
        break;
    case 7:
        table->newest = 0;
        table->check = table_check(table);
        break;
    case 8: first->next = UINT32_MAX; break;
    case 9: memcpy(first, second, sizeof(*first)); break;
    case 10: first->updated += 1; break;
    default: memset(first, 0xff, sizeof(*first)); break;
    }
}

#define N_WAYS 12

START_TEST(test_spoilt)
{
    struct estate_results *results = estate_results_new();
    struct estate_plan plan = plan_of(0, 0);
    int fd = make_image(&plan, 1, results);
    struct table_opts opts;
    struct heir heir;

    heir_map(&heir, &plan, fd);
    estate_table_opts(&heir, 0, &opts);
    ck_assert_int_eq(undo_roll_back(&heir.estate->undos[0], heir.estate, heir.size), 0);
    ck_assert_int_eq(adopt_table(&heir.estate->tables[0], &opts), 0);
    ck_assert_int_eq(adopt_table(&heir.estate->tables[0], &opts), 0);
    spoil(&heir.estate->tables[0], _i);
    ck_assert_int_eq(adopt_table(&heir.estate->tables[0], &opts), -EBADMSG);
    heir_end(&heir);
    close(fd);
    estate_results_free(results);
}
END_TEST

/* A table of its own. */
static void
open_table(struct table *table, uint32_t max_metrics)
{
    struct table_opts opts = {.max_metrics = max_metrics,
                              .timer_max_samples = 10,
                              .set_exact_max = 10,
                              .filter = &estate_filter,
                              .arena = {.size = 64 << 10}};

    ck_assert_int_eq(table_init(table, &opts, 5), 0);
}

/* What the gauge a says in the next flush, and since when. */
static double
flush_gauge(struct table *table, uint64_t *out_set_ms)
{
    static const struct rules rules;
    struct interval interval = {.end_ms = 10000, .span_ms = 10000};
    struct dialect dialect;
    struct flush_opts opts = {
        .tables = {table}, .n_tables = 1, .dialect = &dialect, .rules = &rules};
    struct record record;
    struct flush flush;

    dialect_init(&dialect);
    table_close(table);
    ck_assert_int_eq(flush_init(&flush, &opts), 0);
    flush_begin(&flush, &interval);
    ck_assert(flush_peek(&flush, &record));
    ck_assert_uint_eq(record.source, METRIC_GAUGE);
    *out_set_ms = record.set_ms;
    flush_begin_clear(&flush);
    while (flush_clear(&flush, 1))
        continue;
    flush_release(&flush);
    return record.points[0].value;
}

START_TEST(test_gauges)
{
    struct name a = {.text = "a", .len = 1}, b = {.text = "b", .len = 1};
    struct sample sample = {.type = METRIC_GAUGE, .value = 9, .rate = 1};
    struct table table;
    uint64_t set_ms;

    open_table(&table, 1);
    ck_assert_int_eq(adopt_gauge(&table, &a, -2.5, 77), 0);
    ck_assert_int_eq(adopt_gauge(&table, &a, 3, 78), -1);
    ck_assert_int_eq(adopt_gauge(&table, &b, 3, 78), -1);
    ck_assert_uint_eq(table.n_metrics, 1);
    ck_assert_double_eq(flush_gauge(&table, &set_ms), -2.5);
    ck_assert_uint_eq(set_ms, 77);
    ck_assert_double_eq(flush_gauge(&table, &set_ms), -2.5);
    ck_assert_int_eq(table_apply(&table, &sample, &a, table_hash(&table, METRIC_GAUGE, &a), 5000),
                     TABLE_APPLIED);
    ck_assert_double_eq(flush_gauge(&table, &set_ms), 9);
    ck_assert_uint_eq(set_ms, 5000);
    table_release(&table);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("adopt");
    TCase *tcase = tcase_create("adopt");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 100);
    tcase_add_loop_test(tcase, test_any_bit, 0, N_PLANS * N_MOMENTS);
    tcase_add_test(tcase, test_every_bit);
    tcase_add_test(tcase, test_any_size);
    tcase_add_test(tcase, test_other_settings);
    tcase_add_loop_test(tcase, test_spoilt, 0, N_WAYS);
    tcase_add_test(tcase, test_gauges);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
