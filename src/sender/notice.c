/*
 * notice: see notice.h. Changes nothing but the board.
 */
#include "sender/notice.h"

#include "base/clock.h"

static void
tell_ledger(const struct ledger *ledger, uint64_t n_queued, struct board_delivery *board)
{
    uint64_t n_dropped = ledger_dropped(ledger);

    board_set(&board->emitted, ledger->emitted);
    board_set(&board->delivered, ledger->delivered);
    board_set(&board->queued, n_queued);
    board_set(&board->spooled, ledger->spooled);
    /* What was dropped before the daemon started, nobody has told it yet. */
    if (board->told_ms != 0 && n_dropped > board->dropped)
        board_set(&board->last_drop_ms, clock_wall_ms());
    board_set(&board->dropped, n_dropped);
}

/* What is delivered and kept all the same gives way to what is not. */
static uint64_t
waiting_bytes(const struct vault *vault)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < vault->n_live; i++) {
        const struct vault_slot *slot = vault_at(vault, vault->live[i]);

        if (slot->state == VAULT_QUEUED)
            bytes += vault_size(slot->len);
    }
    return bytes;
}

void
notice_state(struct delivery *delivery, uint64_t now_ms)
{
    struct board_delivery *board = &delivery->opts->board->delivery;
    struct backlog *backlog = &delivery->backlog;
    size_t n_batches;

    if (now_ms < delivery->noticed_ms + NOTICE_MS)
        return;
    delivery->noticed_ms = now_ms;
    tell_ledger(queue_ledger(&backlog->queue), queue_lines(&backlog->queue, &n_batches), board);
    board_set(&board->queue_bytes, waiting_bytes(&backlog->queue.vault));
    board_set(&board->queue_limit, backlog->queue.limit);
    board_set(&board->spool_bytes, backlog->stow.is_open ? backlog->stow.spool.n_bytes : 0);
    board_set(&board->spool_limit, backlog->stow.is_open ? delivery->opts->spool_max_bytes : 0);
    if (!delivery->opts->deliver)
        board_set(&board->carbon, BOARD_CARBON_OFF);
    board_set(&board->told_ms, clock_wall_ms());
}

void
notice_now(struct delivery *delivery)
{
    delivery->noticed_ms = 0;
    notice_state(delivery, clock_mono_ms());
}

void
notice_success(struct delivery *delivery, uint64_t n_refused, uint64_t now_ms)
{
    struct board_delivery *board = &delivery->opts->board->delivery;

    if (delivery->opts->deliver)
        board_set(&board->carbon, BOARD_CARBON_CONNECTED);
    board_set(&board->last_success_ms, clock_wall_ms());
    board_set(&board->last_lines, delivery->item.batch.n_lines - n_refused);
    board_set(&board->last_bytes, delivery->carbon.n_written);
    board_set(&board->last_took_ms, delivery->opts->deliver ? now_ms - delivery->began_ms : 0);
    delivery->noticed_ms = 0; /* what waits is less at once */
}

void
notice_failure(struct board_delivery *board)
{
    board_set(&board->carbon, BOARD_CARBON_AWAY);
    board_set(&board->last_failure_ms, clock_wall_ms());
    board_count(&board->send_failures);
}
