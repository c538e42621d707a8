/*
 * delete: a metric that somebody wants to be gone.
 */
#ifndef METRIC_DELETE_H
#define METRIC_DELETE_H

#include "metric/table.h"

/* Forgets the samples of the open interval, what a gauge was last, and that there ever was one: the
 * metric is never sent unless it comes anew, and the next flush takes it out. Who dies within
 * leaves it as it was, or deleted. For the table's own thread, or while that stands still, and
 * while no closed interval is being flushed: a flush that was begun must stay what it is. Commits.
 */
void delete_metric(struct table *table, struct metric *metric);

/* Whether nobody is to see it: it was deleted, or no sample of it was ever wanted. */
static inline bool
delete_is_hidden(const struct metric *metric)
{
    return metric->filtered || metric_updated_ms(metric) == 0;
}

#endif
