/*
 * load: sends a known load of samples to a UDP port of this machine, and says in JSON what it sent.
 *
 * All datagrams are rendered before the clock starts, into a ring that is then sent round and
 * round, so that what is measured is the receiver. Must not know who receives.
 *
 * A series is a name of one type. Names begin with the type's letter, as the prefixes of counters
 * and gauges are the same: two types never share a series at the receiver's other end.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH          64
#define PORTS_MAX      256
#define NAME_LEN_MAX   200
#define NUMBER_LEN     8  /* of a name */
#define BLOCKS_MAX     63 /* of a name that is a number in binary */
#define VALUE_LEN_MAX  16 /* of what follows a name: ":1000000|ms\n" */
#define DATAGRAM_MAX   65507
#define RING_BYTES_MAX (UINT64_C(512) << 20)
#define RING_SAMPLES   400000 /* as many at least, where as many are sent */
#define TICK_NS        1000000
/* A prime above any number of series: multiples of it visit all of them, in a scattered order. */
#define STRIDE UINT64_C(4294967291)

struct options {
    uint16_t port;
    uint64_t names, series, samples, rate;
    uint64_t spread; /* timers take the values from 1 to spread, each as often as any other */
    uint64_t ring;   /* samples that are rendered */
    size_t size;     /* of a datagram; 0: one sample each */
    size_t name_len;
    size_t n_ports;
    const char *types;
    const char *prefix;
    bool all_new; /* every sample has a name of its own */
    bool blocks;  /* names that collide in an unkeyed hash */
};

struct datagram {
    size_t offset;
    uint16_t len, n_samples, counter_sum;
};

struct ring {
    char *bytes;
    size_t len;
    struct datagram *datagrams;
    size_t n;
};

struct totals {
    uint64_t samples, datagrams, bytes, counter_sum;
    double seconds;
};

static uint64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static char *
put_text(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}

/* In as many digits as it needs, zeroes before it up to width. */
static char *
put_number(char *at, uint64_t number, size_t width)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0 || n < width);
    while (n > 0)
        *at++ = digits[--n];
    return at;
}

/* A single node, "AaBBBBAa": whatever the blocks are, Java's h * 31 + c is that of all others. */
static char *
put_blocks(char *at, size_t len, uint64_t name)
{
    for (size_t n = len / 2; n-- > 0;)
        at = put_text(at, (name >> n & 1) != 0 ? "BB" : "Aa", 2);
    return at;
}

/* "c.web.xxxx00000042" */
static char *
put_name(const struct options *options, char *at, char type, uint64_t name)
{
    const char *start = at;
    size_t head_len;

    if (options->blocks)
        return put_blocks(at, options->name_len, name);
    *at++ = type;
    *at++ = '.';
    at = put_text(at, options->prefix, strlen(options->prefix));
    *at++ = '.';
    head_len = (size_t)(at - start);
    while (head_len++ + NUMBER_LEN < options->name_len)
        *at++ = 'x';
    return put_number(at, name, NUMBER_LEN);
}

/* The line of the sample with this number; *counted grows by what a counter is to count. */
static char *
put_sample(const struct options *options, char *at, uint64_t number, uint16_t *counted)
{
    uint64_t pair = number % options->series * STRIDE % options->series;
    uint64_t name = pair % options->names;
    char type = options->types[(pair / options->names + name) % strlen(options->types)];

    at = put_name(options, at, type, name);
    *at++ = ':';
    switch (type) {
    case 'c':
        at = put_number(at, 1 + number % 9, 1);
        *counted = (uint16_t)(*counted + 1 + number % 9);
        return put_text(at, "|c\n", 3);
    case 'g': at = put_number(at, number * 7919 % 10000, 1); return put_text(at, "|g\n", 3);
    case 'm':
        at = put_number(at, 1 + number % options->spread * STRIDE % options->spread, 1);
        return put_text(at, "|ms\n", 4);
    default:
        *at++ = 'u';
        at = put_number(at, number % 1000, 1);
        return put_text(at, "|s\n", 3);
    }
}

static void
render(const struct options *options, struct ring *ring)
{
    size_t line_max = options->name_len + strlen(options->prefix) + VALUE_LEN_MAX + NUMBER_LEN;
    size_t n_max = options->size > 0 ? options->ring * line_max / (options->size - line_max) + 2
                                     : options->ring + 1;
    struct datagram *last = NULL;

    if (options->ring * line_max + n_max * sizeof(*ring->datagrams) > RING_BYTES_MAX)
        errx(1, "%" PRIu64 " samples are too many to render before the start", options->ring);
    ring->bytes = malloc(options->ring * line_max);
    ring->datagrams = calloc(n_max, sizeof(*ring->datagrams));
    if (ring->bytes == NULL || ring->datagrams == NULL)
        err(1, "no memory for the datagrams");
    for (uint64_t i = 0; i < options->ring; i++) {
        char *start = ring->bytes + ring->len;
        uint16_t counted = 0;
        size_t len = (size_t)(put_sample(options, start, i, &counted) - start);

        if (last == NULL || last->len + len > options->size) {
            last = &ring->datagrams[ring->n++];
            last->offset = ring->len;
        }
        last->len = (uint16_t)(last->len + len);
        last->n_samples++;
        last->counter_sum = (uint16_t)(last->counter_sum + counted);
        ring->len += len;
    }
}

static void
open_sockets(const struct options *options, int sockets[PORTS_MAX])
{
    struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons(options->port),
        .sin_addr = {htonl(INADDR_LOOPBACK)},
    };

    for (size_t i = 0; i < options->n_ports; i++) {
        sockets[i] = socket(AF_INET, SOCK_DGRAM, 0);
        if (sockets[i] < 0 || connect(sockets[i], (struct sockaddr *)&to, sizeof(to)) != 0)
            err(1, "socket");
    }
}

static void
send_all(int fd, struct mmsghdr *messages, unsigned n)
{
    for (unsigned sent = 0; sent < n;) {
        int result = sendmmsg(fd, messages + sent, n - sent, 0);

        if (result < 0 && errno != EINTR)
            err(1, "cannot send");
        if (result > 0)
            sent += (unsigned)result;
    }
}

/* Sends what comes next in the ring, as many datagrams as a batch takes or until totals has limit
 * samples, and counts it. */
static void
send_batch(const struct ring *ring, int fd, uint64_t limit, struct totals *totals)
{
    struct mmsghdr messages[BATCH] = {0};
    struct iovec iov[BATCH];
    unsigned n = 0;

    while (n < BATCH && totals->samples < limit) {
        const struct datagram *datagram = &ring->datagrams[totals->datagrams % ring->n];

        iov[n] = (struct iovec){ring->bytes + datagram->offset, datagram->len};
        messages[n].msg_hdr.msg_iov = &iov[n];
        messages[n].msg_hdr.msg_iovlen = 1;
        n++;
        totals->datagrams++;
        totals->samples += datagram->n_samples;
        totals->bytes += datagram->len;
        totals->counter_sum += datagram->counter_sum;
    }
    send_all(fd, messages, n);
}

static void
sleep_until(uint64_t ns)
{
    struct timespec until = {
        .tv_sec = (time_t)(ns / UINT64_C(1000000000)),
        .tv_nsec = (long)(ns % UINT64_C(1000000000)),
    };

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* Paced, what is due goes out once a tick. */
static void
send_load(const struct options *options, const struct ring *ring, struct totals *totals)
{
    int sockets[PORTS_MAX];
    uint64_t start_ns, tick_ns, due = options->samples;
    size_t n_batches = 0;

    open_sockets(options, sockets);
    start_ns = tick_ns = now_ns();
    while (totals->samples < options->samples) {
        if (options->rate > 0) {
            uint64_t elapsed_us = (tick_ns - start_ns + TICK_NS) / 1000;

            due = elapsed_us * options->rate / 1000000;
            due = due < options->samples ? due : options->samples;
        }
        while (totals->samples < due)
            send_batch(ring, sockets[n_batches++ % options->n_ports], due, totals);
        if (options->rate > 0) {
            tick_ns += TICK_NS;
            sleep_until(tick_ns);
        }
    }
    totals->seconds = (double)(now_ns() - start_ns) / 1e9;
}

static double
cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static uint64_t
read_number(const char *text, uint64_t max)
{
    char *end;
    uint64_t number = strtoull(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || number > max)
        errx(2, "'%s' is no number up to %" PRIu64, text, max);
    return number;
}

static void
read_option(struct options *options, int letter, const char *text)
{
    switch (letter) {
    case 'p': options->port = (uint16_t)read_number(text, UINT16_MAX); break;
    case 'n': options->names = read_number(text, 99999999); break;
    case 'e': options->series = read_number(text, UINT32_MAX / 2); break;
    case 't': options->types = text; break;
    case 'z': options->size = read_number(text, DATAGRAM_MAX); break;
    case 's': options->samples = read_number(text, UINT32_MAX); break;
    case 'r': options->rate = read_number(text, 100000000); break;
    case 'i': options->ring = read_number(text, UINT32_MAX); break;
    case 'v': options->spread = read_number(text, UINT32_MAX / 2); break;
    case 'l': options->name_len = read_number(text, NAME_LEN_MAX); break;
    case 'x': options->prefix = text; break;
    case 'o': options->n_ports = read_number(text, PORTS_MAX); break;
    case 'w': options->all_new = true; break;
    case 'b': options->blocks = true; break;
    default:
        errx(2, "usage: load --port=PORT --samples=N [--rate=PER_SECOND] [--size=BYTES]\n"
                "    [--names=N] [--series=N] [--types=cgms] [--prefix=NODE] [--name-len=BYTES]\n"
                "    [--new] [--blocks] [--spread=N] [--ring=SAMPLES] [--ports=N]");
    }
}

/* Settles what was not given, and refuses what cannot be. */
static void
complete(struct options *options)
{
    size_t n_types = strlen(options->types);

    if (options->all_new)
        options->names = options->series = options->ring = options->samples;
    if (options->series == 0)
        options->series = options->names * n_types;
    if (options->ring == 0)
        options->ring = (RING_SAMPLES + options->series - 1) / options->series * options->series;
    if (options->ring > options->samples)
        options->ring = options->samples;
    if (options->port == 0 || options->samples == 0 || options->series == 0 ||
        options->spread == 0 || options->n_ports == 0 || n_types == 0 ||
        strspn(options->types, "cgms") != n_types || strlen(options->prefix) > NAME_LEN_MAX ||
        options->series > options->names * n_types ||
        (options->blocks && (options->name_len > 2 * BLOCKS_MAX ||
                             options->names > UINT64_C(1) << options->name_len / 2)))
        errx(2, "these options make no load");
    if (options->size > 0 && options->size < 2 * NAME_LEN_MAX + 2 * VALUE_LEN_MAX + NUMBER_LEN)
        errx(2, "a datagram of %zu bytes is too small", options->size);
}

static struct options
read_options(int argc, char **argv)
{
    static const struct option flags[] = {
        {"port", required_argument, NULL, 'p'},
        {"names", required_argument, NULL, 'n'},
        {"series", required_argument, NULL, 'e'},
        {"types", required_argument, NULL, 't'},
        {"size", required_argument, NULL, 'z'},
        {"samples", required_argument, NULL, 's'},
        {"rate", required_argument, NULL, 'r'},
        {"ring", required_argument, NULL, 'i'},
        {"spread", required_argument, NULL, 'v'},
        {"name-len", required_argument, NULL, 'l'},
        {"prefix", required_argument, NULL, 'x'},
        {"ports", required_argument, NULL, 'o'},
        {"new", no_argument, NULL, 'w'},
        {"blocks", no_argument, NULL, 'b'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {
        .names = 1000,
        .types = "cgms",
        .prefix = "web",
        .name_len = 20,
        .spread = 1000,
        .n_ports = 1,
    };
    int letter;

    while ((letter = getopt_long(argc, argv, "", flags, NULL)) >= 0)
        read_option(&options, letter, optarg);
    complete(&options);
    return options;
}

int
main(int argc, char **argv)
{
    struct options options = read_options(argc, argv);
    struct totals totals = {0};
    struct ring ring = {0};
    double cpu_before;

    render(&options, &ring);
    cpu_before = cpu_seconds();
    send_load(&options, &ring, &totals);
    printf("{\"samples\": %" PRIu64 ", \"datagrams\": %" PRIu64 ", \"bytes\": %" PRIu64
           ", \"counter_sum\": %" PRIu64 ", \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n",
           totals.samples, totals.datagrams, totals.bytes, totals.counter_sum, totals.seconds,
           cpu_seconds() - cpu_before);
    free(ring.bytes);
    free(ring.datagrams);
    return 0;
}
