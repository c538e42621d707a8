/*
 * tally: see tally.h.
 */
#include "sender/tally.h"

static void
add_if_any(struct batch *batch, const char *name, uint64_t count)
{
    if (count > 0)
        batch_add_own(batch, name, (double)count);
}

void
tally_report(struct tally *tally, const struct tally_now *now, struct batch *batch)
{
    batch_add_own(batch, "lines_sent", (double)tally->lines_sent);
    batch_add_own(batch, "send_failures", (double)tally->failures);
    batch_add_own(batch, "reconnects", (double)tally->reconnects);
    batch_add_own(batch, "queue_lines", (double)now->queue_lines);
    batch_add_own(batch, "queue_dropped", (double)tally->lines_dropped);
    batch_add_own(batch, "last_success_age", (double)now->last_success_age_s);
    batch_add_own(batch, "restarts.sender", (double)now->n_restarts);
    add_if_any(batch, "lines_refused", tally->lines_refused);
    add_if_any(batch, "frames_bad", tally->frames_bad);
    *tally = (struct tally){0};
}
