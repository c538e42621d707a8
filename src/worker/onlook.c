/*
 * onlook: see onlook.h.
 */
#include "worker/onlook.h"

#include <string.h>

#include "worker/lines.h"

/* The clean name; of a bad line what stands before the colon, as far as it goes. Returns whether
 * there is one. */
static bool
name_of(const struct lines *lines, const struct line *line, char scratch[NAME_LEN_MAX],
        struct name *out)
{
    const char *text = line->sample.name;
    const char *colon = line->error != PARSE_OK ? memchr(text, ':', line->len) : NULL;
    size_t len = line->error == PARSE_OK ? line->sample.name_len
                 : colon != NULL         ? (size_t)(colon - text)
                                         : line->len;

    return name_clean(text, len, &lines->limits, scratch, out) == PARSE_OK;
}

static void
count(const struct lines *lines, uint64_t now_ms)
{
    struct busy *busy = lines->onlook.busy;
    char scratch[NAME_LEN_MAX];
    struct name name;

    for (size_t at = busy_first(busy, lines->n, now_ms); at < lines->n;) {
        const struct line *line = &lines->batch[at];
        bool is_named = line->error == PARSE_OK && name_of(lines, line, scratch, &name);

        at = busy_count(busy, at, lines->n, is_named ? &name : NULL,
                        lines->ingest->datagrams[line->datagram].from);
    }
}

static void
show(const struct lines *lines, const struct line *line)
{
    const struct datagram *datagram = &lines->ingest->datagrams[line->datagram];
    const struct onlook *onlook = &lines->onlook;
    char scratch[NAME_LEN_MAX];
    struct name name = {.text = ""};

    (void)name_of(lines, line, scratch, &name);
    for (size_t i = 0; i < onlook->n_watches; i++) {
        if (watch_wants(onlook->watches[i], &name))
            watch_put(onlook->watches[i], datagram->from, line->sample.name, line->len);
    }
}

void
onlook_see(const struct lines *lines, uint64_t now_ms)
{
    if (lines->onlook.busy != NULL)
        count(lines, now_ms);
    for (size_t i = 0; i < lines->n && lines->onlook.n_watches > 0; i++)
        show(lines, &lines->batch[i]);
}

bool
onlook_add(struct onlook *onlook, struct watch *watch)
{
    if (onlook->n_watches == ONLOOK_WATCHES_MAX)
        return false;
    onlook->watches[onlook->n_watches++] = watch;
    return true;
}

void
onlook_remove(struct onlook *onlook, const struct watch *watch)
{
    for (size_t i = 0; i < onlook->n_watches; i++) {
        if (onlook->watches[i] == watch) {
            onlook->watches[i] = onlook->watches[--onlook->n_watches];
            return;
        }
    }
}
