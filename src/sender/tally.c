/*
 * tally: see tally.h.
 */
#include "sender/tally.h"

#include <stdio.h>

static void
add_if_any(struct batch *batch, const char *name, uint64_t count)
{
    if (count > 0)
        batch_add_own(batch, name, (double)count);
}

/* What was told may have been put right since. */
static uint64_t
since(uint64_t now, uint64_t told)
{
    return now > told ? now - told : 0;
}

static uint64_t
dropped(const struct tally_now *now, enum ledger_reason reason)
{
    return since(now->ledger->dropped[reason], now->told->dropped[reason]);
}

/* Of what is no trouble of every day. */
static void
add_reasons(const struct tally_now *now, struct batch *batch)
{
    static const enum ledger_reason reasons[] = {LEDGER_MEMORY, LEDGER_CORRUPT, LEDGER_UNCERTAIN};
    char name[32];

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        snprintf(name, sizeof(name), "dropped.%s", ledger_reason(reasons[i]));
        add_if_any(batch, name, dropped(now, reasons[i]));
    }
}

void
tally_report(struct tally *tally, const struct tally_now *now, struct batch *batch)
{
    const struct ledger *ledger = now->ledger, *told = now->told;

    batch_add_own(batch, "lines_emitted", (double)since(ledger->emitted, told->emitted));
    batch_add_own(batch, "lines_sent", (double)since(ledger->delivered, told->delivered));
    batch_add_own(batch, "send_failures", (double)tally->failures);
    batch_add_own(batch, "reconnects", (double)tally->reconnects);
    batch_add_own(batch, "queue_lines", (double)now->queue_lines);
    batch_add_own(batch, "queue_dropped", (double)dropped(now, LEDGER_QUEUE));
    if (now->has_spool) {
        batch_add_own(batch, "spool_lines", (double)ledger->spooled);
        batch_add_own(batch, "spool_dropped", (double)dropped(now, LEDGER_SPOOL));
    }
    batch_add_own(batch, "last_success_age", (double)now->last_success_age_s);
    batch_add_own(batch, "restarts.sender", (double)now->n_restarts);
    add_if_any(batch, "lines_replayed", since(ledger->replayed, told->replayed));
    add_if_any(batch, "lines_refused", dropped(now, LEDGER_REFUSED));
    add_reasons(now, batch);
    add_if_any(batch, "frames_bad", tally->frames_bad);
    *tally = (struct tally){0};
}
