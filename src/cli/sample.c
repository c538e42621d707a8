/*
 * sample: owns the form of a line. Whether a server takes its type and value, that one says. Pure.
 */
#include "cli/sample.h"

#include <stddef.h>
#include <string.h>

#include "cli/options.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define BLANKS  " \t"

/* Ends the text before the next separator, and returns what is behind it, or NULL. */
static char *
cut(char *text, char separator)
{
    char *found = strchr(text, separator);

    if (found == NULL)
        return NULL;
    *found = '\0';
    return found + 1;
}

/* Without blanks at its ends, which a number may have. */
static char *
trim(char *text)
{
    size_t len = strlen(text);

    while (len > 0 && strchr(BLANKS, text[len - 1]) != NULL)
        len--;
    text[len] = '\0';
    return text + strspn(text, BLANKS);
}

static int
read_rate(const char *field, double *out)
{
    return options_number(field, out) == 0 && *out > 0 && *out <= 1 ? 0 : -1;
}

/* A field that is neither rate nor tags goes with the type: some server knows it. One that stands
 * alone and begins as a rate must be one. */
static int
take_fields(char *fields, bool as_is, struct sample *out)
{
    bool is_alone = strchr(fields, '|') == NULL;
    size_t len = strlen(out->type);

    for (char *field = fields, *next; field != NULL; field = next) {
        double rate;
        bool is_rate = field[0] == '@', is_good;

        next = cut(field, '|');
        is_good = is_rate && read_rate(field + 1, &rate) == 0;
        if (is_rate && !is_good && is_alone)
            return -1;
        if (!as_is && is_good && out->rate >= 1) {
            out->rate = rate;
        } else if (!as_is && field[0] == '#' && out->tags == NULL) {
            out->tags = field + 1;
        } else if (len + 1 + strlen(field) < sizeof(out->type)) {
            out->type[len++] = '|';
            strcpy(out->type + len, field);
            len += strlen(field);
        } else {
            return -1;
        }
    }
    return 0;
}

int
sample_cut(char *line, bool as_is, struct sample *out)
{
    char *value, *type, *fields;

    if ((value = cut(line, ':')) == NULL || (type = cut(value, '|')) == NULL)
        return -1;
    fields = cut(type, '|');
    if (*line == '\0' || *value == '\0' || *type == '\0' || strspn(type, LETTERS) != strlen(type) ||
        strlen(type) >= sizeof(out->type))
        return -1;
    if (strcmp(type, "s") != 0) {
        value = trim(value);
        if (*value == '\0' || strchr(value, ':') != NULL)
            return -1; /* of two samples in one line a server takes none, or the wrong one */
    }
    out->name = line;
    out->value = value;
    out->tags = NULL;
    out->rate = 1;
    strcpy(out->type, type);
    return fields != NULL ? take_fields(fields, as_is, out) : 0;
}
