/*
 * part: see part.h. Changes nothing but what it is given.
 */
#include "worker/part.h"

/* Where nothing waits and carbon has died unseen, one part waits then, and no second one. */
enum part_verdict
part_judge(struct part *part, const struct board_delivery *board, uint64_t now_ms)
{
    bool is_away = board_get(&board->carbon) == BOARD_CARBON_AWAY;
    enum part_verdict verdict = PART_BEGINS;

    if (part->wanted_ms == 0)
        part->wanted_ms = now_ms;
    if (is_away || board_get(&board->queued) + board_get(&board->spooled) > 0)
        verdict =
            is_away || now_ms >= part->wanted_ms + PART_PATIENCE_MS ? PART_REFUSED : PART_WAITS;
    if (verdict != PART_WAITS)
        part->wanted_ms = 0;
    return verdict;
}

void
part_note(struct part *part, const struct store_map *map, unsigned n_shards)
{
    uint64_t n_packets = 0;

    for (unsigned i = 0; i < n_shards; i++)
        n_packets += store_region(map, i)->stats.packets;
    part->is_busy = n_packets != part->n_packets;
    part->n_packets = n_packets;
}
