/*
 * service: owns the words of sd_notify(3), and what of them is owed. Must not know what the daemon
 * does.
 */
#include "master/service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/clock.h"
#include "master/notify.h"

/* In its store of descriptors; behind it the number. */
#define KEPT "pystatsd-"

/* How long until it is tried again. */
#define AGAIN_MS 250

static int
send_kept(const struct service_fd *kept)
{
    char text[64];

    /* Unasked, systemd would drop it as soon as poll(2) has an error of it. */
    snprintf(text, sizeof(text),
             kept->fd >= 0 ? "FDSTORE=1\nFDNAME=" KEPT "%d\nFDPOLL=0"
                           : "FDSTOREREMOVE=1\nFDNAME=" KEPT "%d",
             kept->number);
    return notify_send(text, kept->fd);
}

static int
send_word(const struct service *service, enum service_word word)
{
    static const char *const words[SERVICE_WORD_COUNT] = {
        [SERVICE_READY] = "READY=1",
        [SERVICE_STOPPING] = "STOPPING=1",
    };
    char text[SERVICE_STATUS_MAX + 64];

    if (word == SERVICE_RELOADING)
        snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, service->reload_us);
    else
        snprintf(text, sizeof(text), "%s\nSTATUS=%s", words[word], service->status);
    return notify_send(text, -1);
}

/* What the next run needs comes first: who hears READY=1 may be asked for it. */
static int
send_owed(struct service *service)
{
    size_t n = 0;
    int error = 0;

    while (n < service->n_kept && (error = send_kept(&service->kept[n])) == 0)
        n++;
    service->n_kept -= n;
    memmove(service->kept, service->kept + n, service->n_kept * sizeof(service->kept[0]));
    for (enum service_word word = 0; word < SERVICE_WORD_COUNT && error == 0; word++) {
        if (service->words[word] && (error = send_word(service, word)) == 0)
            service->words[word] = false;
    }
    return error;
}

static void
settle(struct service *service)
{
    service->deadline_ms = send_owed(service) == 0 ? 0 : clock_mono_ms() + AGAIN_MS;
}

void
service_reloading(struct service *service)
{
    struct timespec now;

    /* systemd compares this with its own clock to the microsecond: a coarser one would be early. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    service->reload_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    service->words[SERVICE_READY] = false;
    service->words[SERVICE_RELOADING] = true;
    settle(service);
}

void
service_say(struct service *service, enum service_word word, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(service->status, sizeof(service->status), format, args);
    va_end(args);
    service->words[word] = true;
    settle(service);
}

void
service_advance(struct service *service, uint64_t now_ms)
{
    if (service->deadline_ms != 0 && now_ms >= service->deadline_ms)
        settle(service);
}

uint64_t
service_watchdog_ms(void)
{
    uint64_t period_us = 0;

    return sd_watchdog_enabled(0, &period_us) > 0 ? period_us / 2000 : 0;
}

bool
service_alive(void)
{
    return notify_send("WATCHDOG=1", -1) == 0;
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
service_keep(struct service *service, int fd, int number)
{
    if (service->n_kept == SERVICE_OWED_MAX)
        return;
    service->kept[service->n_kept++] = (struct service_fd){.fd = fd, .number = number};
    settle(service);
}

void
service_forget(struct service *service)
{
    size_t n = 0;

    for (size_t i = 0; i < service->n_kept; i++) {
        if (service->kept[i].fd < 0)
            service->kept[n++] = service->kept[i];
    }
    service->n_kept = n;
}
