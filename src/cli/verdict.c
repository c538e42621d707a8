/*
 * verdict: owns the one line for a monitoring system and its numbers. What is healthy, the daemon
 * decides.
 */
#include "cli/verdict.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "cli/human.h"
#include "cli/json.h"
#include "cli/say.h"

/* What a graph may be made of: label, unit, and the key of its most. */
static const struct measure {
    const char *key, *unit, *most;
} measures[] = {
    {"lines_per_s", "", NULL},
    {"lines_sent_per_s", "", NULL},
    {"packets_per_s", "", NULL},
    {"bad", "c", NULL},
    {"refused", "c", NULL},
    {"udp_drops", "c", NULL},
    {"queue_bytes", "B", "queue_limit"},
    {"spool_bytes", "B", "spool_limit"},
    {"dropped", "c", NULL},
    {"memory_used", "B", "memory_limit"},
    {"last_success_age_s", "s", NULL},
    {"uptime_s", "s", NULL},
};

enum verdict
verdict_of(const struct facts *facts)
{
    const char *state = facts_text(facts, "state");

    if (state == NULL)
        return VERDICT_UNKNOWN;
    if (strcmp(state, "ok") == 0)
        return VERDICT_OK;
    if (strcmp(state, "warning") == 0)
        return VERDICT_WARNING;
    return strcmp(state, "critical") == 0 ? VERDICT_CRITICAL : VERDICT_UNKNOWN;
}

const char *
verdict_name(enum verdict verdict)
{
    static const char *const names[] = {
        [VERDICT_OK] = "OK",
        [VERDICT_WARNING] = "WARNING",
        [VERDICT_CRITICAL] = "CRITICAL",
        [VERDICT_UNKNOWN] = "UNKNOWN",
    };

    return names[verdict];
}

/* A bar begins the numbers, and must stand nowhere else. */
static void
print_reason(FILE *out, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "|");

        say_safely(out, text, len);
        text += len;
        if (*text == '|') {
            fputc('/', out);
            text++;
        }
    }
}

static bool
print_problems(FILE *out, const struct facts *facts)
{
    const struct fact *problem;
    size_t at = 0, n = 0;

    while ((problem = facts_next(facts, "problem", &at)) != NULL) {
        fputs(n++ > 0 ? "; " : "", out);
        print_reason(out, problem->value);
    }
    return n > 0;
}

static void
print_summary(FILE *out, const struct facts *facts)
{
    char lines[HUMAN_MAX], sent[HUMAN_MAX], age[HUMAN_MAX];

    human_age(facts_number(facts, "uptime_s"), age);
    fprintf(out, "up %s", age);
    if (facts_text(facts, "lines_per_s") == NULL)
        return; /* before the first flush */
    human_count(facts_number(facts, "lines_per_s"), lines);
    human_count(facts_number(facts, "lines_sent_per_s"), sent);
    fprintf(out, ", %s lines/s in, %s lines/s out", lines, sent);
}

static void
print_measures(FILE *out, const struct facts *facts)
{
    fputs(" |", out);
    for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++) {
        const struct measure *measure = &measures[i];
        const char *value = facts_text(facts, measure->key), *most = NULL;

        if (value == NULL || !json_is_number(value))
            continue;
        if (measure->most != NULL)
            most = facts_text(facts, measure->most);
        fprintf(out, " %s=%s%s", measure->key, value, measure->unit);
        if (most != NULL && json_is_number(most) && strcmp(most, "0") != 0)
            fprintf(out, ";;;0;%s", most);
    }
}

void
verdict_print(FILE *out, const struct facts *facts)
{
    enum verdict verdict = verdict_of(facts);

    fprintf(out, "%s - ", verdict_name(verdict));
    if (verdict == VERDICT_UNKNOWN)
        fputs("the daemon does not say how it is", out);
    else if (!print_problems(out, facts))
        print_summary(out, facts);
    print_measures(out, facts);
    fputc('\n', out);
}
