/*
 * places: finds out which line of the configuration file sets which key, and leaves only those
 * lines to libconfuse. Must not know what a value means.
 */
#include "master/places.h"

#include <errno.h>
#include <string.h>

#include "master/confile.h"
#include "master/keys.h"
#include "master/value.h"

void
places_init(struct places *places, const char *path, bool is_optional)
{
    memset(places, 0, sizeof(*places));
    places->path = path;
    places->is_optional = is_optional;
    /* The quotes that are added at most double a text; the rest is room for growth. */
    buf_init(&places->text, 4 * (size_t)CONFILE_SIZE_MAX);
}

void
places_release(struct places *places)
{
    buf_release(&places->text);
}

static void
say_path(const struct places *places, struct buf *out)
{
    buf_append_escaped(out, places->path, strlen(places->path), CONFIG_TEXT_MAX);
}

void
places_say(const struct places *places, int line, struct buf *out)
{
    say_path(places, out);
    value_say(out, ":%d: ", line);
}

static int
normalise(struct places *places, const struct buf *raw, struct buf *error)
{
    const char *text = raw->len > 0 ? (const char *)raw->data : "";
    const char *why = "there is no memory for it";
    int line = confile_normalise(text, raw->len, &places->text, &why);

    if (line == 0 && buf_append(&places->text, "", 1) == 0)
        return 0;
    places_say(places, line, error);
    buf_append_str(error, why);
    return -1;
}

static int
read_file(struct places *places, struct buf *error)
{
    struct buf raw;

    buf_init(&raw, CONFILE_SIZE_MAX);
    int result = confile_read(places->path, &raw);
    if (result == -ENOENT && places->is_optional)
        result = 0;
    if (result == 0) {
        result = normalise(places, &raw, error);
    } else {
        say_path(places, error);
        value_say(error, ": %s",
                  result == -EINVAL  ? "not a regular file"
                  : result == -EFBIG ? "larger than 256 KiB"
                                     : strerror(-result));
    }
    buf_release(&raw);
    return result;
}

/* Takes a line away from libconfuse and leaves the others their numbers. */
static void
blank(char *line)
{
    memset(line, ' ', strcspn(line, "\n"));
}

/* What a line must not do with a key that is known. */
static int
check_use(const struct key *key, const char *value, struct buf *error)
{
    if (key->set == NULL) {
        keys_say_unbuilt(key, error);
        return -1;
    }
    if (*value == '{' && !value_is_list(key->rule.kind)) {
        value_say(error, "%s: expected one value, got a list", key->name);
        return -1;
    }
    return 0;
}

/* Notes where the line sets a key. Of several such lines the last one counts. */
static int
note_line(struct places *places, char *line, int number, struct buf *error, struct buf *warnings)
{
    size_t len = strcspn(line, "=\n");

    if (line[len] != '=')
        return 0;
    int index = keys_find(line, len);
    if (index < 0) {
        places_say(places, number, warnings);
        keys_say_unknown(line, len, warnings);
        buf_append_str(warnings, ", and it is ignored\n");
        blank(line);
        return 0;
    }
    const struct key *key = keys_at((size_t)index);
    size_t len_before = error->len;
    places_say(places, number, error);
    if (check_use(key, line + len + 1, error) < 0)
        return -1;
    error->len = len_before;
    struct place *place = &places->of[index];
    if (place->line > 0)
        blank(place->start);
    place->line = number;
    place->start = line;
    place->name = strlen(key->name) == len ? key->name : key->alias;
    return 0;
}

int
places_read(struct places *places, struct buf *error, struct buf *warnings)
{
    if (read_file(places, error) < 0)
        return -1;
    char *line = (char *)places->text.data;
    for (int number = 1; *line != '\0'; number++) {
        char *next = line + strcspn(line, "\n");
        if (note_line(places, line, number, error, warnings) < 0)
            return -1;
        line = *next == '\n' ? next + 1 : next;
    }
    return 0;
}
