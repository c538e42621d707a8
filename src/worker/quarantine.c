/*
 * quarantine: see quarantine.h. Knows nothing of lines: what the datagram did is not asked.
 */
#include "worker/quarantine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log_event.h"

#define DEATHS_MAX 2
#define FILE_MAX   (1 << 20)
/* Of a datagram, in the log and in the file. */
#define LOGGED_MAX 64
#define SAVED_MAX  8192

static size_t
to_hex(const struct datagram *datagram, size_t max, char *out)
{
    size_t n = datagram->len < max ? datagram->len : max;

    for (size_t i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", (unsigned)(unsigned char)datagram->bytes[i]);
    out[2 * n] = '\0';
    return 2 * n;
}

static void
save(const struct datagram *datagram, const char *from, const struct quarantine_opts *opts)
{
    char text[2 * SAVED_MAX + NET_TEXT_MAX + 32];
    struct stat status;
    int len;

    if (opts->fd < 0 || fstat(opts->fd, &status) != 0 || status.st_size > FILE_MAX)
        return;
    len = snprintf(text, NET_TEXT_MAX + 32, "%s %zu ", from, datagram->len);
    len += (int)to_hex(datagram, SAVED_MAX, text + len);
    text[len++] = '\n';
    if (write(opts->fd, text, (size_t)len) != len)
        log_event(&(struct log_event){.level = LOG_WARNING, .limit = opts->said_unsaved},
                  "cannot save the datagram in STATE_DIR: %s; it is in the log alone",
                  strerror(errno));
}

static void
set_aside(struct store_region *region, const struct datagram *datagram,
          const struct quarantine_opts *opts)
{
    char hex[2 * LOGGED_MAX + 1], from[NET_TEXT_MAX];

    to_hex(datagram, LOGGED_MAX, hex);
    net_format(datagram->from, from);
    log_event(&(struct log_event){.level = LOG_WARNING, .peer = from, .limit = opts->said},
              "two workers have died of a datagram of %zu bytes from %s: it is left out: %s%s",
              datagram->len, from, hex, datagram->len > LOGGED_MAX ? "..." : "");
    save(datagram, from, opts);
    undo_note(&region->undo, &region->stats, sizeof(region->stats));
    undo_note(&region->undo, &region->stats_check, sizeof(region->stats_check));
    undo_note(&region->undo, &region->hand.skipped, sizeof(region->hand.skipped));
    region->stats.quarantined++;
    region->stats_check = selfstat_check(&region->stats);
    region->hand.skipped |= UINT64_C(1) << region->hand.busy;
    fault_point("worker_quarantine");
    undo_commit(&region->undo);
}

void
quarantine_judge(struct store_region *region, const struct ingest *ingest, int n,
                 const struct quarantine_opts *opts)
{
    struct hand *hand = &region->hand;
    uint64_t suspect = hand->serial * HAND_DATAGRAMS + hand->busy;

    if ((int)hand->busy >= n)
        return;
    if (opts->crashed) {
        hand->n_deaths = suspect == hand->suspect ? hand->n_deaths + 1 : 1;
        hand->suspect = suspect;
    }
    /* Somebody else may have killed the one that was about to set it aside. */
    if (suspect == hand->suspect && hand->n_deaths >= DEATHS_MAX)
        set_aside(region, &ingest->datagrams[hand->busy], opts);
}
