/*
 * facts: owns a list of keys and values. Must not know which there are.
 */
#include "cli/facts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"

#define GROWTH 64

int
facts_add(struct facts *facts, const char *line)
{
    const char *blank = strchr(line, ' ');
    char *copy;

    if (blank == NULL || blank == line || facts->n_facts == FACTS_MAX)
        return -1;
    if (facts->n_facts % GROWTH == 0) {
        struct fact *grown =
            reallocarray(facts->facts, facts->n_facts + GROWTH, sizeof(*facts->facts));

        if (grown == NULL)
            return -1;
        facts->facts = grown;
    }
    copy = strdup(line);
    if (copy == NULL)
        return -1;
    copy[blank - line] = '\0';
    facts->facts[facts->n_facts++] = (struct fact){copy, copy + (blank - line) + 1};
    return 0;
}

void
facts_release(struct facts *facts)
{
    for (size_t i = 0; i < facts->n_facts; i++)
        free(facts->facts[i].key);
    free(facts->facts);
    *facts = (struct facts){0};
}

const char *
facts_text(const struct facts *facts, const char *key)
{
    for (size_t i = 0; i < facts->n_facts; i++) {
        const struct fact *fact = &facts->facts[i];

        if (strcmp(fact->key, key) == 0)
            return strcmp(fact->value, "-") == 0 ? NULL : fact->value;
    }
    return NULL;
}

double
facts_number(const struct facts *facts, const char *key)
{
    const char *text = facts_text(facts, key);
    double value;

    return text != NULL && options_number(text, &value) == 0 ? value : (double)NAN;
}

const struct fact *
facts_next(const struct facts *facts, const char *prefix, size_t *at)
{
    while (*at < facts->n_facts) {
        const struct fact *fact = &facts->facts[(*at)++];

        if (strncmp(fact->key, prefix, strlen(prefix)) == 0)
            return fact;
    }
    return NULL;
}
