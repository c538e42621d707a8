/*
 * value: reads the values of settings: numbers, sizes, durations, switches, choices,
 * lists. Knows
 * kinds and ranges; must not know any key.
 */
#include "master/value.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"

#define DIGITS     "0123456789"
#define HOST_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" DIGITS "._-:%"
/* What stands between words, around a list, or cannot be in a file. */
#define NO_WORD_CHARS " ,{}\\"
#define GOT_MAX       64 /* bytes of a wrong value that a message shows */

/* Why a value was not taken. */
enum refusal { WRONG = -1, UNBUILT = -2 };

struct unit {
    const char *name;
    uint64_t scale;
};

/* Largest first, so that the first that divides a size is the shortest way to write it. */
static const struct unit size_units[] = {{"G", 1u << 30}, {"M", 1u << 20}, {"K", 1u << 10}, {0}};
static const struct unit time_units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                         {"h", 3600000}, {"d", 86400000}, {0}};

void
value_say(struct buf *buf, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    buf_append_str(buf, text);
}

bool
value_is_list(enum value_kind kind)
{
    return kind == VALUE_NUMBERS || kind == VALUE_HOSTS || kind == VALUE_WORDS;
}

size_t
value_text_size(enum value_kind kind)
{
    return kind == VALUE_WORDS ? VALUE_LIST_MAX : VALUE_TEXT_MAX;
}

char
value_quote(const char *text)
{
    if (strchr(text, '\\') != NULL)
        return 0;
    if (strpbrk(text, "\"$`") == NULL)
        return '"';
    return strchr(text, '\'') == NULL ? '\'' : 0;
}

static int
read_text(const struct value_rule *rule, const char *text, struct value *out)
{
    size_t len = strlen(text);

    if (len < rule->min || len > rule->max || len >= sizeof out->text || value_quote(text) == 0)
        return WRONG;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e)
            return WRONG;
    }
    memcpy(out->text, text, len + 1);
    return 0;
}

static int
read_affix(const struct value_rule *rule, const char *text, struct value *out)
{
    text += strspn(text, ".");
    if (read_text(rule, text, out) < 0)
        return WRONG;
    size_t len = strlen(out->text);
    while (len > 0 && out->text[len - 1] == '.')
        out->text[--len] = '\0';
    return 0;
}

/* A slash at the end would lead on where the path itself is a link. */
static int
read_path(const struct value_rule *rule, const char *text, struct value *out)
{
    if ((text[0] != '/' && text[0] != '\0') || read_text(rule, text, out) < 0)
        return WRONG;
    size_t len = strlen(out->text);
    while (len > 1 && out->text[len - 1] == '/')
        out->text[--len] = '\0';
    return 0;
}

static int
read_host(const struct value_rule *rule, const char *text, struct value *out)
{
    return text[strspn(text, HOST_CHARS)] == '\0' ? read_text(rule, text, out) : WRONG;
}

static int
read_hosts(const struct value_rule *rule, const char *text, struct value *out)
{
    if (strchr(text, ',') != NULL)
        return UNBUILT;
    return text[strspn(text, HOST_CHARS "[]")] == '\0' ? read_text(rule, text, out) : WRONG;
}

/* Reads digits and, where units is not NULL, one of its names behind them. 010 is refused: to one
 * reader it is ten, to another eight. */
static int
read_scaled(const struct value_rule *rule, const char *text, const struct unit *units,
            uint64_t bare_scale, uint64_t *out)
{
    size_t n = strspn(text, DIGITS);
    uint64_t scale = text[n] == '\0' ? bare_scale : 0;
    uint64_t number;

    for (; scale == 0 && units != NULL && units->name != NULL; units++) {
        if (strcmp(text + n, units->name) == 0)
            scale = units->scale;
    }
    if (scale == 0 || (n > 1 && text[0] == '0') ||
        num_parse_u64(text, n, rule->max / scale, &number) < 0 || number * scale < rule->min)
        return WRONG;
    *out = number * scale;
    return 0;
}

/* The one spelling of a number of a kind. */
static void
spell(enum value_kind kind, uint64_t number, char out[VALUE_TEXT_MAX])
{
    const char *unit = "";

    if (kind == VALUE_SECONDS && number % 1000 == 0)
        number /= 1000;
    else if (kind == VALUE_SECONDS)
        unit = "ms";
    for (const struct unit *u = size_units; kind == VALUE_SIZE && u->name != NULL; u++) {
        if (number == 0 || number % u->scale != 0)
            continue;
        number /= u->scale;
        unit = u->name;
        break;
    }
    snprintf(out, VALUE_TEXT_MAX, "%" PRIu64 "%s", number, unit);
}

static int
read_number(const struct value_rule *rule, const char *text, struct value *out)
{
    const struct unit *units = rule->kind == VALUE_SIZE ? size_units : NULL;
    uint64_t bare_scale = rule->kind == VALUE_SECONDS ? 1000 : 1;

    if (rule->kind == VALUE_SECONDS || rule->kind == VALUE_MILLISECONDS)
        units = time_units;
    if (read_scaled(rule, text, units, bare_scale, &out->number) < 0)
        return WRONG;
    spell(rule->kind, out->number, out->text);
    return 0;
}

static int
read_switch(const struct value_rule *rule, const char *text, struct value *out)
{
    static const char *const spellings[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};

    (void)rule;
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        if (strcasecmp(text, spellings[i]) == 0) {
            out->number = i % 2;
            strcpy(out->text, spellings[i % 2]);
            return 0;
        }
    }
    return WRONG;
}

static int
read_choice(const struct value_rule *rule, const char *text, struct value *out)
{
    for (size_t i = 0; rule->choices[i] != NULL; i++) {
        if (strcmp(text, rule->choices[i]) == 0) {
            out->number = i;
            snprintf(out->text, sizeof out->text, "%s", text);
            return 0;
        }
    }
    for (size_t i = 0; rule->unbuilt != NULL && rule->unbuilt[i] != NULL; i++) {
        if (strcmp(text, rule->unbuilt[i]) == 0)
            return UNBUILT;
    }
    return WRONG;
}

/* Adds one number of a list, and its spelling to text. */
static int
take_number(const char *at, size_t len, struct value *out, struct buf *text)
{
    char digits[NUM_TEXT_MAX];
    double number;

    if (out->n_numbers == VALUE_NUMBERS_MAX || num_parse(at, len, &number) < 0 || number < -100 ||
        number > 100)
        return WRONG;
    for (size_t i = 0; i < out->n_numbers; i++) {
        if (out->numbers[i] >= number && out->numbers[i] <= number)
            return WRONG;
    }
    if (out->n_numbers > 0 && buf_append(text, ",", 1) < 0)
        return WRONG;
    out->numbers[out->n_numbers++] = number;
    return buf_append(text, digits, num_format(number, digits));
}

static int
read_numbers(const struct value_rule *rule, const char *text, struct value *out)
{
    struct buf spelt;

    (void)rule;
    buf_init_fixed(&spelt, out->text, sizeof out->text - 1);
    for (;;) {
        text += strspn(text, " ");
        size_t len = strcspn(text, ",");
        size_t used = len;
        while (used > 0 && text[used - 1] == ' ')
            used--;
        if (take_number(text, used, out, &spelt) < 0)
            return WRONG;
        if (text[len] == '\0')
            break;
        text += len + 1;
    }
    out->text[spelt.len] = '\0';
    return 0;
}

static bool
is_word(const char *at, size_t len)
{
    if (len < 1 || len > VALUE_WORD_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (at[i] < 0x20 || at[i] > 0x7e || strchr(NO_WORD_CHARS, at[i]) != NULL)
            return false;
    }
    return true;
}

static int
read_words(const struct value_rule *rule, const char *text, struct value *out)
{
    size_t at = 0;

    (void)rule;
    if (value_quote(text) == 0)
        return WRONG;
    for (size_t n = 0; text[0] != '\0'; n++) {
        size_t len = strcspn(text + at, ",");
        if (n == VALUE_WORDS_MAX || !is_word(text + at, len))
            return WRONG;
        at += len;
        if (text[at] == '\0')
            break;
        at++;
    }
    out->list = text;
    return 0;
}

static void
say_range(const struct value_rule *rule, const char *what, const char *hint, struct buf *why)
{
    char min[VALUE_TEXT_MAX], max[VALUE_TEXT_MAX];

    spell(rule->kind, rule->min, min);
    spell(rule->kind, rule->max, max);
    value_say(why, "expected %s from %.32s to %.32s%s", what, min, max, hint);
}

static void
say_choices(const struct value_rule *rule, struct buf *why)
{
    buf_append_str(why, "expected ");
    for (size_t i = 0; rule->choices[i] != NULL; i++)
        value_say(why, "%s%s", i == 0 ? "" : " or ", rule->choices[i]);
}

static void
say_expected(const struct value_rule *rule, struct buf *why)
{
    switch (rule->kind) {
    case VALUE_TEXT:
    case VALUE_AFFIX:
        value_say(why, "expected %s%" PRIu64 " printable characters that quotes can hold",
                  rule->min > 0 ? "1 to " : "at most ", rule->max);
        break;
    case VALUE_PATH:
        value_say(why, "expected an absolute path, or nothing, of at most %" PRIu64 " bytes",
                  rule->max);
        break;
    case VALUE_HOST: buf_append_str(why, "expected a host name or address"); break;
    case VALUE_HOSTS: buf_append_str(why, "expected host, host:port or [v6]:port"); break;
    case VALUE_PORT: say_range(rule, "a port", "", why); break;
    case VALUE_SIZE: say_range(rule, "a size", " (bytes, or with K, M, G)", why); break;
    case VALUE_SECONDS:
        say_range(rule, "a duration", " (seconds, or with ms, s, m, h, d)", why);
        break;
    case VALUE_MILLISECONDS:
        say_range(rule, "a duration", " (milliseconds, or with ms, s, m, h, d)", why);
        break;
    case VALUE_SWITCH: buf_append_str(why, "expected yes or no"); break;
    case VALUE_CHOICE: say_choices(rule, why); break;
    case VALUE_NUMBERS:
        value_say(why, "expected 1 to %d different numbers from -100 to 100", VALUE_NUMBERS_MAX);
        break;
    case VALUE_WORDS:
        value_say(why,
                  "expected at most %d words, each of 1 to %d printable characters without "
                  "blanks and braces",
                  VALUE_WORDS_MAX, VALUE_WORD_MAX);
        break;
    case VALUE_NUMBER:
    case VALUE_KIND_COUNT: say_range(rule, "a whole number", "", why); break;
    }
}

int
value_read(const struct value_rule *rule, const char *text, struct value *out, struct buf *why)
{
    static int (*const readers[VALUE_KIND_COUNT])(const struct value_rule *, const char *,
                                                  struct value *) = {
        [VALUE_TEXT] = read_text,       [VALUE_AFFIX] = read_affix,
        [VALUE_HOST] = read_host,       [VALUE_HOSTS] = read_hosts,
        [VALUE_NUMBER] = read_number,   [VALUE_PORT] = read_number,
        [VALUE_SIZE] = read_number,     [VALUE_SECONDS] = read_number,
        [VALUE_SWITCH] = read_switch,   [VALUE_MILLISECONDS] = read_number,
        [VALUE_NUMBERS] = read_numbers, [VALUE_CHOICE] = read_choice,
        [VALUE_WORDS] = read_words,     [VALUE_PATH] = read_path,
    };
    struct value value = {0};
    int result = readers[rule->kind](rule, text, &value);

    if (result == 0) {
        *out = value;
        return 0;
    }
    if (result == UNBUILT && rule->kind == VALUE_HOSTS) {
        buf_append_str(why, "several hosts are not built yet in this version; name one");
        return -1;
    }
    if (result == WRONG)
        say_expected(rule, why);
    buf_append_str(why, result == WRONG ? ", got '" : "'");
    buf_append_escaped(why, text, strlen(text), GOT_MAX);
    buf_append_str(why, result == WRONG ? "'" : "' is not built yet in this version");
    return -1;
}
