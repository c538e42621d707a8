/*
 * config: brings every setting together from the command line, the file, the dialect and the
 * defaults. The sole user of libconfuse. Knows precedence and how to tell where a value came from;
 * must not know what a setting means.
 */
#include "master/config.h"

#include <assert.h>
#include <confuse.h>
#include <string.h>

#include "master/keys.h"
#include "master/places.h"
#include "master/value.h"

#define SHOWN_MAX 64 /* bytes of a wrong value that a message shows */

_Static_assert(VALUE_TEXT_MAX == CONFIG_TEXT_MAX, "a value is an entry's text");
_Static_assert(VALUE_LIST_MAX == CONFIG_LIST_MAX, "a list of words fits");

/* What a load in progress needs. */
struct loading {
    const struct args *args;
    struct config *config;
    struct buf *error, *warnings;
    struct places places;
    cfg_t *cfg;
};

/* One value on its way into the configuration. */
struct candidate {
    const struct key *key;
    enum config_origin origin;
    int line;         /* of ORIGIN_FILE */
    const char *flag; /* of ORIGIN_FLAG */
    char text[CONFIG_LIST_MAX];
};

/* "FILE:LINE: KEY: " or "--port: ", which says by itself which key it is; --set does not. */
static void
say_where(const struct loading *loading, const struct candidate *candidate, struct buf *out)
{
    if (candidate->origin == ORIGIN_FLAG && strcmp(candidate->flag, "--set") != 0) {
        value_say(out, "%s: ", candidate->flag);
        return;
    }
    if (candidate->origin == ORIGIN_FLAG)
        value_say(out, "%s ", candidate->flag);
    else if (candidate->origin == ORIGIN_FILE)
        places_say(&loading->places, candidate->line, out);
    value_say(out, "%s: ", candidate->key->name);
}

/* libconfuse would print to stderr; what it has to say cannot be said better than with its line. */
static void
stay_silent(cfg_t *cfg, const char *format, va_list arguments)
{
    (void)cfg;
    (void)format;
    (void)arguments;
}

/* Every key that the file sets is text to libconfuse: its own numbers read 010 as eight. */
static int
parse_file(struct loading *loading)
{
    cfg_opt_t options[CONFIG_KEYS_MAX + 1];
    size_t n = 0;

    for (size_t i = 0; i < keys_count(); i++) {
        const char *name = loading->places.of[i].name;
        if (loading->places.of[i].line == 0)
            continue;
        if (value_is_list(keys_at(i)->rule.kind))
            options[n++] = (cfg_opt_t)CFG_STR_LIST(name, NULL, CFGF_NODEFAULT);
        else
            options[n++] = (cfg_opt_t)CFG_STR(name, NULL, CFGF_NODEFAULT);
    }
    options[n] = (cfg_opt_t)CFG_END();
    loading->cfg = cfg_init(options, CFGF_NONE);
    if (loading->cfg == NULL) {
        buf_append_str(loading->error, "no memory for the configuration");
        return -1;
    }
    cfg_set_error_function(loading->cfg, stay_silent);
    if (n > 0 &&
        cfg_parse_buf(loading->cfg, (const char *)loading->places.text.data) != CFG_SUCCESS) {
        places_say(&loading->places, loading->cfg->line, loading->error);
        buf_append_str(loading->error, "libconfuse cannot read this");
        return -1;
    }
    return 0;
}

/* Every flag must name a key that is there and built. */
static int
check_flags(const struct loading *loading)
{
    for (size_t i = 0; i < loading->args->n_settings; i++) {
        const struct args_setting *setting = &loading->args->settings[i];
        int index = keys_find(setting->key, strlen(setting->key));
        if (index >= 0 && keys_at((size_t)index)->set != NULL)
            continue;
        value_say(loading->error, "%s: ", setting->flag);
        if (index < 0)
            keys_say_unknown(setting->key, strlen(setting->key), loading->error);
        else
            keys_say_unbuilt(keys_at((size_t)index), loading->error);
        return -1;
    }
    return 0;
}

/* Puts text in front of its check; what no setting could hold is refused here. */
static int
put_text(const struct loading *loading, struct candidate *candidate, const char *text,
         const char *separator)
{
    size_t len = strlen(candidate->text);
    size_t size = value_text_size(candidate->key->rule.kind);

    if (len + strlen(separator) + strlen(text) >= size) {
        say_where(loading, candidate, loading->error);
        value_say(loading->error, "expected at most %zu bytes", size - 1);
        return -1;
    }
    strcpy(candidate->text + len, separator);
    strcat(candidate->text, text);
    return 0;
}

static int
find_in_file(const struct loading *loading, size_t index, struct candidate *candidate)
{
    const struct place *place = &loading->places.of[index];

    candidate->origin = ORIGIN_FILE;
    candidate->line = place->line;
    candidate->text[0] = '\0';
    for (unsigned i = 0; i < cfg_size(loading->cfg, place->name); i++) {
        const char *text = cfg_getnstr(loading->cfg, place->name, i);
        if (put_text(loading, candidate, text != NULL ? text : "", i > 0 ? "," : "") < 0)
            return -1;
    }
    return 0;
}

/* A list may be written as in the file, {a,b}: the braces are its frame, not its text. */
static int
put_flag(const struct loading *loading, struct candidate *candidate, const char *text)
{
    size_t len = strlen(text);

    if (!value_is_list(candidate->key->rule.kind) || len < 2 || text[0] != '{' ||
        text[len - 1] != '}')
        return put_text(loading, candidate, text, "");
    if (put_text(loading, candidate, text + 1, "") < 0)
        return -1;
    candidate->text[len - 2] = '\0';
    return 0;
}

static const struct args_setting *
find_flag(const struct args *args, const struct key *key)
{
    for (size_t i = args->n_settings; i > 0; i--) {
        const struct args_setting *setting = &args->settings[i - 1];
        if (strcmp(setting->key, key->name) == 0 ||
            (key->alias != NULL && strcmp(setting->key, key->alias) == 0))
            return setting;
    }
    return NULL;
}

static const char *
entry_text(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->n_entries; i++) {
        if (strcmp(config->entries[i].key, name) == 0)
            return config_entry_text(&config->entries[i]);
    }
    return "";
}

/* Checks a candidate's text by its key's rule, with the reason in error. */
static int
read_candidate(const struct loading *loading, const struct candidate *candidate, struct value *out)
{
    struct buf why;

    buf_init(&why, 4 * SHOWN_MAX + 1024);
    int result = value_read(&candidate->key->rule, candidate->text, out, &why);
    if (result < 0) {
        say_where(loading, candidate, loading->error);
        buf_append(loading->error, why.data, why.len);
    }
    buf_release(&why);
    return result;
}

/* NULL: that of another key. */
static const char *
default_text(const struct args *args, const struct key *key)
{
    return args->daemon && key->in_background != NULL ? key->in_background : key->text;
}

/* Finds the text of highest precedence. What it overrides in the file must be right all the same,
 * or the mistake would wait there for the day on which the flag is gone. */
static int
choose(const struct loading *loading, size_t index, struct candidate *out)
{
    const struct args_setting *setting = find_flag(loading->args, out->key);
    const char *text = default_text(loading->args, out->key);
    struct value unused;

    if (loading->places.of[index].line > 0) {
        if (find_in_file(loading, index, out) < 0)
            return -1;
        if (setting == NULL)
            return 0;
        if (read_candidate(loading, out, &unused) < 0)
            return -1;
    }
    out->text[0] = '\0';
    if (setting != NULL) {
        out->origin = ORIGIN_FLAG;
        out->flag = setting->flag;
        return put_flag(loading, out, setting->value);
    }
    out->origin = out->key->of_dialect ? ORIGIN_DIALECT : ORIGIN_DEFAULT;
    return put_text(loading, out, text != NULL ? text : entry_text(loading->config, out->key->like),
                    "");
}

/* "FILE:LINE", cut on the left where it is too long, or the flag. */
static void
tell_origin(const struct loading *loading, const struct candidate *candidate,
            struct config_entry *entry)
{
    const char *path = loading->places.path;
    struct buf where;

    buf_init(&where, 8 * CONFIG_TEXT_MAX);
    if (candidate->origin == ORIGIN_FLAG)
        buf_append_str(&where, candidate->flag);
    if (candidate->origin == ORIGIN_FILE) {
        buf_append_escaped(&where, path, strlen(path), CONFIG_TEXT_MAX);
        value_say(&where, ":%d", candidate->line);
    }
    size_t room = sizeof(entry->where) - 1;
    size_t skip = where.len > room ? where.len - room : 0;
    if (where.len > 0)
        memcpy(entry->where, where.data + skip, where.len - skip);
    buf_release(&where);
}

/* A list of words outlives its candidate in the configuration. */
static void
keep_list(struct config *config, struct value *value)
{
    if (value->list == NULL)
        return;
    assert(config->n_lists < CONFIG_LISTS_MAX);
    char *kept = config->lists[config->n_lists++];
    strcpy(kept, value->list);
    value->list = kept;
}

static int
apply(const struct loading *loading, size_t index)
{
    struct candidate candidate;
    struct config *config = loading->config;
    struct value value;

    candidate.key = keys_at(index);
    if (choose(loading, index, &candidate) < 0 || read_candidate(loading, &candidate, &value) < 0)
        return -1;
    keep_list(config, &value);
    const char *expected = candidate.key->set(config, &value);
    if (expected != NULL) {
        say_where(loading, &candidate, loading->error);
        value_say(loading->error, "%s, got '", expected);
        buf_append_escaped(loading->error, candidate.text, strlen(candidate.text), SHOWN_MAX);
        buf_append_str(loading->error, "'");
        return -1;
    }
    struct config_entry *entry = &config->entries[config->n_entries++];
    entry->key = candidate.key->name;
    entry->origin = candidate.origin;
    memcpy(entry->value, value.text, sizeof(entry->value));
    entry->list = value.list;
    tell_origin(loading, &candidate, entry);
    return 0;
}

static int
load(struct loading *loading)
{
    struct config *config = loading->config;

    if (places_read(&loading->places, loading->error, loading->warnings) < 0 ||
        parse_file(loading) < 0 || check_flags(loading) < 0)
        return -1;
    for (size_t i = 0; i < keys_count(); i++) {
        if (keys_at(i)->set != NULL && apply(loading, i) < 0)
            return -1;
    }
    config->sender.dialect = config->worker.dialect;
    config->sender.self_stats = config->worker.self_stats;
    config->sender.print_flushes = loading->args->debug;
    config->sender.destination = config->destination;
    config->sender.arena_outlives = config->master.state_dir[0] != '\0';
    /* What is sent again as a superset would be added to what was sent before. */
    config->worker.keep_open = config->sender.arena_outlives && !config->sender.never_twice;
    config->worker.never_twice = config->sender.never_twice;
    return 0;
}

int
config_load(const struct args *args, struct config *out, struct buf *error, struct buf *warnings)
{
    struct loading loading = {
        .args = args,
        .config = out,
        .error = error,
        .warnings = warnings,
    };

    assert(keys_count() <= CONFIG_KEYS_MAX);
    memset(out, 0, sizeof(*out));
    places_init(&loading.places,
                args->config_file != NULL ? args->config_file : CONFIG_DEFAULT_FILE,
                args->config_file == NULL);
    int result = load(&loading);
    if (loading.cfg != NULL)
        cfg_free(loading.cfg);
    places_release(&loading.places);
    return result;
}

const char *
config_entry_text(const struct config_entry *entry)
{
    return entry->list != NULL ? entry->list : entry->value;
}

void
config_print(const struct config *config, FILE *stream)
{
    static const char *const origins[] = {
        [ORIGIN_DEFAULT] = "default",
        [ORIGIN_DIALECT] = "dialect",
        [ORIGIN_FILE] = "",
        [ORIGIN_FLAG] = "command line: ",
    };

    for (size_t i = 0; i < config->n_entries; i++) {
        const struct config_entry *entry = &config->entries[i];
        const char *text = config_entry_text(entry);
        char quote = value_quote(text);
        fprintf(stream, "# %s%s\n", origins[entry->origin], entry->where);
        fprintf(stream, "%s=%c%s%c\n", entry->key, quote, text, quote);
    }
}
