/*
 * health: what is wrong with a daemon, from its numbers. Pure: time is one of them.
 */
#ifndef WORKER_HEALTH_H
#define WORKER_HEALTH_H

#include <stddef.h>
#include <stdint.h>

enum health_state { HEALTH_OK, HEALTH_WARNING, HEALTH_CRITICAL };

/* "ok", "warning", "critical". */
const char *health_state_name(enum health_state state);

/* Times are milliseconds of one clock; 0: never. */
struct health_facts {
    uint64_t now_ms, started_ms, interval_ms;
    uint64_t worker_told_ms, sender_told_ms; /* when each said that it gets on */
    uint64_t worker_restarted_ms, sender_restarted_ms;
    uint64_t last_success_ms, n_waiting; /* lines that are not delivered */
    uint64_t queue_bytes, queue_limit, spool_bytes, spool_limit;
    uint64_t last_drop_ms, n_dropped; /* lines that never will be, ever */
    uint64_t udp_drops, refused;      /* of the last interval */
};

#define HEALTH_PROBLEMS_MAX 10
#define HEALTH_TEXT_MAX     160

struct health {
    enum health_state state; /* the worst of them */
    size_t n;
    char problems[HEALTH_PROBLEMS_MAX][HEALTH_TEXT_MAX];
};

/* Judges, the worst first. */
void health_judge(const struct health_facts *facts, struct health *out);

#endif
