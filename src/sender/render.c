/*
 * render: see render.h.
 */
#include "sender/render.h"

#include <assert.h>

#include "base/num.h"

void
render_init(struct render *render, const struct batch *batch, const struct dialect *dialect)
{
    render->batch = batch;
    render->dialect = dialect;
    render->at = batch->records.data;
    render->n_refused = 0;
}

static const char *
skip_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* Each step is at the first byte that it did not take; one that must take some returns NULL. */
static const char *
skip_number(const char *at, const char *end)
{
    const char *start;

    if (at < end && *at == '-')
        at++;
    start = at;
    if ((at = skip_digits(at, end)) == start)
        return NULL;
    if (at == end || *at != '.')
        return at;
    start = ++at;
    at = skip_digits(at, end);
    return at == start ? NULL : at;
}

bool
render_line_is_valid(const char *line, size_t len)
{
    const char *at = line, *end = line + len, *start;

    if (len > RENDER_LINE_MAX)
        return false;
    while (at < end && *at >= '!' && *at <= '~')
        at++;
    if (at == line || at == end || *at++ != ' ')
        return false;
    if ((at = skip_number(at, end)) == NULL || at == end || *at++ != ' ')
        return false;
    start = at;
    at = skip_digits(at, end);
    return at > start && at - start <= 10 && at + 1 == end && *at == '\n';
}

static int
append_number(struct buf *out, double value)
{
    char text[NUM_TEXT_MAX];

    return buf_append(out, text, num_format(value, text));
}

/* One line, or nothing where it would be none that carbon takes. */
static void
append_line(struct render *render, const struct record *record, const struct point *point,
            struct buf *out)
{
    size_t start = out->len;

    if (dialect_append_point(render->dialect, record, point, out) == 0 &&
        append_number(out, (double)render->batch->timestamp_s) == 0 &&
        buf_append(out, "\n", 1) == 0 &&
        render_line_is_valid((const char *)out->data + start, out->len - start))
        return;
    out->len = start;
    render->n_refused++;
}

bool
render_next(struct render *render, struct buf *out)
{
    const struct buf *records = &render->batch->records;
    const uint8_t *end = records->data + records->len;
    size_t start = out->len;
    struct record record;

    assert(out->limit - out->len >= (size_t)RECORD_POINTS_MAX * RENDER_LINE_MAX);
    while (render->at < end &&
           out->limit - out->len >= (size_t)RECORD_POINTS_MAX * RENDER_LINE_MAX) {
        if (record_decode(&render->at, end, &record) != 0) {
            render->at = end;
            break;
        }
        for (size_t i = 0; i < record.n_points; i++)
            append_line(render, &record, &record.points[i], out);
    }
    return out->len > start;
}
