/*
 * service: what a service manager is told, and what it hands over. Without one (no NOTIFY_SOCKET,
 * no LISTEN_FDS) every call does nothing. None waits for it: what it must hear and has no room for
 * is owed, and told later.
 * The sole user of libsystemd.
 */
#ifndef MASTER_SERVICE_H
#define MASTER_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERVICE_FDS_MAX    512
#define SERVICE_OWED_MAX   1024
#define SERVICE_STATUS_MAX 256
/* The number of a descriptor that the service manager has opened itself. */
#define SERVICE_OWN (-1)

/* A descriptor that is handed over. */
struct service_fd {
    int fd;
    int number; /* with which it was given to be kept, or SERVICE_OWN */
};

/* In the order in which they are told. */
enum service_word {
    SERVICE_RELOADING, /* a reload begins; SERVICE_READY ends it */
    SERVICE_READY,     /* the daemon serves */
    SERVICE_STOPPING,  /* it was asked to stop */
    SERVICE_WORD_COUNT,
};

/* What is owed to it. Zero-initialised: nothing. */
struct service {
    struct service_fd kept[SERVICE_OWED_MAX]; /* to be kept; with an fd of -1, to be closed */
    size_t n_kept;
    bool words[SERVICE_WORD_COUNT];
    char status[SERVICE_STATUS_MAX];
    uint64_t reload_us;   /* when the last reload began */
    uint64_t deadline_ms; /* of service_advance, 0: nothing is owed */
};

/* Tells it that a reload begins, or owes it; what is owed of one before is forgotten. */
void service_reloading(struct service *service);

/* Tells it another word, or owes it. With one line of text for `systemctl status`, at most 255
 * bytes of it. */
void service_say(struct service *service, enum service_word word, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Tries again what is owed, once deadline_ms has come. */
void service_advance(struct service *service, uint64_t now_ms);

/* How long at most to be silent so that a service manager that watches never thinks the daemon
 * dead: half of the time it waits. 0: none watches. */
uint64_t service_watchdog_ms(void);

/* The daemon gets on. It is not owed: returns false where it is to be said again soon. */
bool service_alive(void);

/* The descriptors that the service manager hands over at start: its own, in the order of its unit,
 * and those that an earlier process of the service gave it to keep. To be called once, before
 * another descriptor is opened. Returns how many, or -errno: -E2BIG where there are too many. */
int service_take(struct service_fd out[SERVICE_FDS_MAX]);

/* Gives it a descriptor to keep beside ours, for the next process of the service, under a number
 * from 0 on that none of those that it keeps has. Or, where fd is -1, has it close what it keeps
 * under that number, which it does a little later. While deadline_ms is not 0, fd stays open. */
void service_keep(struct service *service, int fd, int number);

/* What is to be kept and was not told never will be: its descriptors may be closed. */
void service_forget(struct service *service);

#endif
