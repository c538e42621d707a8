/*
 * say: owns the way of words to a person. Must not know what they are about.
 */
#include "cli/say.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

void
say_error(const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    fputs("pystatsd: ", stderr);
    say_safely(stderr, line, strlen(line));
    fputc('\n', stderr);
}

void
say_safely(FILE *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];

        if (byte >= ' ' && byte <= '~')
            fputc(byte, out);
        else
            fprintf(out, "\\x%02x", byte);
    }
}

void
say_as_fits(FILE *out, const char *text, size_t len)
{
    if (isatty(fileno(out)))
        say_safely(out, text, len);
    else
        fwrite(text, 1, len, out);
}

bool
say_in_colour(FILE *out)
{
    const char *terminal = getenv("TERM"), *no_color = getenv("NO_COLOR");

    if (no_color != NULL && *no_color != '\0')
        return false;
    return isatty(fileno(out)) && terminal != NULL && strcmp(terminal, "dumb") != 0;
}
