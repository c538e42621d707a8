/*
 * forks: what a fork(2) does to those who have a lock.
 */
#ifndef CLIENT_FORKS_H
#define CLIENT_FORKS_H

#include <pthread.h>

/* Its owner's, who fills the first two. */
struct forks_member {
    pthread_mutex_t *mutex; /* held while the process forks, so that what it guards is whole */
    void (*on_child)(struct forks_member *member); /* in the child, with the mutex held */
    struct forks_member *next, **link;
};

/* From now on it is told. 0, or -ENOMEM. */
int forks_join(struct forks_member *member);

/* No longer. */
void forks_leave(struct forks_member *member);

#endif
