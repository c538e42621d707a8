/*
 * service: what a service manager is told. Without one (no NOTIFY_SOCKET) every call does nothing.
 * The sole user of libsystemd.
 */
#ifndef MASTER_SERVICE_H
#define MASTER_SERVICE_H

#include <stdint.h>

/* The daemon serves; also ends a reload. */
void service_ready(void);

/* One line of text for `systemctl status`, at most 255 bytes of it. */
void service_status(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A reload begins. */
void service_reloading(void);

/* The daemon was asked to stop. */
void service_stopping(void);

/* How long at most to be silent so that a service manager that watches never thinks the daemon
 * dead: half of the time it waits. 0: none watches. */
uint64_t service_watchdog_ms(void);

/* The daemon gets on. */
void service_alive(void);

#endif
