/*
 * sender: the loop that brings frames to batches and batches to carbon. sender_run shows the data's
 * way.
 */
#include "sender/sender.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_event.h"
#include "base/ready.h"
#include "sender/delivery.h"
#include "sender/intake.h"
#include "sender/notice.h"

/* Often enough for the heart to beat every second, and for a connection's progress to be seen. */
#define WAKE_MS 500

_Static_assert(SENDER_LAYOUT == VAULT_LAYOUT, "the arena is the vault's file");

struct sender {
    const struct sender_opts *opts;
    struct intake intake;
    struct delivery delivery;
};

static void
init(struct sender *sender, const struct sender_opts *opts)
{
    sender->opts = opts;
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    srandom((unsigned)clock_wall_ms() ^ (unsigned)getpid());
    delivery_open(&sender->delivery, opts);
    intake_init(&sender->intake, opts, &sender->delivery);
}

static void
release(struct sender *sender)
{
    intake_release(&sender->intake);
    delivery_close(&sender->delivery);
}

static void
wait_for_events(struct sender *sender)
{
    enum { SLOT_PIPE, SLOT_ADDRESSES, SLOT_CARBON, N_SLOTS };
    const struct carbon *carbon = &sender->delivery.carbon;
    struct pollfd slots[N_SLOTS] = {
        [SLOT_PIPE] = {.fd = sender->intake.has_ended ? -1 : sender->opts->pipe_fd,
                       .events = POLLIN},
        [SLOT_ADDRESSES] = {.fd = sender->delivery.target.addresses_fd, .events = POLLIN},
        [SLOT_CARBON] = {.fd = carbon->fd, .events = carbon_events(carbon)},
    };
    uint64_t now_ms = clock_mono_ms(), deadline_ms = delivery_deadline(&sender->delivery);

    if (deadline_ms > now_ms + WAKE_MS)
        deadline_ms = now_ms + WAKE_MS;
    board_count(&sender->opts->board->beats[BOARD_SENDER]);
    notice_state(&sender->delivery, now_ms);
    if (poll(slots, N_SLOTS, clock_poll_timeout(now_ms, deadline_ms)) < 0 && errno != EINTR)
        fatal(EXIT_FAILURE, "poll");
}

static void
sender_run(struct sender *sender)
{
    while (!delivery_is_over(&sender->delivery)) {
        wait_for_events(sender);
        intake_read(&sender->intake);
        if (sender->intake.has_ended && !sender->delivery.stopping)
            delivery_stop(&sender->delivery);
        delivery_go(&sender->delivery);
        log_tick();
    }
}

int
sender_main(const struct sender_opts *opts)
{
    struct sender *sender = calloc(1, sizeof(*sender));

    if (sender == NULL)
        fatal(EXIT_FAILURE, "cannot start the sender");
    init(sender, opts);
    ready_tell(opts->ready_fd, opts->detach);
    sender_run(sender);
    release(sender);
    free(sender);
    return 0;
}
