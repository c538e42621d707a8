/*
 * getview: owns how the values of a metric are laid out. Pure but for the stream it is given.
 */
#include "cli/getview.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "cli/human.h"
#include "cli/options.h"
#include "cli/say.h"

/* The four words of a line, borrowed from it. */
struct words {
    const char *starts[4];
    size_t lens[4];
};

static int
split(const char *line, size_t len, struct words *out)
{
    for (size_t i = 0; i < 4; i++) {
        const char *blank = i < 3 ? memchr(line, ' ', len) : NULL;

        if (i < 3 && blank == NULL)
            return -1;
        out->starts[i] = line;
        out->lens[i] = i < 3 ? (size_t)(blank - line) : len;
        line += out->lens[i] + 1;
        len -= i < 3 ? out->lens[i] + 1 : 0;
    }
    return 0;
}

static int
is_word(const struct words *words, size_t i, const char *text)
{
    return words->lens[i] == strlen(text) && memcmp(words->starts[i], text, words->lens[i]) == 0;
}

/* With as many digits as anybody reads. */
static void
print_number(FILE *out, double value)
{
    if (value == trunc(value) && fabs(value) < 1e15)
        fprintf(out, "%.0f", value);
    else if (fabs(value) >= 1)
        fprintf(out, "%.3f", value);
    else
        fprintf(out, "%.6g", value);
}

static int
read_number(const char *text, size_t len, double *out)
{
    char copy[64];

    if (len >= sizeof(copy))
        return -1;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return options_number(copy, out);
}

static void
print_value(FILE *out, const struct words *words)
{
    char age[HUMAN_MAX];
    double value;
    int is_number = read_number(words->starts[3], words->lens[3], &value) == 0;

    if (is_number && is_word(words, 2, "age_s")) {
        human_age(value, age);
        fprintf(out, "  %-8s %s ago\n", "last", age);
        return;
    }
    fputs("  ", out);
    say_safely(out, words->starts[2], words->lens[2]);
    fprintf(out, "%*s", words->lens[2] < 8 ? (int)(9 - words->lens[2]) : 1, "");
    if (is_number)
        print_number(out, value);
    else
        say_safely(out, words->starts[3], words->lens[3]);
    fputs(is_word(words, 2, "rate") ? " a second\n" : "\n", out);
}

void
getview_print(FILE *out, const char *text)
{
    const char *heading = "";
    size_t heading_len = 0;

    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        struct words words;

        if (split(text, len, &words) == 0) {
            size_t this_len = words.lens[0] + 1 + words.lens[1];

            if (this_len != heading_len || memcmp(heading, text, heading_len) != 0) {
                say_safely(out, text, this_len);
                fputc('\n', out);
            }
            heading = text;
            heading_len = this_len;
            print_value(out, &words);
        } else {
            say_safely(out, text, len);
            fputc('\n', out);
        }
        text += len + (text[len] == '\n');
    }
}
