/*
 * json: owns what JSON demands of strings and numbers. Must not know what they mean.
 */
#include "cli/json.h"

#include <stddef.h>
#include <string.h>

/* How many bytes the UTF-8 character at text has; 0 where there is none. NUL ends text, and is no
 * continuation, so that nothing behind it is looked at. */
static size_t
character_len(const unsigned char *text)
{
    size_t len = text[0] < 0x80   ? 1
                 : text[0] < 0xc2 ? 0
                 : text[0] < 0xe0 ? 2
                 : text[0] < 0xf0 ? 3
                 : text[0] < 0xf5 ? 4
                                  : 0;

    for (size_t i = 1; i < len; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    /* Overlong forms, surrogates, and what is beyond Unicode. */
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
        (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
        return 0;
    return len;
}

static void
write_ascii(FILE *out, char byte)
{
    switch (byte) {
    case '"': fputs("\\\"", out); return;
    case '\\': fputs("\\\\", out); return;
    case '\n': fputs("\\n", out); return;
    case '\r': fputs("\\r", out); return;
    case '\t': fputs("\\t", out); return;
    default: break;
    }
    if ((unsigned char)byte < ' ' || byte == 0x7f)
        fprintf(out, "\\u%04x", (unsigned)byte);
    else
        fputc(byte, out);
}

void
json_string(FILE *out, const char *text)
{
    fputc('"', out);
    while (*text != '\0') {
        size_t len = character_len((const unsigned char *)text);

        if (len == 1)
            write_ascii(out, *text);
        else if (len == 0)
            fputs("\\ufffd", out);
        else
            fwrite(text, 1, len, out);
        text += len == 0 ? 1 : len;
    }
    fputc('"', out);
}

/* Moves *at behind digits; false where there are none. */
static bool
skip_digits(const char **at)
{
    size_t n = strspn(*at, "0123456789");

    *at += n;
    return n > 0;
}

bool
json_is_number(const char *text)
{
    const char *start;

    text += *text == '-';
    start = text;
    if (!skip_digits(&text) || (*start == '0' && text - start > 1))
        return false;
    if (*text == '.' && (text++, !skip_digits(&text)))
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '+' || *text == '-';
        if (!skip_digits(&text))
            return false;
    }
    return *text == '\0';
}
