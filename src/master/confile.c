/*
 * confile: reads the configuration file and holds every line against the subset that sh, systemd
 * and libconfuse read alike, and the comments behind a value that sh alone knows. Knows the grammar
 * of a line; must not know any key.
 */
#include "master/confile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LETTERS    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define KEY_CHARS  LETTERS "0123456789_"
#define WORD_CHARS KEY_CHARS "-.:/@%"

static const char WHY_MEMORY[] = "there is no memory for this line";
static const char WHY_BOM[] = "expected a file without a byte order mark";
static const char WHY_BYTES[] = "expected text without NUL, carriage return or other control bytes";
static const char WHY_UTF8[] = "expected text in UTF-8";
static const char WHY_COMMENT[] = "expected a comment that does not end in a backslash";
static const char WHY_LINE[] = "expected KEY=value, a comment or an empty line";
static const char WHY_EQUALS[] = "expected KEY=value without blanks around the equals sign";
static const char WHY_WORD[] =
    "expected a value of letters, digits and _ - . : / @ %, or one in quotes";
static const char WHY_SLASHES[] = "expected quotes around a value that begins with //";
static const char WHY_DOUBLE[] = "expected a closing \" with no \\ $ or backquote before it";
static const char WHY_SINGLE[] = "expected a closing ' with no \\ before it";
static const char WHY_LIST[] = "expected a list as {a,b,c}, without blanks or quotes";
static const char WHY_TRAILING[] =
    "expected nothing behind the value but a blank and a # comment that ends in no backslash";

static bool
is_null_device(const struct stat *status)
{
    return S_ISCHR(status->st_mode) && status->st_rdev == makedev(1, 3);
}

/* Reads fd to its end, as a file may still grow while it is read. */
static int
read_all(int fd, struct buf *out)
{
    char chunk[4096];
    size_t total = 0;

    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        total += (size_t)n;
        if (total > CONFILE_SIZE_MAX)
            return -EFBIG;
        if (buf_append(out, chunk, (size_t)n) < 0)
            return -ENOMEM;
    }
}

int
confile_read(const char *path, struct buf *out)
{
    size_t len_before = out->len;
    struct stat status;
    int result;

    /* A FIFO without a writer must not hold up the start. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) < 0)
        result = -errno;
    else if (is_null_device(&status))
        result = 0;
    else if (!S_ISREG(status.st_mode))
        result = -EINVAL;
    else
        result = read_all(fd, out);
    close(fd);
    if (result < 0)
        out->len = len_before;
    return result;
}

/* How many of the bytes from at on are of the set. */
static size_t
span(const char *at, const char *end, const char *set)
{
    size_t n = 0;

    while (at + n < end && at[n] != '\0' && strchr(set, at[n]) != NULL)
        n++;
    return n;
}

static bool
has_control(const char *at, const char *end)
{
    for (; at < end; at++) {
        if ((unsigned char)*at < 0x20 && *at != '\t')
            return true;
    }
    return false;
}

/* The length of the UTF-8 sequence at p, of at most left bytes, or 0 where it is none. */
static size_t
utf8_sequence(const unsigned char *p, size_t left)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

    if (n == 0 || n > left || p[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    /* Overlong forms, surrogates and what lies beyond U+10FFFF. */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
        return 0;
    return n;
}

static bool
is_utf8(const char *at, const char *end)
{
    const unsigned char *p = (const unsigned char *)at;
    size_t left = (size_t)(end - at);

    while (left > 0) {
        size_t n = utf8_sequence(p, left);
        if (n == 0)
            return false;
        p += n;
        left -= n;
    }
    return true;
}

/* Whether nothing is there any more but a comment, as sh has it: behind a blank. */
static bool
is_over(const char *at, const char *end)
{
    size_t blanks = span(at, end, " \t");

    return at == end || (blanks > 0 && at + blanks < end && at[blanks] == '#' && end[-1] != '\\');
}

/* What is wrong with an unquoted word of n bytes, or NULL. */
static const char *
check_word(const char *at, size_t n, const char *end)
{
    if (n >= 2 && at[0] == '/' && at[1] == '/')
        return WHY_SLASHES;
    if (is_over(at + n, end))
        return n > 0 ? NULL : WHY_WORD;
    return at[n] == ' ' || at[n] == '\t' ? WHY_TRAILING : WHY_WORD;
}

static const char *
append_in_quotes(const char *at, const char *end, struct buf *out)
{
    if (buf_append(out, "\"", 1) < 0 || buf_append(out, at, (size_t)(end - at)) < 0 ||
        buf_append(out, "\"", 1) < 0)
        return WHY_MEMORY;
    return NULL;
}

static const char *
append_word(const char *at, const char *end, struct buf *out)
{
    size_t n = span(at, end, WORD_CHARS);
    const char *why = check_word(at, n, end);

    return why != NULL ? why : append_in_quotes(at, at + n, out);
}

static const char *
append_quoted(const char *at, const char *end, struct buf *out)
{
    bool is_double = *at == '"';
    const char *close = memchr(at + 1, *at, (size_t)(end - at - 1));

    if (close == NULL)
        return is_double ? WHY_DOUBLE : WHY_SINGLE;
    for (const char *p = at + 1; p < close; p++) {
        if (*p == '\\' || (is_double && (*p == '$' || *p == '`')))
            return is_double ? WHY_DOUBLE : WHY_SINGLE;
    }
    if (!is_over(close + 1, end))
        return WHY_TRAILING;
    return buf_append(out, at, (size_t)(close + 1 - at)) < 0 ? WHY_MEMORY : NULL;
}

/* One element of a list: a word that may also hold the star of a glob, which no reader expands
 * within braces that are no pattern of a file. */
static const char *
append_element(const char *at, const char *end, struct buf *out)
{
    size_t n = span(at, end, WORD_CHARS "*");

    if (n == 0 || at + n != end)
        return WHY_LIST;
    return append_in_quotes(at, end, out);
}

static const char *
append_list(const char *at, const char *end, struct buf *out)
{
    const char *close = memchr(at, '}', (size_t)(end - at));
    const char *why = NULL;

    if (close == NULL)
        return WHY_LIST;
    if (!is_over(close + 1, end))
        return WHY_TRAILING;
    if (buf_append(out, "{", 1) < 0)
        return WHY_MEMORY;
    at++;
    while (why == NULL && at < close) {
        const char *comma = memchr(at, ',', (size_t)(close - at));
        why = append_element(at, comma != NULL ? comma : close, out);
        at = comma != NULL ? comma + 1 : close;
        if (why == NULL && comma != NULL)
            why = at == close ? WHY_LIST : buf_append(out, ",", 1) < 0 ? WHY_MEMORY : NULL;
    }
    if (why == NULL && buf_append(out, "}", 1) < 0)
        why = WHY_MEMORY;
    return why;
}

static const char *
append_value(const char *at, const char *end, struct buf *out)
{
    if (is_over(at, end))
        return append_in_quotes(at, at, out);
    switch (*at) {
    case ' ':
    case '\t': return WHY_EQUALS;
    case '"':
    case '\'': return append_quoted(at, end, out);
    case '{': return append_list(at, end, out);
    default: return append_word(at, end, out);
    }
}

/* Behind "export" and its blanks, where a line has them. */
static const char *
skip_export(const char *at, const char *end)
{
    static const char word[] = "export";
    size_t len = sizeof word - 1;

    if ((size_t)(end - at) <= len || memcmp(at, word, len) != 0)
        return at;
    size_t blanks = span(at + len, end, " \t");
    return blanks > 0 ? at + len + blanks : at;
}

static const char *
append_setting(const char *at, const char *end, struct buf *out)
{
    at = skip_export(at, end);
    size_t key_len = span(at, end, KEY_CHARS);
    if (key_len == 0 || span(at, at + 1, LETTERS "_") == 0)
        return WHY_LINE;
    const char *equals = at + key_len;
    if (equals == end || *equals != '=')
        return equals < end && (*equals == ' ' || *equals == '\t') ? WHY_EQUALS : WHY_LINE;
    if (buf_append(out, at, key_len + 1) < 0)
        return WHY_MEMORY;
    return append_value(equals + 1, end, out);
}

static const char *
append_line(const char *at, const char *end, struct buf *out)
{
    if (at < end && end[-1] == '\r')
        end--;
    if (has_control(at, end))
        return WHY_BYTES;
    at += span(at, end, " \t");
    if (at < end && *at == '#')
        return end[-1] == '\\' ? WHY_COMMENT : NULL;
    while (at < end && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (at == end)
        return NULL;
    if (!is_utf8(at, end))
        return WHY_UTF8;
    return append_setting(at, end, out);
}

int
confile_normalise(const char *text, size_t len, struct buf *out, const char **out_why)
{
    static const char bom[] = "\xef\xbb\xbf";
    size_t len_before = out->len;
    const char *end = text + len;
    const char *why = len >= 3 && memcmp(text, bom, 3) == 0 ? WHY_BOM : NULL;
    int number = 1;

    for (const char *at = text; why == NULL && at < end; number++) {
        const char *eol = memchr(at, '\n', (size_t)(end - at));
        if (eol == NULL)
            eol = end;
        why = append_line(at, eol, out);
        if (why == NULL && buf_append(out, "\n", 1) < 0)
            why = WHY_MEMORY;
        if (why != NULL)
            break;
        at = eol < end ? eol + 1 : end;
    }
    if (why == NULL)
        return 0;
    out->len = len_before;
    *out_why = why;
    return number;
}
