/*
 * health: see health.h.
 */
#include "worker/health.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* A process that says nothing for so long does not get on. */
#define SILENT_MS 5000
/* How long a restart, or a loss, is worth a word. */
#define RECENT_MS (5 * 60 * 1000)
/* Intervals without a delivery while something waits. */
#define INTERVALS_MAX 3

const char *
health_state_name(enum health_state state)
{
    static const char *const names[] = {"ok", "warning", "critical"};

    return names[state];
}

static void __attribute__((format(printf, 3, 4)))
add(struct health *health, enum health_state state, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(health->problems[health->n++], HEALTH_TEXT_MAX, format, arguments);
    va_end(arguments);
    if (state > health->state)
        health->state = state;
}

static uint64_t
since(const struct health_facts *facts, uint64_t ms)
{
    return facts->now_ms > ms ? facts->now_ms - ms : 0;
}

static void
judge_process(const struct health_facts *facts, const char *name, uint64_t told_ms,
              struct health *out)
{
    uint64_t silent_ms = since(facts, told_ms != 0 ? told_ms : facts->started_ms);

    if (silent_ms > SILENT_MS)
        add(out, HEALTH_CRITICAL, "the %s has made no progress for %" PRIu64 " s", name,
            silent_ms / 1000);
}

static void
judge_restart(const struct health_facts *facts, const char *name, uint64_t restarted_ms,
              struct health *out)
{
    uint64_t ago_ms = since(facts, restarted_ms);

    if (restarted_ms != 0 && ago_ms < RECENT_MS)
        add(out, HEALTH_WARNING, "the %s was restarted %" PRIu64 " s ago", name, ago_ms / 1000);
}

static void
judge_room(const char *name, uint64_t bytes, uint64_t limit, struct health *out)
{
    if (bytes > limit / 2)
        add(out, HEALTH_WARNING, "the %s is at %" PRIu64 " %% of its limit", name,
            bytes * 100 / (limit > 0 ? limit : 1));
}

static void
judge_drops(const struct health_facts *facts, struct health *out)
{
    uint64_t ago_ms = since(facts, facts->last_drop_ms);

    if (facts->last_drop_ms != 0 && ago_ms < RECENT_MS)
        add(out, HEALTH_WARNING,
            "lines that carbon had not taken were dropped %" PRIu64 " s ago, %" PRIu64 " in all",
            ago_ms / 1000, facts->n_dropped);
}

void
health_judge(const struct health_facts *facts, struct health *out)
{
    uint64_t success_ms = facts->last_success_ms != 0 ? facts->last_success_ms : facts->started_ms;

    *out = (struct health){.state = HEALTH_OK};
    judge_process(facts, "worker", facts->worker_told_ms, out);
    judge_process(facts, "sender", facts->sender_told_ms, out);
    if (facts->n_waiting > 0 && since(facts, success_ms) > INTERVALS_MAX * facts->interval_ms)
        add(out, HEALTH_CRITICAL, "nothing was delivered for %" PRIu64 " s, %" PRIu64 " lines wait",
            since(facts, success_ms) / 1000, facts->n_waiting);
    judge_room("queue", facts->queue_bytes, facts->queue_limit, out);
    judge_room("spool", facts->spool_bytes, facts->spool_limit, out);
    judge_drops(facts, out);
    if (facts->udp_drops > 0)
        add(out, HEALTH_WARNING, "the kernel dropped %" PRIu64 " datagrams in the last interval",
            facts->udp_drops);
    if (facts->refused > 0)
        add(out, HEALTH_WARNING, "%" PRIu64 " lines were refused in the last interval",
            facts->refused);
    judge_restart(facts, "worker", facts->worker_restarted_ms, out);
    judge_restart(facts, "sender", facts->sender_restarted_ms, out);
}
