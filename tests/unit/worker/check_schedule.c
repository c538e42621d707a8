/*
 * check_schedule: intervals under false clocks: their ends, what they span, and wall clocks that
 * are set while they run.
 */
#include <check.h>
#include <inttypes.h>
#include <stdlib.h>

#include "worker/schedule.h"

/* A multiple of 10 s, not of 60 s. */
#define WALL_MS UINT64_C(1700000000000)
#define MONO_MS UINT64_C(123457)
#define DAY_MS  UINT64_C(86400000)
#define HOUR_MS 3600000

/* As ck_assert, which writes down where it is each time, and takes half of a day's time for that.
 */
static void
must(bool is_so, const char *what)
{
    if (!is_so)
        ck_abort_msg("%s", what);
}

/* Both clocks, and the schedule that they drive. */
struct rig {
    struct schedule schedule;
    uint64_t mono_ms, wall_ms;
    uint64_t last_end_ms; /* 0 before the first */
    uint64_t covered_ms;  /* the sum of all spans */
    uint64_t n_overruns;
    uint32_t random;
};

static void
rig_init(struct rig *rig, uint64_t interval_ms, bool align, uint64_t wall_ms)
{
    *rig = (struct rig){.mono_ms = MONO_MS, .wall_ms = wall_ms, .random = 1};
    schedule_init(&rig->schedule, interval_ms, align, rig->mono_ms, rig->wall_ms);
}

static void
pass(struct rig *rig, uint64_t ms)
{
    rig->mono_ms += ms;
    rig->wall_ms += ms;
}

static uint32_t
draw(struct rig *rig, uint32_t n)
{
    rig->random ^= rig->random << 13;
    rig->random ^= rig->random >> 17;
    rig->random ^= rig->random << 5;
    return rig->random % n;
}

static bool
is_due(struct rig *rig)
{
    return schedule_due(&rig->schedule, rig->mono_ms, rig->wall_ms);
}

/* Sleeps as the worker does, each time to the deadline and late_ms over it. */
static void
sleep_until_due(struct rig *rig, uint64_t late_ms)
{
    do {
        ck_assert_uint_gt(rig->schedule.deadline_ms, rig->mono_ms); /* else it never sleeps */
        pass(rig, rig->schedule.deadline_ms - rig->mono_ms - 1);
        ck_assert(!is_due(rig));
        pass(rig, 1 + late_ms);
    } while (!is_due(rig));
}

static struct interval
close_one(struct rig *rig)
{
    struct interval interval;

    rig->n_overruns += schedule_close(&rig->schedule, rig->mono_ms, rig->wall_ms, &interval);
    must(interval.end_ms > rig->last_end_ms, "timestamps grow");
    rig->last_end_ms = interval.end_ms;
    rig->covered_ms += interval.span_ms;
    return interval;
}

START_TEST(test_first_interval)
{
    static const struct {
        uint64_t interval_ms;
        bool align;
        uint64_t wall_ms, span_ms;
    } rows[] = {
        {10000, true, WALL_MS, 10000},
        {10000, true, WALL_MS + 1, 9999},
        {10000, true, WALL_MS + 3000, 7000},
        {10000, true, WALL_MS + 9000, 1000},
        {10000, true, WALL_MS + 9001, 10999}, /* under a tenth: longer instead */
        {10000, true, WALL_MS + 9999, 10001},
        {10000, false, WALL_MS, 10000},
        {10000, false, WALL_MS + 9999, 10000},
        {1000, true, WALL_MS + 250, 750},
        {1000, true, WALL_MS + 901, 1099},
        {2500, true, WALL_MS + 2499, 2501},
        {2500, true, WALL_MS + 1, 2499},
        {60000, true, WALL_MS, 40000}, /* a third of a minute has passed */
        {60000, true, WALL_MS + 35000, 65000},
        {60000, false, WALL_MS + 35000, 60000},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig rig;
        struct interval interval;

        rig_init(&rig, rows[i].interval_ms, rows[i].align, rows[i].wall_ms);
        sleep_until_due(&rig, 0);
        interval = close_one(&rig);
        ck_assert_msg(interval.span_ms == rows[i].span_ms, "row %zu: %" PRIu64, i,
                      interval.span_ms);
        ck_assert_uint_eq(interval.end_ms, rows[i].wall_ms + rows[i].span_ms);
        ck_assert_uint_eq(rig.mono_ms, MONO_MS + rows[i].span_ms);
        ck_assert(!rows[i].align || interval.end_ms % rows[i].interval_ms == 0);
        ck_assert_uint_eq(rig.n_overruns, 0);
    }
}
END_TEST

/* Random lateness below one interval: every interval keeps its place and its length. */
static void
try_flushes(uint64_t n, uint64_t interval_ms, bool align)
{
    const uint64_t start_ms = WALL_MS + 3210;
    uint64_t phase_ms = align ? 0 : start_ms % interval_ms;
    struct rig rig;
    uint64_t before_ms;

    rig_init(&rig, interval_ms, align, start_ms);
    sleep_until_due(&rig, 0);
    before_ms = close_one(&rig).end_ms;
    while (n-- > 0) {
        struct interval interval;

        sleep_until_due(&rig, draw(&rig, (uint32_t)(interval_ms / 10 * 9 + 1)));
        interval = close_one(&rig);
        ck_assert_uint_eq(interval.end_ms, before_ms + interval_ms);
        ck_assert_uint_eq(interval.end_ms % interval_ms, phase_ms);
        ck_assert_uint_eq(interval.span_ms, interval_ms);
        before_ms = interval.end_ms;
    }
    ck_assert_uint_eq(rig.covered_ms, rig.last_end_ms - start_ms);
    ck_assert_uint_eq(rig.n_overruns, 0);
}

START_TEST(test_a_day_of_late_flushes)
{
    static const uint64_t intervals_ms[] = {1000, 2500, 60000};

    try_flushes(DAY_MS / 10000, 10000, true);
    for (size_t i = 0; i < sizeof(intervals_ms) / sizeof(intervals_ms[0]); i++) {
        try_flushes(500, intervals_ms[i], true);
        try_flushes(500, intervals_ms[i], false);
    }
}
END_TEST

START_TEST(test_overruns)
{
    static const struct {
        uint64_t late_ms, n_overruns;
    } rows[] = {{0, 0}, {9999, 0}, {10000, 1}, {19999, 1}, {20000, 2}, {HOUR_MS + 1, 360}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t span_ms = 10000 * (1 + rows[i].n_overruns);
        struct rig rig;
        struct interval interval;

        rig_init(&rig, 10000, true, WALL_MS);
        sleep_until_due(&rig, rows[i].late_ms);
        interval = close_one(&rig);
        ck_assert_uint_eq(rig.n_overruns, rows[i].n_overruns);
        ck_assert_uint_eq(interval.span_ms, span_ms);
        ck_assert_uint_eq(interval.end_ms, WALL_MS + span_ms);
        sleep_until_due(&rig, 0); /* the next is back on the grid */
        ck_assert_uint_eq(rig.wall_ms, WALL_MS + span_ms + 10000);
        ck_assert_uint_eq(close_one(&rig).span_ms, 10000);
    }
}
END_TEST

START_TEST(test_a_day_of_overruns)
{
    struct rig rig;
    uint64_t n = 0;

    rig_init(&rig, 10000, true, WALL_MS);
    for (; rig.last_end_ms < WALL_MS + DAY_MS; n++) {
        struct interval interval;

        sleep_until_due(&rig, draw(&rig, 45000));
        interval = close_one(&rig);
        ck_assert_uint_eq(interval.end_ms % 10000, 0);
        ck_assert_uint_eq(interval.span_ms % 10000, 0);
        ck_assert_uint_eq(rig.covered_ms, interval.end_ms - WALL_MS);
    }
    ck_assert_uint_gt(rig.n_overruns, n);
    ck_assert_uint_eq((n + rig.n_overruns) * 10000, rig.covered_ms);
}
END_TEST

START_TEST(test_clock_set_forward)
{
    static const struct {
        uint64_t step_ms, skipped_ms;
    } rows[] = {{1, 0}, {9999, 0}, {10000, 10000}, {25000, 20000}, {HOUR_MS, HOUR_MS}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig rig;
        struct interval interval;

        rig_init(&rig, 10000, true, WALL_MS);
        rig.wall_ms += rows[i].step_ms;
        sleep_until_due(&rig, 0);
        interval = close_one(&rig);
        ck_assert_uint_eq(interval.end_ms, WALL_MS + 10000 + rows[i].skipped_ms);
        ck_assert_uint_eq(interval.span_ms, 10000); /* nothing was late, */
        ck_assert_uint_eq(rig.n_overruns,
                          rows[i].skipped_ms / 10000); /* and what is left out told */
        sleep_until_due(&rig, 0);
        ck_assert_uint_eq(rig.wall_ms, interval.end_ms + 10000);
        ck_assert_uint_eq(close_one(&rig).end_ms, rig.wall_ms);
    }
}
END_TEST

/* Up to half an interval back, the end stays where it was announced. */
START_TEST(test_clock_set_back_a_little)
{
    static const uint64_t steps_ms[] = {1, 1000, 5000};

    for (size_t i = 0; i < sizeof(steps_ms) / sizeof(steps_ms[0]); i++) {
        struct rig rig;
        struct interval interval;

        rig_init(&rig, 10000, true, WALL_MS);
        rig.wall_ms -= steps_ms[i];
        sleep_until_due(&rig, 0);
        ck_assert(!rig.schedule.holding);
        ck_assert_uint_eq(rig.mono_ms, MONO_MS + 10000);
        interval = close_one(&rig);
        ck_assert_uint_eq(interval.end_ms, WALL_MS + 10000);
        ck_assert_uint_eq(interval.span_ms, 10000);
        sleep_until_due(&rig, 0);
        ck_assert_uint_eq(rig.wall_ms, WALL_MS + 20000);
        ck_assert_uint_eq(close_one(&rig).end_ms, WALL_MS + 20000);
    }
}
END_TEST

START_TEST(test_clock_set_back_holds)
{
    static const struct {
        uint64_t step_ms, late_ms, span_ms;
    } rows[] = {
        {5001, 0, 20000},
        {14000, 0, 20000},
        {16000, 0, 30000},
        {60000, 0, 70000},
        {HOUR_MS, 0, 10000 + HOUR_MS},
        {HOUR_MS, 4000, 10000 + HOUR_MS},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig rig;
        struct interval interval;

        rig_init(&rig, 10000, true, WALL_MS);
        rig.wall_ms -= rows[i].step_ms;
        pass(&rig, 10000);
        ck_assert(!is_due(&rig));
        ck_assert(rig.schedule.holding);
        sleep_until_due(&rig, rows[i].late_ms);
        interval = close_one(&rig);
        ck_assert(!rig.schedule.holding);
        ck_assert_uint_eq(interval.end_ms, WALL_MS + 10000);
        ck_assert_msg(interval.span_ms == rows[i].span_ms, "row %zu: %" PRIu64, i,
                      interval.span_ms);
        ck_assert_uint_eq(rig.n_overruns, 0);
        sleep_until_due(&rig, 0);
        ck_assert_uint_eq(close_one(&rig).end_ms, WALL_MS + 20000);
        ck_assert_uint_eq(rig.wall_ms, WALL_MS + 20000);
    }
}
END_TEST

/* A step back that is mended after five minutes costs no hour. */
START_TEST(test_clock_set_back_and_forward_again)
{
    struct rig rig;
    struct interval interval;

    rig_init(&rig, 10000, true, WALL_MS);
    rig.wall_ms -= HOUR_MS;
    while (rig.mono_ms < MONO_MS + 310000) {
        pass(&rig, rig.schedule.deadline_ms - rig.mono_ms);
        ck_assert(!is_due(&rig));
    }
    rig.wall_ms += HOUR_MS;
    sleep_until_due(&rig, 0);
    ck_assert_uint_le(rig.mono_ms, MONO_MS + 320000);
    interval = close_one(&rig);
    ck_assert_uint_eq(interval.end_ms, WALL_MS + (rig.mono_ms - MONO_MS));
    ck_assert_uint_eq(interval.span_ms, rig.mono_ms - MONO_MS);
    ck_assert_uint_eq(rig.n_overruns, 0);
    sleep_until_due(&rig, 0);
    ck_assert_uint_eq(close_one(&rig).end_ms, interval.end_ms + 10000);
}
END_TEST

/* Whatever is done to the wall clock: close_one sees that no timestamp comes twice or too early. */
START_TEST(test_any_steps)
{
    struct rig rig;

    rig_init(&rig, 10000, true, WALL_MS + DAY_MS);
    for (int i = 0; i < 2000; i++) {
        uint32_t scale_ms = draw(&rig, 3) == 0 ? 2 * HOUR_MS : 20000;

        if (draw(&rig, 5) == 0)
            rig.wall_ms = rig.wall_ms + draw(&rig, scale_ms) - scale_ms / 2;
        sleep_until_due(&rig, draw(&rig, 3) == 0 ? draw(&rig, 30000) : 0);
        ck_assert_uint_eq(close_one(&rig).end_ms % 10000, 0);
        ck_assert_uint_le(rig.last_end_ms, rig.wall_ms + 5000);
    }
}
END_TEST

/* Behind a store that had to be given up: never the timestamp of a flush that may have been. */
START_TEST(test_keep_above)
{
    static const struct {
        bool align;
        uint64_t wall_ms, above_ms, end_ms, due_ms; /* how long it is waited for */
    } rows[] = {
        {true, WALL_MS, 0, WALL_MS + 10000, 10000},
        {true, WALL_MS, WALL_MS, WALL_MS + 10000, 10000},
        {true, WALL_MS + 4000, WALL_MS + 10000, WALL_MS + 20000, 16000},
        {true, WALL_MS + 4000, WALL_MS + 10001, WALL_MS + 20000, 16000},
        {true, WALL_MS + 4000, WALL_MS + 30000, WALL_MS + 40000, 36000},
        {true, WALL_MS, WALL_MS + HOUR_MS, WALL_MS + HOUR_MS + 10000, HOUR_MS + 10000},
        {false, WALL_MS, WALL_MS + 9999, WALL_MS + 10000, 10000},
        {false, WALL_MS + 4000, WALL_MS + 17000, WALL_MS + 24000, 20000},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig rig;
        struct interval interval;

        rig_init(&rig, 10000, rows[i].align, rows[i].wall_ms);
        schedule_keep_above(&rig.schedule, rows[i].above_ms);
        ck_assert_uint_le(rig.schedule.deadline_ms, MONO_MS + 20000); /* then it looks again */
        sleep_until_due(&rig, 0);
        interval = close_one(&rig);
        ck_assert_msg(interval.end_ms == rows[i].end_ms, "row %zu", i);
        ck_assert_uint_gt(interval.end_ms, rows[i].above_ms);
        ck_assert_msg(rig.mono_ms - MONO_MS == rows[i].due_ms, "row %zu", i);
        ck_assert_uint_le(interval.span_ms, rows[i].due_ms + 10000);
        ck_assert_uint_ge(interval.span_ms + 10000, rows[i].due_ms);
        ck_assert_uint_eq(rig.n_overruns, 0);
    }
}
END_TEST

/* The clock had been an hour ahead when the store was given up, and is so again. */
START_TEST(test_keep_above_and_forward_again)
{
    struct rig rig;

    rig_init(&rig, 10000, true, WALL_MS);
    schedule_keep_above(&rig.schedule, WALL_MS + HOUR_MS);
    pass(&rig, 60000);
    ck_assert(!is_due(&rig));
    rig.wall_ms += HOUR_MS;
    sleep_until_due(&rig, 0);
    ck_assert_uint_le(rig.mono_ms, MONO_MS + 70000);
    ck_assert_uint_gt(close_one(&rig).end_ms, WALL_MS + HOUR_MS);
}
END_TEST

/* What is open goes on under its own timestamp: to its end, or to where there is a process again.
 * The interval behind it is one that began then. */
START_TEST(test_resume)
{
    static const struct {
        bool align;
        uint64_t down_ms; /* from its begin on, 4 s of which have passed */
        uint64_t late_ms;
        uint64_t due_ms, span_ms; /* after that, and what it spans then */
        uint64_t next_end_ms, next_span_ms, n_overruns;
    } rows[] = {
        {true, 0, 0, 6000, 10000, 20000, 10000, 0},
        {true, 5000, 0, 1000, 10000, 20000, 10000, 0},
        {true, 5999, 300, 1, 10000, 20000, 10000, 0},
        {true, 6000, 0, 0, 10000, 20000, 10000, 0}, /* its end is now */
        {true, 9000, 0, 0, 10000, 20000, 7000, 0},
        {true, 15500, 0, 0, 10000, 30000, 10500, 1}, /* a slot without a process */
        {true, 46000, 0, 0, 10000, 60000, 10000, 4},
        {true, 9000, 8000, 0, 10000, 30000, 9000, 1},   /* closed 8 s late: the slot is too short */
        {true, 9000, 21000, 0, 30000, 40000, 10000, 2}, /* the flush before would not go */
        {false, 9000, 0, 0, 10000, 23000, 10000, 1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig rig;
        struct interval open, interval;
        uint64_t back_ms;

        rig_init(&rig, 10000, rows[i].align, WALL_MS);
        open = rig.schedule.open;
        pass(&rig, 4000 + rows[i].down_ms);
        back_ms = rig.mono_ms;
        schedule_resume(&rig.schedule, 10000, rows[i].align, &open, false, rig.mono_ms,
                        rig.wall_ms);
        pass(&rig, rig.schedule.deadline_ms - rig.mono_ms);
        ck_assert_msg(rig.mono_ms - back_ms == rows[i].due_ms, "row %zu", i);
        pass(&rig, rows[i].late_ms);
        ck_assert(is_due(&rig));
        interval = close_one(&rig);
        ck_assert_uint_eq(interval.span_ms, rows[i].span_ms);
        ck_assert_uint_ge(interval.end_ms, open.end_ms);
        ck_assert_msg(interval.end_ms == open.end_ms || rows[i].late_ms >= 10000, "row %zu", i);
        ck_assert_msg(rig.n_overruns == rows[i].n_overruns, "row %zu: %" PRIu64, i, rig.n_overruns);
        sleep_until_due(&rig, 0);
        interval = close_one(&rig);
        ck_assert_msg(interval.end_ms == WALL_MS + rows[i].next_end_ms, "row %zu: %" PRIu64, i,
                      interval.end_ms - WALL_MS);
        ck_assert_msg(interval.span_ms == rows[i].next_span_ms, "row %zu: %" PRIu64, i,
                      interval.span_ms);
    }
}
END_TEST

/* One that is held is so by each process after another; what it spans adds up, within a slot of
 * each. */
START_TEST(test_resume_while_held)
{
    enum { N_RESTARTS = 20 };
    struct rig rig;
    struct interval interval;

    rig_init(&rig, 10000, true, WALL_MS);
    rig.wall_ms -= HOUR_MS;
    for (int i = 0; i < N_RESTARTS; i++) {
        struct interval open = rig.schedule.open;

        schedule_resume(&rig.schedule, 10000, true, &open, false, rig.mono_ms, rig.wall_ms);
        pass(&rig, rig.schedule.deadline_ms - rig.mono_ms);
        ck_assert(!is_due(&rig));
        pass(&rig, draw(&rig, 10000));
    }
    sleep_until_due(&rig, 0);
    interval = close_one(&rig);
    ck_assert_uint_eq(interval.end_ms, WALL_MS + 10000);
    ck_assert_uint_eq(rig.wall_ms, WALL_MS + 10000);
    ck_assert_uint_ge(interval.span_ms, rig.mono_ms - MONO_MS - N_RESTARTS * 10000);
    ck_assert_uint_le(interval.span_ms, rig.mono_ms - MONO_MS + N_RESTARTS * 10000);
}
END_TEST

/* A day of whatever happens to clocks and processes. */
struct day {
    struct rig rig;
    bool goes_back;         /* the clock is set back, too */
    uint64_t down_ms;       /* monotonic, without a process */
    uint64_t n_missing;     /* slots without a timestamp, */
    uint64_t n_told;        /* that an overrun or a span tells of */
    uint64_t n_disturbed;   /* times that a span may be off, by a quarter of a slot in the mean */
    struct interval stored; /* what a successor finds open */
};

static void
set_clock(struct day *day)
{
    static const uint32_t steps_ms[] = {1000, 1000, 1000, 59000, 59000, HOUR_MS};
    uint32_t ms = steps_ms[draw(&day->rig, 6)];

    if (day->goes_back && draw(&day->rig, 2) == 0)
        day->rig.wall_ms -= ms;
    else
        day->rig.wall_ms += ms;
    day->n_disturbed++;
}

static void
restart(struct day *day)
{
    struct rig *rig = &day->rig;
    uint32_t ms = draw(rig, draw(rig, 4) == 0 ? 60000 : 500);

    pass(rig, ms);
    day->down_ms += ms;
    day->n_disturbed += 2;
    schedule_resume(&rig->schedule, 10000, true, &day->stored, false, rig->mono_ms, rig->wall_ms);
}

static void
disturb(struct day *day)
{
    switch (draw(&day->rig, 100)) {
    case 0:
    case 1: set_clock(day); break;
    case 2: day->rig.wall_ms += 600000; break; /* suspended */
    case 3: pass(&day->rig, draw(&day->rig, 60000)); break;
    case 4:
    case 5: restart(day); break;
    }
}

static void
close_counted(struct day *day)
{
    struct rig *rig = &day->rig;
    uint64_t end_ms = rig->last_end_ms, n_overruns = rig->n_overruns;
    struct interval interval = close_one(rig);

    must(interval.end_ms % 10000 == 0, "timestamps are aligned");
    must(interval.end_ms <= rig->wall_ms + 5000, "no timestamp is of the future");
    day->n_missing += (interval.end_ms - end_ms) / 10000 - 1;
    n_overruns = rig->n_overruns - n_overruns;
    day->n_told += day->goes_back ? n_overruns + interval.span_ms / 10000 : n_overruns;
    must(day->n_missing <= day->n_told, "every slot that is left out is told of");
}

/* Sleeps once, and closes what is due. What is not is waited for since the clock was set back, and
 * for no longer than that. */
static void
live(struct day *day)
{
    struct rig *rig = &day->rig;

    must(rig->schedule.deadline_ms <= rig->mono_ms + 20000, "it is looked at again soon");
    if (draw(rig, 4) == 0)
        pass(rig, draw(rig, 5000));
    else if (rig->schedule.deadline_ms > rig->mono_ms)
        pass(rig, rig->schedule.deadline_ms - rig->mono_ms + draw(rig, 100));
    disturb(day);
    if (rig->mono_ms < rig->schedule.deadline_ms)
        return;
    if (is_due(rig)) {
        close_counted(day);
    } else {
        must(day->goes_back && rig->wall_ms + 5000 < rig->schedule.open.end_ms,
             "only a clock that was set back is waited for");
        must(rig->schedule.deadline_ms <= rig->mono_ms + 10000, "and is looked at again");
    }
    day->stored = rig->schedule.open;
}

START_TEST(test_days)
{
    for (uint32_t seed = 1; seed <= 100; seed++) {
        struct day day = {.goes_back = seed % 2 == 0};
        struct rig *rig = &day.rig;
        uint64_t spans_ms, lived_ms;

        rig_init(rig, 10000, true, WALL_MS + seed * 777);
        rig->random = seed * 7919;
        rig->last_end_ms = rig->schedule.open.end_ms - 10000;
        day.stored = rig->schedule.open;
        while (rig->mono_ms < MONO_MS + DAY_MS)
            live(&day);
        for (int i = 0; i < 2; i++) { /* what is known of slots behind one is seen with the next */
            pass(rig, rig->schedule.deadline_ms > rig->mono_ms
                          ? rig->schedule.deadline_ms - rig->mono_ms
                          : 0);
            while (!is_due(rig))
                pass(rig, rig->schedule.deadline_ms - rig->mono_ms);
            close_counted(&day);
        }
        spans_ms = rig->covered_ms;
        lived_ms = rig->mono_ms - MONO_MS - day.down_ms;
        ck_assert_uint_gt(day.n_disturbed, 100);
        ck_assert_msg(spans_ms <= lived_ms + 2500 * day.n_disturbed &&
                          lived_ms <= spans_ms + 2500 * day.n_disturbed,
                      "seed %u: %" PRIu64 " of %" PRIu64 " ms", seed, spans_ms, lived_ms);
        ck_assert_uint_gt(day.n_missing, 10);
        ck_assert(day.goes_back || rig->n_overruns == day.n_missing);
    }
}
END_TEST

/* What was opened with other settings keeps its end and its span; behind it the new ones hold. */
static const struct {
    uint64_t then_ms, now_ms, left_ms;
} settings[] = {
    {20000, 2000, 18000},
    {60000, 10000, 55000},
    {10000, 60000, 5000},
};

START_TEST(test_resumed_with_other_settings)
{
    const struct interval open = {.end_ms =
                                      1000000020000 / settings[_i].then_ms * settings[_i].then_ms +
                                      settings[_i].then_ms,
                                  .span_ms = settings[_i].then_ms};
    uint64_t wall_ms = open.end_ms - settings[_i].left_ms, mono_ms = 5000;
    struct schedule schedule;
    struct interval out;

    schedule_resume(&schedule, settings[_i].now_ms, true, &open, true, mono_ms, wall_ms);
    ck_assert(!schedule_due(&schedule, mono_ms + settings[_i].left_ms - 1, open.end_ms - 1));
    ck_assert(!schedule.holding);
    ck_assert(schedule_due(&schedule, mono_ms + settings[_i].left_ms, open.end_ms));
    schedule_close(&schedule, mono_ms + settings[_i].left_ms, open.end_ms, &out);
    ck_assert_uint_eq(out.end_ms, open.end_ms);
    ck_assert_uint_eq(out.span_ms, open.span_ms);
    ck_assert_uint_eq(schedule.open.end_ms % settings[_i].now_ms, 0);
    ck_assert_uint_gt(schedule.open.end_ms, open.end_ms);
    ck_assert_uint_le(schedule.open.span_ms, settings[_i].now_ms + settings[_i].now_ms / 10);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("schedule");
    TCase *tcase = tcase_create("schedule");
    SRunner *runner;
    int n_failed;

    tcase_add_loop_test(tcase, test_resumed_with_other_settings, 0,
                        sizeof(settings) / sizeof(settings[0]));
    tcase_add_test(tcase, test_first_interval);
    tcase_add_test(tcase, test_a_day_of_late_flushes);
    tcase_add_test(tcase, test_overruns);
    tcase_add_test(tcase, test_a_day_of_overruns);
    tcase_add_test(tcase, test_clock_set_forward);
    tcase_add_test(tcase, test_clock_set_back_a_little);
    tcase_add_test(tcase, test_clock_set_back_holds);
    tcase_add_test(tcase, test_clock_set_back_and_forward_again);
    tcase_add_test(tcase, test_any_steps);
    tcase_add_test(tcase, test_keep_above);
    tcase_add_test(tcase, test_keep_above_and_forward_again);
    tcase_add_test(tcase, test_resume);
    tcase_add_test(tcase, test_resume_while_held);
    tcase_add_test(tcase, test_days);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
