/*
 * desk: see desk.h. Knows nothing of who asks, or how.
 */
#include "worker/desk.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

static void
ring(int fd)
{
    const uint64_t one = 1;

    (void)!write(fd, &one, sizeof(one)); /* where it does not fit, it has been rung */
}

int
desk_init(struct desk *desk, const struct worker_opts *opts, struct hold *hold)
{
    *desk = (struct desk){.opts = opts, .hold = hold};
    desk->main_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    desk->answers_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&desk->mutex, NULL);
    return desk->main_fd >= 0 && desk->answers_fd >= 0 ? 0 : -errno;
}

void
desk_release(struct desk *desk)
{
    if (desk->opts == NULL)
        return;
    close(desk->main_fd);
    close(desk->answers_fd);
    pthread_mutex_destroy(&desk->mutex);
    memset(desk, 0, sizeof(*desk));
}

void
desk_tell(struct desk *desk, const struct desk_facts *facts)
{
    pthread_mutex_lock(&desk->mutex);
    desk->facts = *facts;
    desk->facts.told_ms = clock_wall_ms();
    pthread_mutex_unlock(&desk->mutex);
}

bool
desk_take_flush(struct desk *desk)
{
    desk->n_taken = __atomic_load_n(&desk->n_wanted, __ATOMIC_ACQUIRE);
    return desk->n_taken != desk->n_done;
}

void
desk_flushed(struct desk *desk, bool is_sent)
{
    if (desk->n_taken == desk->n_done)
        return;
    if (is_sent)
        __atomic_store_n(&desk->n_sent, desk->n_taken, __ATOMIC_RELEASE);
    __atomic_store_n(&desk->n_done, desk->n_taken, __ATOMIC_RELEASE);
    ring(desk->answers_fd);
}

void
desk_ask(struct desk *desk, struct desk_facts *out)
{
    pthread_mutex_lock(&desk->mutex);
    *out = desk->facts;
    pthread_mutex_unlock(&desk->mutex);
}

uint64_t
desk_want_flush(struct desk *desk)
{
    uint64_t number = __atomic_add_fetch(&desk->n_wanted, 1, __ATOMIC_ACQ_REL);

    ring(desk->main_fd);
    return number;
}

bool
desk_flush_is_done(const struct desk *desk, uint64_t number, bool *out_is_sent)
{
    if (__atomic_load_n(&desk->n_done, __ATOMIC_ACQUIRE) < number)
        return false;
    *out_is_sent = __atomic_load_n(&desk->n_sent, __ATOMIC_ACQUIRE) >= number;
    return true;
}
