/*
 * admin: the thread that answers those who ask, on ADMIN_SOCKET and on the console. It waits for
 * none of them, and nobody waits for it.
 */
#ifndef WORKER_ADMIN_H
#define WORKER_ADMIN_H

#include <pthread.h>
#include <stdint.h>

#include "worker/client.h"
#include "worker/desk.h"

enum admin_door { ADMIN_SOCKET, ADMIN_CONSOLE, ADMIN_DOORS };

/* Of each door. Who comes when there are as many is closed at once. */
#define ADMIN_CLIENTS_MAX 16

struct admin {
    struct desk *desk;
    pthread_t thread;
    int doors[ADMIN_DOORS];   /* listening; -1: none */
    uint64_t closed_until_ms; /* nobody is let in: there was no descriptor left */
    struct client clients[ADMIN_DOORS][ADMIN_CLIENTS_MAX];
};

/* Starts the thread, which inherits the signal mask. Borrows desk, whose options name the doors.
 * Returns 0 or -errno. The struct must not be moved until admin_stop. */
int admin_start(struct admin *admin, struct desk *desk);

/* Has the thread close all clients and end, and waits for that. The shards still run. */
void admin_stop(struct admin *admin);

#endif
