/*
 * reload: owns which settings can change while the daemon runs. Must not know processes: the caller
 * passes on what has changed.
 */
#include "master/reload.h"

#include <stddef.h>
#include <string.h>
#include <syslog.h>

#include "base/log.h"
#include "base/log_event.h"

#define ERROR_BYTES    2048
#define WARNINGS_BYTES 8192

enum effect {
    EFFECT_RESTART, /* takes effect when the daemon starts again */
    EFFECT_DESTINATION,
};

static enum effect
effect_of(const char *key)
{
    if (strcmp(key, "GRAPHITE_HOST") == 0 || strcmp(key, "GRAPHITE_PORT") == 0)
        return EFFECT_DESTINATION;
    return EFFECT_RESTART;
}

static struct config_entry *
find(struct config *config, const char *key)
{
    for (size_t i = 0; i < config->n_entries; i++) {
        if (strcmp(config->entries[i].key, key) == 0)
            return &config->entries[i];
    }
    return NULL;
}

static void
take_destination(struct config *config, const struct config *fresh)
{
    memcpy(config->master.graphite_host, fresh->master.graphite_host,
           sizeof(config->master.graphite_host));
    config->master.graphite_port = fresh->master.graphite_port;
    memcpy(config->destination, fresh->destination, sizeof(config->destination));
}

/* What is not taken over keeps its old entry, so that the next reload says so again. */
static bool
take_changes(struct config *config, const struct config *fresh)
{
    bool destination_changed = false;

    for (size_t i = 0; i < fresh->n_entries; i++) {
        const struct config_entry *entry = &fresh->entries[i];
        struct config_entry *old = find(config, entry->key);

        if (old == NULL || strcmp(config_entry_text(old), config_entry_text(entry)) == 0)
            continue;
        if (effect_of(entry->key) == EFFECT_RESTART) {
            log_info("%s changed: takes effect after a restart", entry->key);
            continue;
        }
        *old = *entry;
        log_info("%s changed: now %s", entry->key, entry->value);
        destination_changed = true;
    }
    if (destination_changed)
        take_destination(config, fresh);
    return destination_changed;
}

/* Of a text whose values are escaped; each is of one request of an operator's. */
static const struct log_event warning = {.level = LOG_WARNING, .is_escaped = true};

void
reload_log_warnings(const struct buf *warnings)
{
    const char *line = (const char *)warnings->data;
    size_t left = warnings->len;

    while (left > 0) {
        const char *end = memchr(line, '\n', left);
        size_t len = end != NULL ? (size_t)(end - line) : left;

        log_event(&warning, "%.*s", (int)len, line);
        left -= end != NULL ? len + 1 : len;
        line += end != NULL ? len + 1 : len;
    }
}

bool
reload(const struct args *args, struct config *config, struct config *fresh)
{
    uint8_t error_bytes[ERROR_BYTES], warning_bytes[WARNINGS_BYTES];
    struct buf error, warnings;

    buf_init_fixed(&error, error_bytes, sizeof(error_bytes));
    buf_init_fixed(&warnings, warning_bytes, sizeof(warning_bytes));
    memset(fresh, 0, sizeof(*fresh));
    if (config_load(args, fresh, &error, &warnings) != 0) {
        log_event(&warning, "the configuration stays as it was: %.*s", (int)error.len,
                  (const char *)error.data);
        return false;
    }
    reload_log_warnings(&warnings);
    return take_changes(config, fresh);
}
