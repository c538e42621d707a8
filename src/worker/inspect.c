/*
 * inspect: see inspect.h. Its numbers are those of Node's source: a line of 80, of which 10 are put
 * aside; arrays of more than 6 elements in columns, 15 at most.
 */
#include "worker/inspect.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/shortest.h"

#define ASIDE       10
#define INDENT      2 /* of a map's values */
#define UNGROUPED   6
#define COLUMNS_MAX 12 /* four times what is compact to Node, by default */
#define SEPARATOR   2  /* ", " */
/* -1.7976931348623157e+308 */
#define NUMBER_MAX 32

/* ---- numbers */

/* digits * 10^(point - n) as JavaScript has it: without an exponent from 1e-6 up to 1e21. */
static void
spell(const char *digits, int n, int point, struct buf *out)
{
    static const char zeros[] = "00000000000000000000000";
    char exponent[16];

    if (point > 0 && point <= 21) {
        int whole = n < point ? n : point;

        buf_append(out, digits, (size_t)whole);
        buf_append(out, zeros, (size_t)(point - whole));
        buf_append(out, ".", n > point);
        buf_append(out, digits + whole, (size_t)(n - whole));
    } else if (point > -6 && point <= 0) {
        buf_append(out, "0.", 2);
        buf_append(out, zeros, (size_t)-point);
        buf_append(out, digits, (size_t)n);
    } else {
        buf_append(out, digits, 1);
        buf_append(out, ".", n > 1);
        buf_append(out, digits + 1, (size_t)n - 1);
        snprintf(exponent, sizeof(exponent), "e%+d", point - 1);
        buf_append_str(out, exponent);
    }
}

void
inspect_number(double value, struct buf *out)
{
    char text[NUMBER_MAX];
    uint64_t digits;
    int exponent, n;

    if (signbit(value))
        buf_append(out, "-", 1);
    shortest_digits(fabs(value), &digits, &exponent);
    if (digits == 0) {
        buf_append(out, "0", 1);
        return;
    }
    for (; digits % 10 == 0; digits /= 10)
        exponent++;
    n = snprintf(text, sizeof(text), "%" PRIu64, digits);
    spell(text, n, n + exponent, out);
}

/* ---- keys */

static bool
is_identifier(const char *key, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)key[i];

        if (!(c < 0x80 && (isalpha(c) || c == '_' || (i > 0 && isdigit(c)))))
            return false;
    }
    return len > 0;
}

/* Clean names have neither quotes nor what is to be escaped. */
void
inspect_key(const char *key, size_t len, struct buf *out)
{
    bool is_bare = is_identifier(key, len);

    buf_append(out, "'", !is_bare);
    buf_append(out, key, len);
    buf_append(out, "'", !is_bare);
}

/* ---- arrays */

/* The elements as text, one behind the other, and the last one that says how many more there are.
 */
struct elements {
    char text[INSPECT_SHOWN_MAX + 1][NUMBER_MAX];
    size_t lens[INSPECT_SHOWN_MAX + 1];
    size_t n, n_values;
};

static void
spell_elements(const double *values, size_t n_shown, uint64_t n, struct elements *out)
{
    out->n = out->n_values = n_shown;
    for (size_t i = 0; i < n_shown; i++) {
        struct buf buf;

        buf_init_fixed(&buf, out->text[i], NUMBER_MAX);
        inspect_number(values[i], &buf);
        out->lens[i] = buf.len;
    }
    if (n == n_shown)
        return;
    out->lens[n_shown] =
        (size_t)snprintf(out->text[n_shown], NUMBER_MAX, "... %" PRIu64 " more item%s", n - n_shown,
                         n - n_shown > 1 ? "s" : "");
    out->n++;
}

/* How many columns Node makes of the elements; 1 or less: none. Only where there are as many as are
 * shown is the last one known to it as none of them. */
static unsigned
count_columns(const struct elements *elements, size_t n_grouped)
{
    size_t total = 0, max = 0;
    double actual, bias, biased, columns, fitting;

    for (size_t i = 0; i < n_grouped; i++) {
        total += elements->lens[i] + SEPARATOR;
        if (elements->lens[i] > max)
            max = elements->lens[i];
    }
    actual = (double)(max + SEPARATOR);
    if (actual * 3 + INDENT >= INSPECT_LINE_MAX || !((double)total / actual > 5 || max <= 6))
        return 0;
    bias = sqrt(actual - (double)total / (double)elements->n);
    biased = fmax(actual - 3 - bias, 1);
    columns = floor(sqrt(2.5 * biased * (double)n_grouped) / biased + 0.5);
    fitting = floor((INSPECT_LINE_MAX - INDENT) / actual);
    columns = fmin(fmin(columns, fitting), COLUMNS_MAX);
    return (unsigned)columns;
}

static void
begin_line(bool is_first, struct buf *out)
{
    buf_append_str(out, is_first ? "\n    " : ",\n    ");
}

static void
append_padded(const char *text, size_t len, size_t width, struct buf *out)
{
    for (size_t i = len; i < width; i++)
        buf_append(out, " ", 1);
    buf_append(out, text, len);
}

/* The numbers of a column end below each other. */
static void
append_columns(const struct elements *elements, size_t n_grouped, unsigned columns, struct buf *out)
{
    size_t widths[COLUMNS_MAX] = {0};

    for (size_t i = 0; i < n_grouped; i++) {
        if (elements->lens[i] > widths[i % columns])
            widths[i % columns] = elements->lens[i];
    }
    for (size_t i = 0; i < n_grouped; i++) {
        if (i % columns == 0)
            begin_line(i == 0, out);
        else
            buf_append(out, ", ", 2);
        append_padded(elements->text[i], elements->lens[i], widths[i % columns], out);
    }
    for (size_t i = n_grouped; i < elements->n; i++) {
        begin_line(false, out);
        buf_append(out, elements->text[i], elements->lens[i]);
    }
    buf_append_str(out, "\n  ]");
}

static bool
fits_in_line(const struct elements *elements)
{
    size_t len = 2 * elements->n + INDENT + 1 + ASIDE;

    if (len + elements->n > INSPECT_LINE_MAX)
        return false;
    for (size_t i = 0; i < elements->n; i++)
        len += elements->lens[i];
    return len <= INSPECT_LINE_MAX;
}

static void
append_list(const struct elements *elements, bool in_line, struct buf *out)
{
    for (size_t i = 0; i < elements->n; i++) {
        if (!in_line)
            begin_line(i == 0, out);
        else
            buf_append_str(out, i == 0 ? " " : ", ");
        buf_append(out, elements->text[i], elements->lens[i]);
    }
    buf_append_str(out, in_line ? " ]" : "\n  ]");
}

void
inspect_array(const double *values, size_t n_shown, uint64_t n, struct buf *out)
{
    struct elements elements;
    size_t n_grouped;
    unsigned columns = 0;

    buf_append(out, "[", 1);
    if (n == 0) {
        buf_append(out, "]", 1);
        return;
    }
    spell_elements(values, n_shown, n, &elements);
    n_grouped = elements.n > INSPECT_SHOWN_MAX ? INSPECT_SHOWN_MAX : elements.n;
    if (elements.n > UNGROUPED)
        columns = count_columns(&elements, n_grouped);
    if (columns > 1)
        append_columns(&elements, n_grouped, columns, out);
    else
        append_list(&elements, fits_in_line(&elements), out);
}

/* ---- maps */

static bool
still_fits(const struct inspect_map *map, const char *entry, size_t len)
{
    size_t n = map->n + 1, start = n + 1 + ASIDE;

    return !map->is_tall && start + 2 * n <= INSPECT_LINE_MAX &&
           start + n + map->len + len <= INSPECT_LINE_MAX && memchr(entry, '\n', len) == NULL;
}

/* What was to stand on one line stands on its lines. */
static void
grow_tall(struct inspect_map *map, struct buf *out)
{
    const char *at = map->line, *end = map->line + map->line_len;

    buf_append(out, "{", 1);
    for (size_t i = 0; at < end; i++) {
        size_t len = strlen(at);

        buf_append_str(out, i == 0 ? "\n  " : ",\n  ");
        buf_append(out, at, len);
        at += len + 1;
    }
    map->is_tall = true;
}

void
inspect_map_add(struct inspect_map *map, const char *entry, size_t len, struct buf *out)
{
    if (still_fits(map, entry, len)) {
        memcpy(map->line + map->line_len, entry, len);
        map->line_len += len;
        map->line[map->line_len++] = '\0';
        map->len += len;
        map->n++;
        return;
    }
    if (!map->is_tall)
        grow_tall(map, out);
    buf_append_str(out, map->n++ == 0 ? "\n  " : ",\n  ");
    buf_append(out, entry, len);
}

void
inspect_map_end(struct inspect_map *map, struct buf *out)
{
    const char *at = map->line, *end = map->line + map->line_len;

    if (map->is_tall) {
        buf_append_str(out, "\n}");
        return;
    }
    buf_append(out, "{", 1);
    for (; at < end; at += strlen(at) + 1) {
        buf_append_str(out, at == map->line ? " " : ", ");
        buf_append_str(out, at);
    }
    buf_append_str(out, map->n > 0 ? " }" : "}");
}
