/*
 * check_killed: processes that are killed at any moment, hundreds of times in a row, and one at
 * every store that it makes: whoever takes over has lost nothing and counts nothing twice.
 */
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "estate.h"

#define N_KILLS 150 /* of each plan */

/* Roomy, crowded and starved; the last with all that the rules have. */
static const struct estate_plan plans[] = {
    {.n_tables = 1,
     .memory = 4 << 20,
     .max_metrics = UINT32_MAX,
     .timer_max_samples = 30,
     .set_exact_max = 40,
     .amid = true,
     .seed = 1,
     .n_names = 60,
     .close_every = 150,
     .n_steps = ESTATE_STEPS},
    {.n_tables = 3,
     .memory = 1 << 20,
     .max_metrics = 90,
     .timer_max_samples = 30,
     .set_exact_max = 40,
     .amid = true,
     .seed = 2,
     .n_names = 60,
     .close_every = 150,
     .n_steps = ESTATE_STEPS},
    {.n_tables = 2,
     .memory = 96 << 10,
     .max_metrics = UINT32_MAX,
     .timer_max_samples = 100,
     .set_exact_max = 40,
     .amid = true,
     .seed = 3,
     .n_names = 100,
     .close_every = 400,
     .n_steps = ESTATE_STEPS},
    {.n_tables = 2,
     .memory = 128 << 10,
     .max_metrics = 150,
     .timer_max_samples = 10,
     .set_exact_max = 10,
     .seed = 4,
     .n_names = 60,
     .close_every = 120,
     .n_steps = ESTATE_STEPS,
     .rules = {.expire_ms = {3000, 5000, 900, 4000},
               .idle_zero = {true, false, true, true},
               .omit_idle_gauges = true,
               .gauges_max_ttl = 3}},
    {.n_tables = 2,
     .memory = 1 << 20,
     .max_metrics = UINT32_MAX,
     .timer_max_samples = 10,
     .set_exact_max = 10,
     .deletes = true,
     .seed = 6,
     .n_names = 60,
     .close_every = 120,
     .n_steps = ESTATE_STEPS,
     .rules = {.idle_zero = {true, false, true, true}}},
};

/* The process that calls it is killed by the kernel in so many nanoseconds. */
static void
die_in(long ns)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec when = {.it_value = {.tv_nsec = ns}};
    timer_t timer;

    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
        timer_settime(timer, 0, &when, NULL) != 0)
        abort();
}

/* Takes over, at another address than anybody before, and goes on, for ns or, where 0, to the
 * end. */
static _Noreturn void
live(const struct estate_plan *plan, int fd, struct estate_results *results, size_t pad, long ns)
{
    struct heir heir;

    if (mmap(NULL, pad, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
        abort();
    if (ns > 0)
        die_in(ns);
    if (heir_adopt(&heir, plan, fd, results) != 0)
        _exit(3);
    heir_run(&heir, plan->n_steps);
    _exit(0);
}

/* One estate, handed from one killed process to the next until one comes to the end, which all that
 * follow N_KILLS of them do. */
static void
kill_again_and_again(const struct estate_plan *plan, uint64_t *state, int *n_kills)
{
    struct estate_results *results = estate_results_new(), *expected = estate_results_new();
    struct heir heir;
    int status, fd;

    heir_begin(&heir, plan, results);
    fd = heir.fd;
    heir_end(&heir);
    for (;; ++*n_kills) {
        /* From within the take over up to some intervals. */
        long ns =
            *n_kills < N_KILLS ? 1 + (long)(estate_draw(state) % (1u << (11 + *n_kills % 10))) : 0;
        size_t pad = (1 + estate_draw(state) % 1000) * ARENA_PAGE;
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid == 0)
            live(plan, fd, results, pad, ns);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status))
            break;
        ck_assert_int_eq(WTERMSIG(status), SIGKILL);
    }
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    estate_expect(plan, results, expected);
    ck_assert(estate_same(results, expected));
    close(fd);
    estate_results_free(results);
    estate_results_free(expected);
}

/* On a fast machine an estate is done after few. */
START_TEST(test_killed_at_any_moment)
{
    uint64_t state = plans[_i].seed;
    int n_kills = 0;

    while (n_kills < N_KILLS / 3)
        kill_again_and_again(&plans[_i], &state, &n_kills);
}
END_TEST

/* A copy of an estate, in a file of its own. */
static int
copy_of(const void *image, size_t size)
{
    int fd = memfd_create("copy", MFD_CLOEXEC);
    size_t done = 0;

    ck_assert_int_ge(fd, 0);
    while (done < size) {
        ssize_t n = write(fd, (const uint8_t *)image + done, size - done);

        ck_assert_int_gt(n, 0);
        done += (size_t)n;
    }
    return fd;
}

/* Whether who takes over what an estate now is comes out where it should. */
static void
check_image(const struct heir *heir, const struct estate_results *expected, uint64_t at)
{
    static struct estate_results *results;
    struct heir next;
    int fd = copy_of(heir->estate, heir->size), error;

    if (results == NULL)
        results = estate_results_new();
    memcpy(results->sent_len, heir->results->sent_len, sizeof(results->sent_len));
    for (uint32_t i = 1; i <= heir->estate->state.n_flushes; i++)
        memcpy(results->sent[i], heir->results->sent[i], heir->results->sent_len[i]);
    error = heir_adopt(&next, heir->plan, fd, results);
    if (error != 0)
        ck_abort_msg("instruction %lu: %d", (unsigned long)at, error);
    heir_run(&next, heir->plan->n_steps);
    if (!estate_same(results, expected))
        ck_abort_msg("instruction %lu, step %u, phase %u: not the same", (unsigned long)at,
                     estate_steps(heir->estate), heir->estate->state.phase);
    heir_end(&next);
    close(fd);
}

/* Samples and members that are kept, and such that never are. What expires is nothing that an idle
 * flush would send. */
static const struct estate_plan small_plans[] = {
    {.n_tables = 1,
     .memory = 512 << 10,
     .max_metrics = UINT32_MAX,
     .timer_max_samples = 2,
     .set_exact_max = 7,
     .deletes = true,
     .seed = 8,
     .n_names = 6,
     .close_every = 40,
     .n_steps = 400,
     .rules = {.idle_zero = {true, false, true, true}}},
    {.n_tables = 1,
     .memory = 128 << 10,
     .max_metrics = UINT32_MAX,
     .timer_max_samples = 2,
     .set_exact_max = 7,
     .amid = true,
     .seed = 5,
     .n_names = 10,
     .close_every = 14,
     .n_steps = 330,
     .rules = {.expire_ms = {[METRIC_COUNTER] = 140, [METRIC_TIMER] = 140}}},
    {.n_tables = 1,
     .memory = 512 << 10,
     .max_metrics = UINT32_MAX,
     .amid = true,
     .seed = 7,
     .n_names = 4,
     .close_every = 14,
     .n_steps = 150},
};

/* What a step may change besides a state. */
struct outline {
    uint32_t n_metrics, unlinked, phase;
    size_t used;
};

static struct outline
outline_of(const struct estate *estate)
{
    const struct table *table = &estate->tables[0];

    return (struct outline){.n_metrics = table->n_metrics,
                            .unlinked = table->unlinked,
                            .phase = estate->state.phase,
                            .used = table->arena.used};
}

static unsigned
direction(size_t before, size_t after)
{
    return before < after ? 0 : before > after ? 1 : 2;
}

/* A number that steps of one kind have in common. */
static unsigned
kind_of(const struct estate_plan *plan, uint32_t step, const struct outline *before,
        const struct outline *after)
{
    unsigned kind =
        estate_closes(plan, step) ? METRIC_TYPE_COUNT : (unsigned)estate_type(plan, step);

    if (estate_deletes(plan, step))
        kind += METRIC_TYPE_COUNT + 1;
    kind = kind * 3 + direction(before->n_metrics, after->n_metrics);
    kind = kind * 3 + direction(before->used, after->used);
    kind = kind * 2 + (before->unlinked != after->unlinked);
    return kind * 2 + (before->phase == ESTATE_COLLECTING);
}

#define N_KINDS 512

/* Runs the script, and marks the first steps of each kind. Returns how many that are. */
static unsigned
choose_steps(struct heir *heir, bool chosen[ESTATE_STEPS])
{
    bool seen[N_KINDS] = {false};
    unsigned n = 0;

    for (uint32_t step = 0; step < heir->plan->n_steps; step++) {
        struct outline before = outline_of(heir->estate), after;
        unsigned kind;

        heir_run(heir, step + 1);
        after = outline_of(heir->estate);
        kind = kind_of(heir->plan, step, &before, &after);
        ck_assert_uint_lt(kind, N_KINDS);
        chosen[step] = !seen[kind];
        n += chosen[step];
        seen[kind] = true;
    }
    return n;
}

/* Runs the script, with a stop before and behind each chosen step. Sending, which is long and
 * changes nothing, is done before. */
static _Noreturn void
live_step_by_step(struct heir *heir, const bool chosen[ESTATE_STEPS])
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(77);
    for (uint32_t step = 0; step < heir->plan->n_steps; step++) {
        while (heir->estate->state.phase == ESTATE_SENDING)
            heir_send(heir, 1);
        if (chosen[step])
            raise(SIGSTOP);
        heir_run(heir, step + 1);
        if (chosen[step])
            raise(SIGSTOP);
    }
    _exit(0);
}

/* From one stop to the next, or to where the process has ended. */
static int
resume(pid_t pid, enum __ptrace_request how)
{
    int status;

    /* So often that an assertion, which tells the parent of the test, would take most of the time.
     */
    if (ptrace(how, pid, NULL, NULL) != 0 || waitpid(pid, &status, 0) != pid)
        ck_abort_msg("the process is lost");
    return status;
}

static bool
is_stop(int status)
{
    return WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP;
}

/* A switch from one process to the other costs least where both are on one processor. */
static void
stay_here(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((unsigned)sched_getcpu(), &set);
    (void)sched_setaffinity(0, sizeof(set), &set);
}

/* One step, instruction by instruction. Returns how many of them have changed anything. */
static unsigned
trace_step(pid_t pid, const struct heir *heir, uint8_t *before,
           const struct estate_results *expected)
{
    const struct arena *arena = &heir->estate->tables[0].arena;
    unsigned n_stores = 0;

    for (uint64_t n = 0; !is_stop(resume(pid, PTRACE_SINGLESTEP)); n++) {
        if (memcmp(before, heir->estate, arena->frontier) == 0)
            continue;
        memcpy(before, heir->estate, arena->frontier);
        check_image(heir, expected, n);
        n_stores++;
    }
    return n_stores;
}

/* Steps of every kind that there is. Where processes may not be traced there is nothing to try. */
START_TEST(test_killed_at_every_store)
{
    struct estate_results *results = estate_results_new(), *expected = estate_results_new();
    bool chosen[ESTATE_STEPS];
    struct heir heir;
    unsigned n_stores = 0, n_chosen;
    uint8_t *before;
    int status;
    pid_t pid;

    heir_begin(&heir, &small_plans[_i], results);
    n_chosen = choose_steps(&heir, chosen);
    ck_assert_uint_gt(n_chosen, 20);
    heir_run(&heir, heir.plan->n_steps);
    estate_expect(heir.plan, results, expected);
    heir_end(&heir);
    heir_begin(&heir, &small_plans[_i], results);
    before = malloc(heir.size);
    ck_assert_ptr_nonnull(before);
    stay_here();
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        live_step_by_step(&heir, chosen);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    if (WIFSTOPPED(status)) {
        do
            n_stores += trace_step(pid, &heir, before, expected);
        while (is_stop(status = resume(pid, PTRACE_CONT)));
        ck_assert_uint_gt(n_stores, 10 * n_chosen);
    }
    ck_assert(WIFEXITED(status));
    heir_end(&heir);
    free(before);
    estate_results_free(results);
    estate_results_free(expected);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("killed");
    TCase *tcase = tcase_create("killed");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_killed_at_any_moment, 0, sizeof(plans) / sizeof(plans[0]));
    tcase_add_loop_test(tcase, test_killed_at_every_store, 0,
                        sizeof(small_plans) / sizeof(small_plans[0]));
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
