/*
 * service: owns the words of sd_notify(3). Must not know what the daemon does.
 */
#include "master/service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

/* In its store of descriptors; behind it the number. */
#define KEPT "pystatsd-"

/* What a service manager does not hear is lost on nobody else, so failures are not reported. */

void
service_ready(const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)sd_notifyf(0, "READY=1\nSTATUS=%s", text);
}

void
service_reloading(void)
{
    struct timespec now;

    /* systemd compares this with its own clock to the microsecond: a coarser one would be early. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                     (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void
service_stopping(const char *status)
{
    (void)sd_notifyf(0, "STOPPING=1\nSTATUS=%s", status);
}

uint64_t
service_watchdog_ms(void)
{
    uint64_t period_us = 0;

    return sd_watchdog_enabled(0, &period_us) > 0 ? period_us / 2000 : 0;
}

void
service_alive(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}

static int
number_of(const char *name)
{
    int number, end = 0;

    if (sscanf(name, KEPT "%d%n", &number, &end) != 1 || name[end] != '\0' || number < 0)
        return SERVICE_OWN;
    return number;
}

int
service_take(struct service_fd out[SERVICE_FDS_MAX])
{
    char **names = NULL;
    int n = sd_listen_fds_with_names(1, &names);

    for (int i = 0; i < n; i++) {
        if (i < SERVICE_FDS_MAX)
            out[i] =
                (struct service_fd){.fd = SD_LISTEN_FDS_START + i, .number = number_of(names[i])};
        free(names[i]);
    }
    free(names);
    return n <= SERVICE_FDS_MAX ? n : -E2BIG;
}

void
service_keep(int fd, int number)
{
    char text[64];

    /* Unasked, systemd would drop it as soon as poll(2) has an error of it. */
    snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=" KEPT "%d\nFDPOLL=0", number);
    (void)sd_pid_notify_with_fds(0, 0, text, &fd, 1);
}

void
service_drop(int number)
{
    (void)sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=" KEPT "%d", number);
}
