/*
 * target: see target.h. One question at a time, so that an answer behind the one that was asked for
 * is known to be unasked.
 */
#include "sender/target.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* How long an answer may take where other addresses are known, where none are, and in a hurry. */
#define KNOWN_WAIT_MS   1000
#define UNKNOWN_WAIT_MS 12000
#define HURRY_WAIT_MS   2000
/* A resolver that has not answered by then never will. */
#define ANSWER_MS 35000

void
target_init(struct target *target, int ask_fd, int addresses_fd, const char *destination,
            uint32_t fresh_ms)
{
    struct resolved stale;

    memset(target, 0, sizeof(*target));
    target->ask_fd = ask_fd;
    target->addresses_fd = addresses_fd;
    target->fresh_ms = fresh_ms;
    target->error = EAI_AGAIN;
    snprintf(target->destination, sizeof(target->destination), "%s", destination);
    while (read(addresses_fd, &stale, sizeof(stale)) > 0)
        continue;
}

/* Addresses of another destination than before are no use, even where the new one has none yet. */
static bool
move(struct target *target, struct resolved *answer)
{
    answer->destination[sizeof(answer->destination) - 1] = '\0';
    if (strcmp(answer->destination, target->destination) == 0)
        return false;
    memcpy(target->destination, answer->destination, sizeof(target->destination));
    target->addresses.n = 0;
    return true;
}

static enum target_news
take(struct target *target, struct resolved *answer, uint64_t now_ms)
{
    bool was_asked = target->asked, moved = move(target, answer);

    target->asked = false;
    target->error = answer->n < 0 ? answer->n : EAI_AGAIN;
    if (answer->n > 0 && answer->n <= NET_ADDRESSES_MAX) {
        target->addresses = *answer;
        target->fresh_until_ms = now_ms + target->fresh_ms;
    }
    target->has_news |= answer->n > 0 && (moved || !was_asked);
    if (moved)
        return TARGET_MOVED;
    return was_asked || answer->n <= 0 ? TARGET_NOTHING : TARGET_UNASKED;
}

enum target_news
target_read(struct target *target, uint64_t now_ms)
{
    enum target_news news = TARGET_NOTHING;
    struct resolved answer;
    ssize_t n;

    while ((n = read(target->addresses_fd, &answer, sizeof(answer))) > 0) {
        enum target_news next = n == (ssize_t)sizeof(answer) ? take(target, &answer, now_ms) : news;

        if (next > news)
            news = next;
    }
    if (n == 0)
        target->addresses_fd = -1;
    return news;
}

static uint64_t
patience_ms(const struct target *target, bool hurry)
{
    if (target->addresses.n > 0)
        return hurry ? 0 : KNOWN_WAIT_MS;
    return hurry ? HURRY_WAIT_MS : UNKNOWN_WAIT_MS;
}

static void
ask(struct target *target, uint64_t now_ms)
{
    target->asked = target->addresses_fd >= 0 && write(target->ask_fd, "", 1) == 1;
    target->asked_ms = now_ms;
}

/* Where the wait for an answer was in vain once, it is not waited for again. */
static bool
is_good_enough(const struct target *target, uint64_t now_ms)
{
    return target->addresses.n > 0 && (now_ms < target->fresh_until_ms ||
                                       (target->asked && now_ms < target->asked_ms + ANSWER_MS));
}

enum target_state
target_seek(struct target *target, bool hurry, uint64_t now_ms)
{
    target->has_news = false;
    if (!target->waiting) {
        if (is_good_enough(target, now_ms))
            return TARGET_READY;
        ask(target, now_ms);
        target->deadline_ms = now_ms + patience_ms(target, hurry);
    }
    target->waiting = target->asked && now_ms < target->deadline_ms;
    if (target->waiting)
        return TARGET_WAITING;
    return target->addresses.n > 0 ? TARGET_READY : TARGET_UNKNOWN;
}

bool
target_doubt(struct target *target)
{
    if (target->has_news)
        return false;
    target->fresh_until_ms = 0;
    return true;
}

void
target_hurry(struct target *target, uint64_t now_ms)
{
    uint64_t deadline_ms = now_ms + patience_ms(target, true);

    if (deadline_ms < target->deadline_ms)
        target->deadline_ms = deadline_ms;
}
