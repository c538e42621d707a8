/*
 * sample: owns the calls that make a sample, and how one is written as a line. Must not know where
 * lines go.
 */
#include "client/client.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "client/clean.h"
#include "client/number.h"

#define TYPE_LEN_MAX 8

/* The value is text of ours, or one of a caller's that is to be cleaned. */
struct sample {
    const char *value;
    size_t value_len; /* 0: of a caller's, with a NUL */
    const char *type; /* more fields may follow, which are to be cleaned */
    double rate;
    const char *tags; /* NULL: none but the client's */
    bool is_chosen;   /* to be sent whatever its rate */
};

/* A line that is being written. What does not fit counts, but is not written. */
struct line {
    char *text;
    size_t len;
};

static size_t
room(const struct line *line)
{
    return line->len < PYSTATSD_DATAGRAM_MAX ? PYSTATSD_DATAGRAM_MAX - line->len : 0;
}

static void
add(struct line *line, const char *text, size_t len)
{
    if (len > 0 && len <= room(line))
        memcpy(line->text + line->len, text, len);
    line->len += len;
}

static void
add_tags(struct line *line, const struct pystatsd_client *client, const char *tags)
{
    bool has_own = tags != NULL && tags[0] != '\0';

    if (client->tags_len == 0 && !has_own)
        return;
    add(line, "|#", 2);
    add(line, client->tags, client->tags_len);
    if (!has_own)
        return;
    if (client->tags_len > 0)
        add(line, ",", 1);
    line->len += clean_tags(tags, line->text + line->len, room(line));
}

static void
add_rate(struct line *line, double rate)
{
    char text[NUMBER_TEXT_MAX];

    if (rate >= 1)
        return;
    add(line, "|@", 2);
    add(line, text, number_shortest(rate, text));
}

/* With the mutex held. */
static int
emit(struct pystatsd_client *client, const char *name, const struct sample *sample)
{
    struct line line = {.text = client_line(client)};

    add(&line, client->prefix, client->prefix_len);
    size_t before = line.len;
    line.len += clean_name(name, line.text + line.len, room(&line));
    if (line.len == before)
        return -EINVAL;
    add(&line, ":", 1);
    if (sample->value_len > 0)
        add(&line, sample->value, sample->value_len);
    else
        line.len += clean_member(sample->value, line.text + line.len, room(&line));
    add(&line, "|", 1);
    line.len += clean_fields(sample->type, line.text + line.len, room(&line));
    add_rate(&line, sample->rate);
    add_tags(&line, client, sample->tags);
    return line.len <= PYSTATSD_DATAGRAM_MAX ? client_take(client, line.len) : -EMSGSIZE;
}

/* All of the names or, by the sample rate, none. */
static int
emit_all(struct pystatsd_client *client, const char *const *names, size_t n_names,
         const struct sample *sample)
{
    int first_error = 0;

    if (client == NULL || names == NULL || !(sample->rate > 0))
        return -EINVAL;
    pthread_mutex_lock(&client->mutex);
    if (sample->is_chosen || client_draw(client, sample->rate)) {
        for (size_t i = 0; i < n_names; i++) {
            int error = names[i] == NULL ? -EINVAL : emit(client, names[i], sample);
            first_error = first_error != 0 ? first_error : error;
        }
    }
    pthread_mutex_unlock(&client->mutex);
    return first_error;
}

static int
emit_fixed(struct pystatsd_client *client, const char *name, double value, const char *type,
           double sample_rate)
{
    char text[NUMBER_TEXT_MAX];
    struct sample sample = {.value = text, .type = type, .rate = sample_rate};

    if (!isfinite(value))
        return -EINVAL;
    sample.value_len = number_fixed(value, text);
    return emit_all(client, &name, 1, &sample);
}

int
pystatsd_timing(struct pystatsd_client *client, const char *name, double ms, double sample_rate)
{
    return emit_fixed(client, name, ms, "ms", sample_rate);
}

double
pystatsd_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int
pystatsd_timing_since(struct pystatsd_client *client, const char *name, double start_ms,
                      double sample_rate)
{
    return emit_fixed(client, name, pystatsd_now_ms() - start_ms, "ms", sample_rate);
}

int
pystatsd_gauge(struct pystatsd_client *client, const char *name, double value, double sample_rate)
{
    return emit_fixed(client, name, value, "g", sample_rate);
}

int
pystatsd_gauge_delta(struct pystatsd_client *client, const char *name, double delta,
                     double sample_rate)
{
    char text[1 + NUMBER_TEXT_MAX];
    struct sample sample = {.value = text, .type = "g", .rate = sample_rate};
    size_t n_plus = signbit(delta) == 0;

    if (!isfinite(delta))
        return -EINVAL;
    text[0] = '+';
    sample.value_len = n_plus + number_fixed(delta, text + n_plus);
    return emit_all(client, &name, 1, &sample);
}

int
pystatsd_histogram(struct pystatsd_client *client, const char *name, double value,
                   double sample_rate)
{
    return emit_fixed(client, name, value, "h", sample_rate);
}

int
pystatsd_update_stats(struct pystatsd_client *client, const char *const *names, size_t n_names,
                      long delta, double sample_rate)
{
    char text[NUMBER_TEXT_MAX];
    struct sample sample = {
        .value = text, .value_len = number_whole(delta, text), .type = "c", .rate = sample_rate};

    return emit_all(client, names, n_names, &sample);
}

int
pystatsd_increment(struct pystatsd_client *client, const char *name, double sample_rate)
{
    return pystatsd_update_stats(client, &name, 1, 1, sample_rate);
}

int
pystatsd_decrement(struct pystatsd_client *client, const char *name, double sample_rate)
{
    return pystatsd_update_stats(client, &name, 1, -1, sample_rate);
}

int
pystatsd_count(struct pystatsd_client *client, const char *name, double n, double sample_rate)
{
    char text[NUMBER_TEXT_MAX];
    struct sample sample = {.value = text, .type = "c", .rate = sample_rate};

    if (!isfinite(n))
        return -EINVAL;
    sample.value_len = number_shortest(n, text);
    return emit_all(client, &name, 1, &sample);
}

int
pystatsd_set(struct pystatsd_client *client, const char *name, const char *member,
             double sample_rate)
{
    return pystatsd_send(client, name, member, "s", sample_rate, NULL);
}

/* Letters, to the end or to the first field behind them. */
static bool
is_type(const char *type, bool may_have_fields)
{
    size_t len = 0;

    while (len <= TYPE_LEN_MAX &&
           ((type[len] >= 'a' && type[len] <= 'z') || (type[len] >= 'A' && type[len] <= 'Z')))
        len++;
    return len > 0 && len <= TYPE_LEN_MAX &&
           (type[len] == '\0' || (may_have_fields && type[len] == '|'));
}

static int
send_text(struct pystatsd_client *client, const char *name, const struct sample *sample)
{
    if (sample->value == NULL || sample->value[0] == '\0' || sample->type == NULL ||
        !is_type(sample->type, sample->is_chosen))
        return -EINVAL;
    return emit_all(client, &name, 1, sample);
}

int
pystatsd_send(struct pystatsd_client *client, const char *name, const char *value, const char *type,
              double sample_rate, const char *tags)
{
    struct sample sample = {.value = value, .type = type, .rate = sample_rate, .tags = tags};

    return send_text(client, name, &sample);
}

int
pystatsd_send_sampled(struct pystatsd_client *client, const char *name, const char *value,
                      const char *type, double sample_rate, const char *tags)
{
    struct sample sample = {
        .value = value, .type = type, .rate = sample_rate, .tags = tags, .is_chosen = true};

    return send_text(client, name, &sample);
}
