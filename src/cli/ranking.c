/*
 * ranking: owns the lists of `top`. Must not know how they are shown.
 */
#include "cli/ranking.h"

#include <stdlib.h>
#include <string.h>

#include "cli/options.h"

#define GROWTH     32
#define NUMBER_MAX 64

static const struct kind {
    const char *word, *title, *unit;
} kinds[RANKING_KINDS] = {
    [RANKING_NAME] = {"name", "BUSIEST NAMES", "a second"},
    [RANKING_PREFIX] = {"prefix", "BUSIEST PREFIXES", "a second"},
    [RANKING_NEW] = {"new", "NEWEST NAMES", "age"},
    [RANKING_SENDER] = {"sender", "BUSIEST SENDERS", "a second"},
};

/* Moves *line behind its next word, which is copied. */
static int
take_word(const char **line, size_t size, char *out)
{
    size_t len = strcspn(*line, " ");

    if (len == 0 || len >= size || (*line)[len] != ' ')
        return -1;
    memcpy(out, *line, len);
    out[len] = '\0';
    *line += len + 1;
    return 0;
}

static int
append(struct ranking_list *list, double number, const char *text)
{
    char *copy;

    if (list->n_entries == RANKING_MOST)
        return -1;
    if (list->n_entries % GROWTH == 0) {
        struct ranking_entry *grown =
            reallocarray(list->entries, list->n_entries + GROWTH, sizeof(*list->entries));

        if (grown == NULL)
            return -1;
        list->entries = grown;
    }
    copy = strdup(text);
    if (copy == NULL)
        return -1;
    list->entries[list->n_entries++] = (struct ranking_entry){number, copy};
    return 0;
}

int
ranking_add(struct ranking *ranking, const char *line)
{
    char word[NUMBER_MAX], number[NUMBER_MAX];
    double value;

    if (take_word(&line, sizeof(word), word) != 0 || take_word(&line, sizeof(number), number) != 0)
        return -1;
    if (*line == '\0' || options_number(number, &value) != 0)
        return -1;
    for (size_t i = 0; i < RANKING_KINDS; i++) {
        if (strcmp(kinds[i].word, word) == 0)
            return append(&ranking->lists[i], value, line);
    }
    return -1;
}

void
ranking_release(struct ranking *ranking)
{
    for (size_t i = 0; i < RANKING_KINDS; i++) {
        struct ranking_list *list = &ranking->lists[i];

        for (size_t j = 0; j < list->n_entries; j++)
            free(list->entries[j].text);
        free(list->entries);
        *list = (struct ranking_list){0};
    }
}

const char *
ranking_title(enum ranking_kind kind)
{
    return kinds[kind].title;
}

const char *
ranking_unit(enum ranking_kind kind)
{
    return kinds[kind].unit;
}

void
ranking_format(enum ranking_kind kind, double number, char out[HUMAN_MAX])
{
    if (kind == RANKING_NEW)
        human_age(number, out);
    else
        human_count(number, out);
}
