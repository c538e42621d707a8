/*
 * feed: owns the way of standard input to the server: as fast as no one loses any of it, with a bar
 * on a terminal.
 */
#include "cli/feed.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/emit.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/sample.h"
#include "cli/say.h"

#define BAR_EVERY_S     0.1
#define FULL_WAIT_NS    1000000
#define FULL_WAITS_MOST 5000 /* of a socket that takes nothing */
#define LINE_MOST       65536
#define PACE_EVERY      4096 /* bytes: the clock costs more than a sample */

struct feed {
    const struct options *options;
    struct pystatsd_client *client;
    double start_ms;
    struct progress progress;
    bool has_bar;
    double bar_s;     /* when it was last drawn, since the start */
    uint64_t n_bytes; /* of samples that were sent */
    uint64_t n_paced; /* n_bytes when the pace was last looked at */
    double due_s;     /* see progress_pace */
    size_t n_extra;   /* bytes a line has more than it had in the input */
    bool as_is;       /* neither rates nor tags are changed */
    uint64_t n_lines, n_bad, first_bad;
    char *text; /* LINE_MOST + 1: what was read and is no whole line yet */
    size_t len;
    bool is_endless; /* the beginning of the line did not fit */
    int read_error;
};

static void
wait_ns(uint64_t ns)
{
    struct timespec span = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};

    while (nanosleep(&span, &span) != 0 && errno == EINTR)
        ;
}

static double
seconds_since(double start_ms)
{
    return (pystatsd_now_ms() - start_ms) / 1000;
}

static void
draw_bar(struct feed *feed, double now_s)
{
    struct winsize size = {0};
    char line[256];

    ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
    feed->progress.seconds = feed->bar_s = now_s;
    feed->progress.n_lines = feed->n_lines;
    progress_format(&feed->progress, size.ws_col > 1 ? size.ws_col - 1U : 79, line, sizeof(line));
    fprintf(stderr, "\r%s\033[K", line);
}

/* Only of a file is it known how long it is. */
static void
prepare_bar(struct feed *feed)
{
    struct stat stat;
    off_t at;

    if (!isatty(STDERR_FILENO) || fstat(STDIN_FILENO, &stat) != 0 || !S_ISREG(stat.st_mode))
        return;
    at = lseek(STDIN_FILENO, 0, SEEK_CUR);
    if (at < 0 || at > stat.st_size)
        return;
    feed->has_bar = true;
    feed->progress.total = (uint64_t)(stat.st_size - at);
}

/* Of the share that a line already stands for only the one asked for is chosen. */
static bool
draw(double sample_rate)
{
    return sample_rate >= 1 || arc4random() * 0x1p-32 < sample_rate;
}

/* Waits while the socket is full. What else a datagram meets is the end. */
static int
send_sample(struct feed *feed, const struct sample *sample)
{
    double rate = sample->rate * feed->options->sample_rate;
    int error = 0;

    if (!draw(feed->options->sample_rate))
        return 0;

    for (unsigned i = 0; i < FULL_WAITS_MOST; i++) {
        error = pystatsd_send_sampled(feed->client, sample->name, sample->value, sample->type, rate,
                                      sample->tags);
        if (error != -EAGAIN)
            return error;
        wait_ns(FULL_WAIT_NS);
    }
    return error;
}

static void
note_bad(struct feed *feed)
{
    if (feed->n_bad++ == 0)
        feed->first_bad = feed->n_lines;
}

/* Returns 0, or what the client said where that is the end. */
static int
take_line(struct feed *feed, char *line, size_t len)
{
    struct sample sample;
    int error;

    feed->n_lines++;
    while (len > 0 && line[len - 1] == '\r')
        len--;
    if (len == 0)
        return 0;
    while (len > 0 && strchr(" \t", line[len - 1]) != NULL)
        len--;
    line[len] = '\0';
    if (strlen(line) != len || sample_cut(line, feed->as_is, &sample) != 0) {
        note_bad(feed);
        return 0;
    }
    error = send_sample(feed, &sample);
    if (error == -EINVAL || error == -EMSGSIZE)
        note_bad(feed);
    else if (error != 0)
        return error;
    feed->n_bytes += len + feed->n_extra;
    return 0;
}

static void
keep_pace(struct feed *feed)
{
    double now_s = seconds_since(feed->start_ms);
    uint64_t ahead_ns = progress_pace(&feed->due_s, feed->n_bytes - feed->n_paced, now_s);

    feed->n_paced = feed->n_bytes;
    if (ahead_ns > 0)
        wait_ns(ahead_ns);
    if (feed->has_bar && now_s >= feed->bar_s + BAR_EVERY_S)
        draw_bar(feed, now_s);
}

static int
flush(struct feed *feed)
{
    int error = 0;

    for (unsigned i = 0; i < FULL_WAITS_MOST; i++) {
        error = pystatsd_flush(feed->client);
        if (error != -EAGAIN)
            return error;
        wait_ns(FULL_WAIT_NS);
    }
    return error;
}

/* All whole lines of what has been read. What fills the buffer and has no end is none, and counted
 * when its end comes. */
static int
take_lines(struct feed *feed)
{
    char *at = feed->text, *end = feed->text + feed->len, *newline;
    int error = 0;

    while (error == 0 && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        if (feed->is_endless) {
            feed->n_lines++;
            note_bad(feed);
        } else {
            error = take_line(feed, at, (size_t)(newline - at));
        }
        feed->is_endless = false;
        feed->progress.done += (size_t)(newline - at) + 1;
        at = newline + 1;
        if (feed->n_bytes - feed->n_paced >= PACE_EVERY)
            keep_pace(feed);
    }
    feed->len = (size_t)(end - at);
    memmove(feed->text, at, feed->len);
    if (feed->len == LINE_MOST) {
        feed->is_endless = true;
        feed->progress.done += feed->len;
        feed->len = 0;
    }
    return error;
}

/* While nothing comes, nothing stays behind. Standard input may be somebody's who has made it
 * non-blocking. */
static int
flush_if_idle(struct feed *feed)
{
    struct pollfd slot = {.fd = STDIN_FILENO, .events = POLLIN};
    int error = 0;

    if (poll(&slot, 1, 0) == 0 && (error = flush(feed)) == 0)
        (void)poll(&slot, 1, -1);
    return error;
}

static int
take_all(struct feed *feed)
{
    ssize_t n;
    int error = 0;

    while (error == 0) {
        if ((error = flush_if_idle(feed)) != 0)
            break;
        n = read(STDIN_FILENO, feed->text + feed->len, LINE_MOST - feed->len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            feed->read_error = errno;
        if (n <= 0)
            break;
        feed->len += (size_t)n;
        error = take_lines(feed);
    }
    if (error == 0 && (feed->len > 0 || feed->is_endless)) {
        feed->text[feed->len++] = '\n'; /* the last line may have none */
        error = take_lines(feed);
    }
    return error != 0 ? error : flush(feed);
}

static int
report(const struct feed *feed, int error)
{
    if (error != 0) {
        emit_complain(feed->options, error);
        say_error("stopped at line %llu", (unsigned long long)feed->n_lines);
    }
    if (feed->read_error != 0)
        say_error("standard input cannot be read: %s", strerror(feed->read_error));
    if (feed->n_bad > 0)
        say_error("%llu of %llu lines are no samples and were left out, the first is line %llu",
                  (unsigned long long)feed->n_bad, (unsigned long long)feed->n_lines,
                  (unsigned long long)feed->first_bad);
    return error != 0 || feed->read_error != 0 || feed->n_bad > 0 ? EXIT_TROUBLE : EXIT_FINE;
}

/* What the library adds to each line. */
static size_t
extra_len(const struct options *options)
{
    const struct pystatsd_options *client = &options->client;

    return 1 + (client->prefix != NULL ? strlen(client->prefix) + 1 : 0) +
           (client->tags != NULL ? strlen(client->tags) + 2 : 0);
}

int
feed_command(const struct options *options)
{
    struct feed feed = {.options = options, .start_ms = pystatsd_now_ms()};
    int error;

    feed.n_extra = extra_len(options);
    feed.as_is = options->sample_rate >= 1 && options->tags == NULL;
    feed.text = malloc(LINE_MOST + 1);
    if (feed.text == NULL) {
        say_error("there is no memory for lines");
        return EXIT_TROUBLE;
    }
    if (emit_open(options, PYSTATSD_DATAGRAM_MAX, &feed.client) != 0) {
        free(feed.text);
        return EXIT_TROUBLE;
    }
    prepare_bar(&feed);
    error = take_all(&feed);
    if (feed.has_bar) {
        draw_bar(&feed, seconds_since(feed.start_ms));
        fputc('\n', stderr);
    }
    pystatsd_client_free(feed.client);
    free(feed.text);
    return report(&feed, error);
}
