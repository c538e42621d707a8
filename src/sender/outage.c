/*
 * outage: see outage.h.
 */
#include "sender/outage.h"

#include <stdio.h>
#include <string.h>

#define RETRY_FIRST_MS 1000
#define RETRY_CAP_MS   30000
#define LAST_RETRY_MS  500
/* How often an outage is told, and the same reason again. */
#define REMIND_MS 60000

void
outage_init(struct outage *outage, uint64_t now_ms)
{
    *outage = (struct outage){
        .backoff = {.first_ms = RETRY_FIRST_MS, .cap_ms = RETRY_CAP_MS},
        .last_success_ms = now_ms,
    };
}

static enum outage_word
word_for(const struct outage *outage, const char *why, bool stopping, uint64_t now_ms)
{
    if (!outage->told && (outage->told_ms == 0 || now_ms >= outage->told_ms + REMIND_MS))
        return OUTAGE_WARNING;
    if (stopping)
        return OUTAGE_SILENCE;
    if (!outage->failing || strcmp(why, outage->reason) != 0 ||
        now_ms >= outage->reason_ms + REMIND_MS)
        return OUTAGE_DETAIL;
    return OUTAGE_SILENCE;
}

enum outage_word
outage_fail(struct outage *outage, const char *why, bool stopping, uint32_t chance, uint64_t now_ms)
{
    enum outage_word word = word_for(outage, why, stopping, now_ms);
    uint32_t wait_ms = backoff_fail(&outage->backoff, chance);

    if (!outage->failing)
        outage->n_untold++;
    outage->failing = true;
    if (word == OUTAGE_WARNING) {
        outage->told = true;
        outage->told_ms = now_ms;
    }
    outage->retry_ms = now_ms + (stopping ? LAST_RETRY_MS : wait_ms);
    if (word != OUTAGE_SILENCE) {
        snprintf(outage->reason, sizeof(outage->reason), "%s", why);
        outage->reason_ms = now_ms;
    }
    return word;
}

bool
outage_end(struct outage *outage, uint64_t now_ms)
{
    bool was_told = outage->told;

    backoff_reset(&outage->backoff);
    outage->failing = outage->told = false;
    outage->last_success_ms = now_ms;
    return was_told;
}

void
outage_forget(struct outage *outage)
{
    outage->failing = outage->told = false;
    outage->told_ms = outage->n_untold = 0;
}

void
outage_hope(struct outage *outage)
{
    backoff_reset(&outage->backoff);
    outage->retry_ms = 0;
}
