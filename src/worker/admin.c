/*
 * admin: see admin.h. Owns the loop and who is let in.
 */
#include "worker/admin.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { SLOT_DESK, SLOT_DOORS, SLOT_CLIENTS = SLOT_DOORS + ADMIN_DOORS };
#define N_SLOTS (SLOT_CLIENTS + ADMIN_DOORS * ADMIN_CLIENTS_MAX)
/* How many are let in, or turned away, at once. */
#define ACCEPTED_PER_TURN 64
/* Without descriptors it is tried again after this time. */
#define CLOSED_MS 200
/* What the kernel keeps of an answer, which it else lets grow for a client that reads nothing. */
#define SEND_BUFFER (128 * 1024)

static struct client *
client_at(struct admin *admin, size_t i)
{
    return &admin->clients[i / ADMIN_CLIENTS_MAX][i % ADMIN_CLIENTS_MAX];
}

static void
let_in(struct admin *admin, enum admin_door door, int fd, uint64_t now_ms)
{
    const int bytes = SEND_BUFFER;

    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    for (size_t i = 0; i < ADMIN_CLIENTS_MAX; i++) {
        struct client *client = &admin->clients[door][i];

        if (!client->is_there &&
            client_open(client, fd, door == ADMIN_CONSOLE, admin->desk, now_ms) == 0)
            return;
    }
    close(fd);
}

static void
open_door(struct admin *admin, enum admin_door door, uint64_t now_ms)
{
    for (int i = 0; i < ACCEPTED_PER_TURN; i++) {
        int fd = accept4(admin->doors[door], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
            admin->closed_until_ms = now_ms + CLOSED_MS;
        if (fd < 0)
            return;
        let_in(admin, door, fd, now_ms);
    }
}

/* Fills the slots. Returns when to go on at the latest. */
static uint64_t
fill_slots(struct admin *admin, struct pollfd slots[N_SLOTS], uint64_t now_ms)
{
    bool is_closed = now_ms < admin->closed_until_ms;
    uint64_t deadline_ms = is_closed ? admin->closed_until_ms : UINT64_MAX;

    slots[SLOT_DESK] = (struct pollfd){.fd = admin->desk->answers_fd, .events = POLLIN};
    for (size_t i = 0; i < ADMIN_DOORS; i++)
        slots[SLOT_DOORS + i] =
            (struct pollfd){.fd = is_closed ? -1 : admin->doors[i], .events = POLLIN};
    for (size_t i = 0; i < ADMIN_DOORS * ADMIN_CLIENTS_MAX; i++) {
        const struct client *client = client_at(admin, i);
        uint64_t due_ms;

        slots[SLOT_CLIENTS + i] = (struct pollfd){.fd = -1};
        if (!client->is_there)
            continue;
        slots[SLOT_CLIENTS + i] =
            (struct pollfd){.fd = client->fd, .events = client_events(client)};
        due_ms = client_deadline(client, now_ms);
        if (due_ms < deadline_ms)
            deadline_ms = due_ms;
    }
    return deadline_ms;
}

static void *
admin_run(void *argument)
{
    struct admin *admin = argument;
    struct pollfd slots[N_SLOTS];
    uint64_t rings;

    while (!__atomic_load_n(&admin->desk->stopping, __ATOMIC_ACQUIRE)) {
        uint64_t now_ms = clock_mono_ms();
        uint64_t deadline_ms = fill_slots(admin, slots, now_ms);

        (void)poll(slots, N_SLOTS, clock_poll_timeout(now_ms, deadline_ms));
        if (slots[SLOT_DESK].revents != 0)
            (void)!read(admin->desk->answers_fd, &rings, sizeof(rings));
        now_ms = clock_mono_ms();
        for (size_t i = 0; i < ADMIN_DOORS * ADMIN_CLIENTS_MAX; i++)
            client_go(client_at(admin, i), slots[SLOT_CLIENTS + i].revents, now_ms);
        for (enum admin_door door = 0; door < ADMIN_DOORS; door++) {
            if (slots[SLOT_DOORS + door].revents != 0)
                open_door(admin, door, now_ms);
        }
    }
    for (size_t i = 0; i < ADMIN_DOORS * ADMIN_CLIENTS_MAX; i++)
        client_close(client_at(admin, i));
    return NULL;
}

int
admin_start(struct admin *admin, struct desk *desk)
{
    memset(admin, 0, sizeof(*admin));
    admin->desk = desk;
    admin->doors[ADMIN_SOCKET] = desk->opts->admin_fd;
    admin->doors[ADMIN_CONSOLE] = desk->opts->console_fd;
    return -pthread_create(&admin->thread, NULL, admin_run, admin);
}

void
admin_stop(struct admin *admin)
{
    const uint64_t one = 1;

    __atomic_store_n(&admin->desk->stopping, true, __ATOMIC_RELEASE);
    (void)!write(admin->desk->answers_fd, &one, sizeof(one));
    pthread_join(admin->thread, NULL);
}
