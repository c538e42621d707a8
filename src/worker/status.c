/*
 * status: see status.h. Owns the keys and their order.
 */
#include "worker/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bulletin.h"
#include "base/clock.h"
#include "base/num.h"
#include "worker/health.h"

/* All that the keys are made of, as it was at one moment. */
struct facts {
    uint64_t now_ms; /* wall clock */
    struct desk_facts desk;
    struct selfstat total, closed; /* ever, and of the last interval */
    uint64_t memory_used;
    struct buf config; /* the settings' text, with a NUL */
};

/* ---- gathering */

static void
gather_shards(struct hold *hold, struct facts *facts)
{
    hold_begin(hold);
    for (size_t i = 0; i < hold->n; i++) {
        const struct store_region *region = hold->shards[i].region;

        selfstat_add(&facts->total, &region->total);
        selfstat_add(&facts->total, &region->stats);
        selfstat_add(&facts->closed, &region->closed);
        facts->memory_used += region->table.arena.used;
    }
    hold_end(hold);
}

static void
gather(const struct reply *reply, struct facts *facts)
{
    *facts = (struct facts){.now_ms = clock_wall_ms()};
    desk_ask(reply->desk, &facts->desk);
    gather_shards(reply->desk->hold, facts);
    buf_init(&facts->config, BULLETIN_MAX + 1);
    (void)bulletin_read(reply->desk->opts->config, &facts->config);
    (void)buf_append(&facts->config, "", 1);
}

/* ---- lines */

static void
say(struct reply *reply, const char *key, uint64_t value)
{
    reply_say(reply, "%s %" PRIu64 "\n", key, value);
}

static void
say_if_any(struct reply *reply, const char *key, const char *part, uint64_t value)
{
    if (value > 0)
        reply_say(reply, "%s.%s %" PRIu64 "\n", key, part, value);
}

static void
say_or_dash(struct reply *reply, const char *key, bool is_known, uint64_t value)
{
    if (is_known)
        say(reply, key, value);
    else
        reply_say(reply, "%s -\n", key);
}

/* Of an interval, per second. */
static void
say_rate(struct reply *reply, const char *key, const struct facts *facts, uint64_t count)
{
    uint64_t span_ms = facts->desk.closed.span_ms;
    char digits[NUM_TEXT_MAX];

    if (span_ms == 0) {
        reply_say(reply, "%s -\n", key);
        return;
    }
    /* A tenth is as exact as it is worth. */
    reply_say(reply, "%s %.*s\n", key,
              (int)num_format((double)(count * 10000 / span_ms) / 10, digits), digits);
}

/* A setting's value, borrowed from the text, or "". */
static const char *
setting(const struct facts *facts, const char *key, int *out_len)
{
    const char *line = (const char *)facts->config.data;
    size_t len = strlen(key);

    for (; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, len) == 0 && line[len] == '=') {
            *out_len = (int)strcspn(line + len + 2, "\"'\n");
            return line + len + 2;
        }
    }
    *out_len = 0;
    return "";
}

static void
say_places(struct reply *reply, const struct facts *facts)
{
    int address_len, host_len, port_len, transport_len;
    const char *address = setting(facts, "LISTEN_ADDRESS", &address_len);
    const char *host = setting(facts, "GRAPHITE_HOST", &host_len);
    const char *transport = setting(facts, "TRANSPORT", &transport_len);
    const char *port = setting(facts, "LOCAL_PYSTATD_PORT", &port_len);

    reply_say(reply, "listen udp %.*s:%.*s\n", address_len > 0 ? address_len : 1,
              address_len > 0 ? address : "*", port_len, port);
    port = setting(facts, "GRAPHITE_PORT", &port_len);
    if (transport_len == 4 && memcmp(transport, "none", 4) == 0)
        reply_say(reply, "destination none\n");
    else if (memchr(host, ']', (size_t)host_len) != NULL ||
             (memchr(host, ':', (size_t)host_len) != NULL &&
              memchr(host, ':', (size_t)host_len) == memrchr(host, ':', (size_t)host_len)))
        reply_say(reply, "destination %.*s\n", host_len, host);
    else
        reply_say(reply, "destination %.*s:%.*s\n", host_len, host, port_len, port);
}

/* ---- parts */

static void
say_health(struct reply *reply, const struct facts *facts)
{
    const struct board *board = reply->desk->opts->board;
    const struct board_delivery *delivery = &board->delivery;
    const struct board_child *children = board->master.children;
    struct health_facts health = {
        .now_ms = facts->now_ms,
        .started_ms = board_get(&board->master.started_ms),
        .interval_ms = reply->desk->opts->flush_ms,
        .worker_told_ms = facts->desk.told_ms,
        .sender_told_ms = board_get(&delivery->told_ms),
        .worker_restarted_ms = board_get(&children[BOARD_WORKER].restarted_ms),
        .sender_restarted_ms = board_get(&children[BOARD_SENDER].restarted_ms),
        .last_success_ms = board_get(&delivery->last_success_ms),
        .n_waiting = board_get(&delivery->queued) + board_get(&delivery->spooled),
        .queue_bytes = board_get(&delivery->queue_bytes),
        .queue_limit = board_get(&delivery->queue_limit),
        .spool_bytes = board_get(&delivery->spool_bytes),
        .spool_limit = board_get(&delivery->spool_limit),
        .last_drop_ms = board_get(&delivery->last_drop_ms),
        .n_dropped = board_get(&delivery->dropped),
        .udp_drops = facts->closed.udp_drops,
        .refused = selfstat_refused(&facts->closed),
    };
    struct health judged;

    health_judge(&health, &judged);
    reply_say(reply, "state %s\n", health_state_name(judged.state));
    for (size_t i = 0; i < judged.n; i++)
        reply_say(reply, "problem %s\n", judged.problems[i]);
}

static void
say_processes(struct reply *reply, const struct facts *facts)
{
    const struct board_master *master = &reply->desk->opts->board->master;
    const struct board_child *children = master->children;
    uint64_t started_ms = board_get(&master->started_ms);

    reply_say(reply, "version %s\n", PYSTATSD_VERSION);
    say(reply, "uptime_s", facts->now_ms > started_ms ? (facts->now_ms - started_ms) / 1000 : 0);
    say(reply, "now", facts->now_ms / 1000);
    say_health(reply, facts);
    say(reply, "pid.master", board_get(&master->pid));
    say(reply, "pid.worker", board_get(&children[BOARD_WORKER].pid));
    say(reply, "pid.sender", board_get(&children[BOARD_SENDER].pid));
    say(reply, "restarts.worker", board_get(&children[BOARD_WORKER].n_restarts));
    say(reply, "restarts.sender", board_get(&children[BOARD_SENDER].n_restarts));
    say(reply, "interval_ms", reply->desk->opts->flush_ms);
    say_places(reply, facts);
}

static void
say_received(struct reply *reply, const struct facts *facts)
{
    const struct selfstat *total = &facts->total, *closed = &facts->closed;

    say_rate(reply, "packets_per_s", facts, closed->packets);
    say_rate(reply, "bytes_per_s", facts, closed->bytes);
    say_rate(reply, "lines_per_s", facts, closed->lines);
    say_rate(reply, "lines_sent_per_s", facts,
             board_get(&reply->desk->opts->board->delivery.last_lines));
    say(reply, "packets", total->packets);
    say(reply, "bytes", total->bytes);
    say(reply, "lines", total->lines);
    say(reply, "applied", total->verdicts[TABLE_APPLIED]);
    say(reply, "filtered", total->verdicts[TABLE_FILTERED]);
    say(reply, "bad", selfstat_bad(total));
    say(reply, "refused", selfstat_refused(total));
    say(reply, "udp_drops", total->udp_drops);
    say(reply, "truncated", total->truncated);
    say(reply, "quarantined", total->quarantined);
    for (unsigned i = 0; i < PARSE_ERROR_COUNT; i++)
        say_if_any(reply, "bad", parse_error_name(i), total->bad[i]);
    for (unsigned i = 0; i < TABLE_VERDICT_COUNT; i++) {
        if (i != TABLE_APPLIED && i != TABLE_FILTERED)
            say_if_any(reply, "refused", table_verdict_names[i], total->verdicts[i]);
    }
}

static void
say_kept(struct reply *reply, const struct facts *facts)
{
    const struct worker_opts *opts = reply->desk->opts;
    bool has_flushed = facts->desk.closed.end_ms != 0;
    char key[32];

    /* A flush counts them. */
    for (unsigned i = 0; i < METRIC_TYPE_COUNT; i++) {
        snprintf(key, sizeof(key), "metrics.%s", metric_type_name(i));
        say_or_dash(reply, key, has_flushed, facts->desk.n_metrics[i]);
    }
    say(reply, "memory_used", facts->memory_used);
    say(reply, "memory_limit", opts->memory_limit);
    say(reply, "max_metrics", (uint64_t)opts->max_metrics * opts->n_threads);
    say_or_dash(reply, "flush_ms", has_flushed, facts->desk.flush_ms);
    say(reply, "flush_overruns", facts->desk.n_overruns);
}

static void
say_sent(struct reply *reply, const struct facts *facts)
{
    static const char *const carbons[] = {
        [BOARD_CARBON_UNKNOWN] = "unknown",
        [BOARD_CARBON_CONNECTED] = "connected",
        [BOARD_CARBON_AWAY] = "away",
        [BOARD_CARBON_OFF] = "off",
    };
    const struct board_delivery *board = &reply->desk->opts->board->delivery;
    uint64_t success_ms = board_get(&board->last_success_ms), carbon = board_get(&board->carbon);

    say(reply, "emitted", board_get(&board->emitted));
    say(reply, "delivered", board_get(&board->delivered));
    say(reply, "queued", board_get(&board->queued));
    say(reply, "spooled", board_get(&board->spooled));
    say(reply, "dropped", board_get(&board->dropped));
    say(reply, "queue_bytes", board_get(&board->queue_bytes));
    say(reply, "queue_limit", board_get(&board->queue_limit));
    say(reply, "spool_bytes", board_get(&board->spool_bytes));
    say(reply, "spool_limit", board_get(&board->spool_limit));
    say(reply, "reconnects", board_get(&board->reconnects));
    say(reply, "send_failures", board_get(&board->send_failures));
    say_or_dash(reply, "last_success_age_s", success_ms != 0,
                facts->now_ms > success_ms ? (facts->now_ms - success_ms) / 1000 : 0);
    reply_say(reply, "carbon %s\n", carbons[carbon <= BOARD_CARBON_OFF ? carbon : 0]);
}

static enum reply_progress
step_status(struct reply *reply)
{
    struct facts facts;

    gather(reply, &facts);
    say_processes(reply, &facts);
    say_received(reply, &facts);
    say_kept(reply, &facts);
    say_sent(reply, &facts);
    buf_release(&facts.config);
    return REPLY_DONE;
}

const char *
status_begin(struct reply *reply, const char *argument)
{
    reply->step = step_status;
    return argument[0] != '\0' ? "it takes no argument" : NULL;
}
