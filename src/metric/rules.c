/*
 * rules: judges one metric at one flush. Knows nothing of tables, of points, or of how a rule came
 * to be set.
 */
#include "metric/rules.h"

/* At exactly expire_ms it still goes, as py-statsd has it. A sample may be younger than the end. */
static bool
is_expired(const struct rules *rules, const struct rules_case *c)
{
    uint64_t expire_ms = rules->expire_ms[c->type];

    return expire_ms != 0 && c->end_ms > c->updated_ms && c->end_ms - c->updated_ms > expire_ms;
}

/* Etsy's deleteGauges: the flush with the update was the first of gauges_max_ttl. */
static bool
is_outlived(const struct rules *rules, const struct rules_case *c)
{
    return rules->omit_idle_gauges && (uint64_t)c->n_idle + 2 > rules->gauges_max_ttl;
}

static enum rules_verdict
judge_idle(const struct rules *rules, const struct rules_case *c)
{
    if (c->updated_ms == 0 || is_expired(rules, c))
        return RULES_FORGET;
    if (c->type == METRIC_GAUGE) {
        if (is_outlived(rules, c))
            return RULES_FORGET;
        return c->gauge_known ? RULES_SEND_IDLE : RULES_SKIP;
    }
    if (rules->idle_zero[c->type])
        return RULES_SEND_IDLE;
    return c->n_idle < RULES_IDLE_MAX - 1 ? RULES_SKIP : RULES_FORGET;
}

enum rules_verdict
rules_judge(const struct rules *rules, const struct rules_case *c)
{
    if (c->touched)
        return RULES_SEND;
    enum rules_verdict verdict = judge_idle(rules, c);
    return verdict == RULES_FORGET && c->touched_since ? RULES_SKIP : verdict;
}
