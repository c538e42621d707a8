/*
 * ledger: see ledger.h.
 */
#include "sender/ledger.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const reasons[LEDGER_REASONS] = {
    [LEDGER_QUEUE] = "queue",   [LEDGER_SPOOL] = "spool",     [LEDGER_REFUSED] = "refused",
    [LEDGER_MEMORY] = "memory", [LEDGER_CORRUPT] = "corrupt", [LEDGER_UNCERTAIN] = "uncertain",
    [LEDGER_LOST] = "lost",
};

const char *
ledger_reason(enum ledger_reason reason)
{
    return reasons[reason];
}

uint64_t
ledger_dropped(const struct ledger *ledger)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < LEDGER_REASONS; i++)
        sum += ledger->dropped[i];
    return sum;
}

void
ledger_format(const struct ledger *ledger, uint64_t n_queued, const struct board_ledger *received,
              char out[LEDGER_TEXT_MAX])
{
    snprintf(out, LEDGER_TEXT_MAX,
             "ledger: received %" PRIu64 " = applied %" PRIu64 " + filtered %" PRIu64
             " + bad %" PRIu64 " + refused %" PRIu64 "; emitted %" PRIu64 " = delivered %" PRIu64
             " + queued %" PRIu64 " + spooled %" PRIu64 " + dropped %" PRIu64
             "; kernel drops %" PRIu64 ", quarantined %" PRIu64,
             received->lines, received->applied, received->filtered, received->bad,
             received->refused, ledger->emitted, ledger->delivered, n_queued, ledger->spooled,
             ledger_dropped(ledger), received->udp_drops, received->quarantined);
}
