/*
 * human: owns the units that people are shown. Pure.
 */
#include "cli/human.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* At most one decimal, none where there is nothing in it or three digits before it. */
static void
print_short(double value, char out[HUMAN_MAX])
{
    double tenths = round(value * 10) / 10;
    bool whole = fabs(tenths) >= 100 || tenths == trunc(tenths);

    snprintf(out, HUMAN_MAX, "%.*f", whole ? 0 : 1, tenths == 0 ? 0 : value);
}

/* By step as long as what is printed would not be less than step. Returns how often. */
static size_t
scale(double *value, double step, size_t most)
{
    size_t n = 0;

    while (n < most && fabs(*value) >= step - 0.5) {
        *value /= step;
        n++;
    }
    return n;
}

static void
print_scaled(double value, double step, const char *const units[], size_t most, char out[HUMAN_MAX])
{
    size_t unit;

    if (!isfinite(value) || fabs(value) > 1e24) {
        strcpy(out, isfinite(value) ? "huge" : "-");
        return;
    }
    unit = scale(&value, step, most);
    print_short(value, out);
    snprintf(out + strlen(out), HUMAN_MAX - strlen(out), "%s", units[unit]);
}

void
human_count(double count, char out[HUMAN_MAX])
{
    static const char *const units[] = {"", "k", "M", "G", "T", "P"};

    print_scaled(count, 1000, units, 5, out);
}

void
human_size(double bytes, char out[HUMAN_MAX])
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB"};

    print_scaled(bytes, 1024, units, 5, out);
}

void
human_age(double seconds, char out[HUMAN_MAX])
{
    long long whole;

    if (!(seconds >= 0) || seconds > 1e15) {
        strcpy(out, "-");
        return;
    }
    whole = (long long)(seconds + 0.5);
    if (seconds > 0 && seconds < 0.9995) {
        snprintf(out, HUMAN_MAX, "%.0fms", fmax(1, seconds * 1000));
    } else if (seconds < 9.95) {
        print_short(seconds, out);
        strcat(out, "s");
    } else if (whole < 60) {
        snprintf(out, HUMAN_MAX, "%llds", whole);
    } else if (whole < 3600) {
        snprintf(out, HUMAN_MAX, "%lldm %llds", whole / 60, whole % 60);
    } else if (whole < 86400) {
        snprintf(out, HUMAN_MAX, "%lldh %lldm", whole / 3600, whole / 60 % 60);
    } else {
        snprintf(out, HUMAN_MAX, "%lldd %lldh", whole / 86400, whole / 3600 % 24);
    }
}
