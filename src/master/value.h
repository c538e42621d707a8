/*
 * value: the kinds of values that settings have, read from text and brought into one spelling.
 */
#ifndef MASTER_VALUE_H
#define MASTER_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define VALUE_TEXT_MAX    512
#define VALUE_NUMBERS_MAX 16
#define VALUE_WORDS_MAX   256
#define VALUE_WORD_MAX    256
#define VALUE_LIST_MAX    (VALUE_WORDS_MAX * (VALUE_WORD_MAX + 1)) /* bytes, with a NUL */

enum value_kind {
    VALUE_TEXT,         /* printable ASCII of min to max bytes that a file can hold in quotes */
    VALUE_AFFIX,        /* the same, its outer dots dropped */
    VALUE_PATH,         /* an absolute path of max bytes, its last slashes dropped; or "" */
    VALUE_HOST,         /* a name or literal address; "" where min is 0 */
    VALUE_HOSTS,        /* host, host:port or [v6]:port; a list, of one as yet */
    VALUE_NUMBER,       /* decimal, without leading zeros, min to max */
    VALUE_PORT,         /* the same */
    VALUE_SIZE,         /* bytes, or with K, M, G */
    VALUE_SECONDS,      /* read as seconds, or with ms, s, m, h, d; number, min, max in ms */
    VALUE_MILLISECONDS, /* the same, a bare number in ms */
    VALUE_SWITCH,       /* yes or no: number 1 or 0 */
    VALUE_CHOICE,       /* one of choices: number is its place */
    VALUE_NUMBERS,      /* a list of 1 to 16 different numbers from -100 to 100 */
    VALUE_WORDS,        /* a list of up to 256 words of 1 to 256 printable characters without
                           blanks, commas and braces, as quotes can hold them; also none */
    VALUE_KIND_COUNT,
};

struct value_rule {
    enum value_kind kind;
    uint64_t min, max;
    const char *const *choices; /* ends with NULL */
    const char *const *unbuilt; /* choices of a later version; NULL, or ends with NULL */
};

/* What a text meant. Which members hold depends on the kind; text does but for VALUE_WORDS. */
struct value {
    char text[VALUE_TEXT_MAX]; /* in the one spelling */
    uint64_t number;
    double numbers[VALUE_NUMBERS_MAX];
    size_t n_numbers;
    const char *list; /* of VALUE_WORDS the text itself, borrowed; of other kinds NULL */
};

/* True for the kinds that the file may write as {a,b,c}. */
bool value_is_list(enum value_kind kind);

/* Bytes of the longest text of a kind, its NUL included. */
size_t value_text_size(enum value_kind kind);

/* Reads text by the rule. Returns 0, or -1 with what was expected and what was there appended to
 * why; *out is then untouched. */
int value_read(const struct value_rule *rule, const char *text, struct value *out, struct buf *why);

/* The quotes in which text stands in a configuration file, or 0 where none can hold it. */
char value_quote(const char *text);

/* Appends formatted text, cut at 1 KiB; what does not fit is left out. */
void value_say(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
