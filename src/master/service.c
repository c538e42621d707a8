/*
 * service: owns the words of sd_notify(3). Must not know what the daemon does.
 */
#include "master/service.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <time.h>

/* What a service manager does not hear is lost on nobody else, so failures are not reported. */

void
service_ready(void)
{
    (void)sd_notify(0, "READY=1");
}

void
service_status(const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)sd_notifyf(0, "STATUS=%s", text);
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
service_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1");
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
