/*
 * load: sends datagrams of all four types to a UDP port of this machine until SIGTERM or for a
 * number of them, and then says in JSON what a receiver of all of them must come to. Owns the one
 * truth that the crash tests compare with; must not know who receives.
 *
 * What a datagram holds follows from the seed and its number alone. Every one has the same sums,
 * so that a loss can be told in datagrams, too: two counters that add up to COUNTERS_SUM, two
 * samples of timers that add up to TIMERS_SUM, one gauge, and one member that no set has had.
 *
 * SIGSTOP makes a pause between two datagrams; what was missed by then is not made up for.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define COUNTERS_SUM UINT64_C(10)
#define TIMERS_SUM   UINT64_C(1001)
#define NAMES_MAX    100000
#define SENDERS_MAX  16
#define NODE_MAX     32
#define TEXT_MAX     512
#define BURST_MAX    128
#define TICK_NS      UINT64_C(1000000)
#define LATE_NS      UINT64_C(50000000) /* further behind than this was a pause */
#define SECOND_NS    UINT64_C(1000000000)

struct options {
    uint16_t port;
    uint64_t rate, datagrams, names, seed, senders;
    const char *node;
};

/* What the series of one number must come to, of each type. */
struct expected {
    uint64_t counter, set;
    uint64_t timer_count, timer_sum, timer_lower, timer_upper;
    uint64_t gauge; /* 0: never set */
};

struct load {
    struct options options;
    struct expected *expected; /* by name */
    struct sockaddr_in to;
    int sockets[SENDERS_MAX];
    uint64_t n_sent, active_ns;
};

static volatile sig_atomic_t stopping;

static void
on_term(int number)
{
    (void)number;
    stopping = 1;
}

static uint64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static void
sleep_until(uint64_t at_ns)
{
    struct timespec at = {
        .tv_sec = (time_t)(at_ns / SECOND_NS),
        .tv_nsec = (long)(at_ns % SECOND_NS),
    };

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* splitmix64: the n-th number of the sequence that seed stands for. */
static uint64_t
draw(uint64_t seed, uint64_t n)
{
    uint64_t z = seed + (n + 1) * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static char *
put_number(char *at, uint64_t number)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (n > 0)
        *at++ = digits[--n];
    return at;
}

/* "c.node.17:5|c\n" */
static char *
put_line(char *at, const char *node, char letter, uint64_t name, uint64_t value, const char *type)
{
    *at++ = letter;
    *at++ = '.';
    at = stpcpy(stpcpy(at, node), ".");
    at = put_number(at, name);
    *at++ = ':';
    at = put_number(at, value);
    *at++ = '|';
    return stpcpy(stpcpy(at, type), "\n");
}

static char *
put_counter(struct load *load, char *at, uint64_t name, uint64_t value)
{
    load->expected[name].counter += value;
    return put_line(at, load->options.node, 'c', name, value, "c");
}

static char *
put_timer(struct load *load, char *at, uint64_t name, uint64_t value)
{
    struct expected *it = &load->expected[name];

    if (it->timer_count == 0 || value < it->timer_lower)
        it->timer_lower = value;
    if (value > it->timer_upper)
        it->timer_upper = value;
    it->timer_count++;
    it->timer_sum += value;
    return put_line(at, load->options.node, 't', name, value, "ms");
}

/* The datagram with this number; it counts as sent. Gauges are told apart by sender: only what one
 * socket sends is sure to keep its order. Their values grow with the number. */
static size_t
put_datagram(struct load *load, uint64_t number, char text[TEXT_MAX])
{
    const struct options *options = &load->options;
    uint64_t dice = draw(options->seed, number), more = draw(~options->seed, number);
    uint64_t names = options->names;
    uint64_t gauge = dice / 7 % (names / options->senders) * options->senders;
    uint64_t count = 1 + dice % (COUNTERS_SUM - 1), time_ms = 1 + more % (TIMERS_SUM - 1);
    char *at = text;

    gauge += number % options->senders;
    at = put_counter(load, at, (dice >> 8) % names, count);
    at = put_timer(load, at, (dice >> 20) % names, time_ms);
    at = put_line(at, options->node, 'g', gauge, number + 1, "g");
    at = put_counter(load, at, (more >> 32) % names, COUNTERS_SUM - count);
    at = put_line(at, options->node, 's', (dice >> 32) % names, number, "s");
    at = put_timer(load, at, (more >> 44) % names, TIMERS_SUM - time_ms);
    load->expected[gauge].gauge = number + 1;
    load->expected[(dice >> 32) % names].set++;
    return (size_t)(at - text);
}

static void
send_all(int fd, struct mmsghdr *messages, unsigned n)
{
    unsigned done = 0;

    while (done < n) {
        int sent = sendmmsg(fd, messages + done, n - done, 0);

        if (sent > 0)
            done += (unsigned)sent;
        else if (errno != EINTR && errno != ENOBUFS && errno != EAGAIN)
            err(1, "sendmmsg");
    }
}

/* n datagrams, each from the socket that its number says. */
static void
send_burst(struct load *load, uint64_t n)
{
    static char texts[BURST_MAX][TEXT_MAX];
    struct iovec parts[BURST_MAX];
    struct mmsghdr messages[BURST_MAX];
    uint64_t senders = load->options.senders;

    for (uint64_t sender = 0; sender < senders; sender++) {
        unsigned n_of_it = 0;

        for (uint64_t i = 0; i < n; i++) {
            uint64_t number = load->n_sent + i;

            if (number % senders != sender)
                continue;
            parts[n_of_it].iov_base = texts[n_of_it];
            parts[n_of_it].iov_len = put_datagram(load, number, texts[n_of_it]);
            messages[n_of_it] = (struct mmsghdr){
                .msg_hdr =
                    {
                        .msg_name = &load->to,
                        .msg_namelen = sizeof(load->to),
                        .msg_iov = &parts[n_of_it],
                        .msg_iovlen = 1,
                    },
            };
            n_of_it++;
        }
        send_all(load->sockets[sender], messages, n_of_it);
    }
    load->n_sent += n;
}

static uint64_t
next_burst(const struct load *load)
{
    const struct options *options = &load->options;
    uint64_t n = options->rate * TICK_NS / SECOND_NS;

    if (n < 1)
        n = 1;
    if (n > BURST_MAX)
        n = BURST_MAX;
    if (options->datagrams > 0 && n > options->datagrams - load->n_sent)
        n = options->datagrams - load->n_sent;
    return n;
}

static void
run(struct load *load)
{
    uint64_t due_ns = now_ns(), last_ns = due_ns;
    uint64_t n;

    while (stopping == 0 && (n = next_burst(load)) > 0) {
        uint64_t step_ns = n * SECOND_NS / load->options.rate, at_ns;

        sleep_until(due_ns);
        at_ns = now_ns();
        if (at_ns > due_ns + LATE_NS) {
            due_ns = at_ns;
            last_ns = at_ns;
        }
        load->active_ns += at_ns - last_ns;
        last_ns = at_ns;
        send_burst(load, n);
        due_ns += step_ns;
    }
}

static void
print_numbers(const struct load *load, const char *title, size_t offset)
{
    const char *comma = "";

    printf(", \"%s\": {", title);
    for (uint64_t i = 0; i < load->options.names; i++) {
        uint64_t value;

        memcpy(&value, (const char *)&load->expected[i] + offset, sizeof(value));
        if (value == 0)
            continue;
        printf("%s\"%s.%" PRIu64 "\": %" PRIu64, comma, load->options.node, i, value);
        comma = ", ";
    }
    printf("}");
}

/* Values by "node.name"; a series is there where it was sent to. */
static void
print(const struct load *load)
{
    printf("{\"datagrams\": %" PRIu64 ", \"rate\": %.0f", load->n_sent,
           load->active_ns == 0 ? 0 : (double)load->n_sent * SECOND_NS / (double)load->active_ns);
    print_numbers(load, "counter", offsetof(struct expected, counter));
    print_numbers(load, "gauge", offsetof(struct expected, gauge));
    print_numbers(load, "set", offsetof(struct expected, set));
    print_numbers(load, "timer_count", offsetof(struct expected, timer_count));
    print_numbers(load, "timer_sum", offsetof(struct expected, timer_sum));
    print_numbers(load, "timer_lower", offsetof(struct expected, timer_lower));
    print_numbers(load, "timer_upper", offsetof(struct expected, timer_upper));
    printf("}\n");
}

static uint64_t
read_number(const char *text, uint64_t max)
{
    char *end;
    uint64_t number;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number > max)
        errx(2, "\"%s\" is no number up to %" PRIu64, text, max);
    return number;
}

static struct options
read_options(int argc, char **argv)
{
    static const struct option flags[] = {
        {"port", required_argument, NULL, 'p'},  {"rate", required_argument, NULL, 'r'},
        {"names", required_argument, NULL, 'n'}, {"datagrams", required_argument, NULL, 'd'},
        {"seed", required_argument, NULL, 's'},  {"senders", required_argument, NULL, 'o'},
        {"node", required_argument, NULL, 'x'},  {NULL, 0, NULL, 0},
    };
    struct options options = {.rate = 50000, .names = 200, .senders = 1, .node = "web"};
    int letter;

    while ((letter = getopt_long(argc, argv, "", flags, NULL)) >= 0) {
        switch (letter) {
        case 'p': options.port = (uint16_t)read_number(optarg, UINT16_MAX); break;
        case 'r': options.rate = read_number(optarg, SECOND_NS); break;
        case 'n': options.names = read_number(optarg, NAMES_MAX); break;
        case 'd': options.datagrams = read_number(optarg, UINT64_MAX); break;
        case 's': options.seed = read_number(optarg, UINT64_MAX); break;
        case 'o': options.senders = read_number(optarg, SENDERS_MAX); break;
        case 'x': options.node = optarg; break;
        default:
            errx(2, "usage: load --port=PORT [--rate=PER_SECOND] [--names=N] [--datagrams=N]\n"
                    "    [--seed=N] [--senders=N] [--node=NODE]");
        }
    }
    if (options.port == 0 || options.rate == 0 || options.senders == 0 ||
        options.names < options.senders || strlen(options.node) > NODE_MAX)
        errx(2, "these options make no load");
    return options;
}

static void
open_sockets(struct load *load)
{
    load->to = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons(load->options.port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    for (uint64_t i = 0; i < load->options.senders; i++) {
        load->sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (load->sockets[i] < 0)
            err(1, "socket");
    }
}

int
main(int argc, char **argv)
{
    struct load load = {.options = read_options(argc, argv)};
    struct sigaction action = {.sa_handler = on_term};

    sigaction(SIGTERM, &action, NULL);
    load.expected = calloc(load.options.names, sizeof(*load.expected));
    if (load.expected == NULL)
        err(1, "calloc");
    open_sockets(&load);
    run(&load);
    print(&load);
    free(load.expected);
    return 0;
}
