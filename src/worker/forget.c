/*
 * forget: see forget.h.
 */
#include "worker/forget.h"

#include "metric/delete.h"

bool
forget_may(const struct hold *hold)
{
    for (size_t i = 0; i < hold->n; i++) {
        if (__atomic_load_n(&hold->shards[i].region->table.flushing, __ATOMIC_ACQUIRE))
            return false;
    }
    return true;
}

bool
forget_begin(struct hold *hold)
{
    if (!forget_may(hold))
        return false; /* who asks again and again holds up nobody */
    hold_begin(hold);
    if (forget_may(hold))
        return true;
    hold_end(hold);
    return false;
}

void
forget(const struct view *view)
{
    for (size_t i = 0; i < view->n; i++)
        delete_metric(view->tables[i], view->metrics[i]);
}
