/*
 * outage: see outage.h.
 */
#include "sender/outage.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"

#define RETRY_FIRST_MS 1000
#define RETRY_CAP_MS   30000
#define LAST_RETRY_MS  500
/* How often an outage is told, and the same reason again. */
#define REMIND_MS 60000

static uint64_t
name_of(const char *destination)
{
    return hash_crc32c(0, destination, strlen(destination));
}

void
outage_init(struct outage *outage, struct board_outage *said, const char *destination,
            uint64_t now_ms)
{
    *outage = (struct outage){
        .backoff = {.first_ms = RETRY_FIRST_MS, .cap_ms = RETRY_CAP_MS},
        .said = said,
    };
    if (said->last_success_ms != 0 && said->destination == name_of(destination))
        return;
    outage_forget(outage, destination);
    said->last_success_ms = now_ms;
}

/* A time that is yet to come is damaged, and must not silence anything. */
static bool
is_due(uint64_t told_ms, uint64_t now_ms)
{
    return told_ms == 0 || told_ms > now_ms || now_ms >= told_ms + REMIND_MS;
}

static enum outage_word
word_for(const struct outage *outage, const char *why, bool stopping, uint64_t now_ms)
{
    if (outage->said->told == 0 && is_due(outage->said->told_ms, now_ms))
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

    if (!outage->failing && outage->said->told == 0)
        outage->said->n_untold++;
    outage->failing = true;
    outage->retry_ms = now_ms + (stopping ? LAST_RETRY_MS : wait_ms);
    if (word != OUTAGE_SILENCE) {
        snprintf(outage->reason, sizeof(outage->reason), "%s", why);
        outage->reason_ms = now_ms;
    }
    return word;
}

void
outage_told(struct outage *outage, uint64_t now_ms)
{
    outage->said->told_ms = now_ms;
    outage->said->n_untold = 0;
    outage->said->told = 1;
}

bool
outage_end(struct outage *outage, uint64_t now_ms)
{
    bool was_told = outage->said->told != 0;

    backoff_reset(&outage->backoff);
    outage->failing = false;
    outage->said->told = 0;
    outage->said->last_success_ms = now_ms;
    return was_told;
}

void
outage_forget(struct outage *outage, const char *destination)
{
    outage->failing = false;
    *outage->said = (struct board_outage){
        .destination = name_of(destination),
        .last_success_ms = outage->said->last_success_ms,
    };
}

void
outage_hope(struct outage *outage)
{
    backoff_reset(&outage->backoff);
    outage->retry_ms = 0;
}
