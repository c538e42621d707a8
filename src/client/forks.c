/*
 * forks: owns the list of all clients of the process, the one thing here that is not a client's:
 * pthread_atfork tells nobody in particular. Must not know what a client is.
 */
#include "client/forks.h"

#include <stddef.h>

static pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct forks_member *first;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_error;

static void
lock_all(void)
{
    pthread_mutex_lock(&list_mutex);
    for (struct forks_member *it = first; it != NULL; it = it->next)
        pthread_mutex_lock(it->mutex);
}

static void
unlock_all(void)
{
    for (struct forks_member *it = first; it != NULL; it = it->next)
        pthread_mutex_unlock(it->mutex);
    pthread_mutex_unlock(&list_mutex);
}

static void
tell_all(void)
{
    for (struct forks_member *it = first; it != NULL; it = it->next)
        it->on_child(it);
    unlock_all();
}

static void
arm(void)
{
    once_error = pthread_atfork(lock_all, unlock_all, tell_all);
}

/* Handlers that a program registers behind ours may use a client in the child: ours have run by
 * then. So as early as can be; forks_join is for those that are linked statically, and earlier. */
__attribute__((constructor)) static void
arm_at_load(void)
{
    pthread_once(&once, arm);
}

int
forks_join(struct forks_member *member)
{
    pthread_once(&once, arm);
    if (once_error != 0)
        return -once_error;
    pthread_mutex_lock(&list_mutex);
    member->next = first;
    member->link = &first;
    if (first != NULL)
        first->link = &member->next;
    first = member;
    pthread_mutex_unlock(&list_mutex);
    return 0;
}

void
forks_leave(struct forks_member *member)
{
    pthread_mutex_lock(&list_mutex);
    *member->link = member->next;
    if (member->next != NULL)
        member->next->link = member->link;
    pthread_mutex_unlock(&list_mutex);
}
