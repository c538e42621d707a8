/*
 * sample: owns the form of a line. Whether a server takes its type and value, that one says. Pure.
 */
#include "cli/sample.h"

#include <stddef.h>
#include <string.h>

#include "cli/options.h"

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

static int
take_field(const char *field, struct sample *sample)
{
    if (field[0] == '#' && sample->tags == NULL) {
        sample->tags = field + 1;
        return 0;
    }
    if (field[0] != '@' || options_number(field + 1, &sample->rate) != 0)
        return -1;
    return sample->rate > 0 && sample->rate <= 1 ? 0 : -1;
}

int
sample_cut(char *line, struct sample *out)
{
    struct sample sample = {.name = line, .rate = 1};
    char *value, *type, *field;

    if ((value = cut(line, ':')) == NULL || (type = cut(value, '|')) == NULL)
        return -1;
    field = cut(type, '|');
    if (*line == '\0' || *value == '\0' || *type == '\0' ||
        strspn(type, "abcdefghijklmnopqrstuvwxyz") != strlen(type))
        return -1;
    while (field != NULL) {
        char *next = cut(field, '|');

        if (take_field(field, &sample) != 0)
            return -1;
        field = next;
    }
    sample.value = value;
    sample.type = type;
    *out = sample;
    return 0;
}
