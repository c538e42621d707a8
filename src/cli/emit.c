/*
 * emit: owns the way from operands to one sample. Which bytes that is, the library knows.
 */
#include "cli/emit.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/say.h"

void
emit_complain(const struct options *options, int error)
{
    const char *host = options->client.host != NULL ? options->client.host : "localhost";
    unsigned port = options->client.port != 0 ? options->client.port : PYSTATSD_PORT;
    const char *path = options->client.unix_path;

    switch (-error) {
    case EINVAL: say_error("the name, its value or a tag holds nothing that can be sent"); return;
    case EMSGSIZE: say_error("the sample is longer than %d bytes", PYSTATSD_DATAGRAM_MAX); return;
    case EHOSTUNREACH: say_error("there is no host '%s': see --host", host); return;
    case ENAMETOOLONG: say_error("%s: too long for a Unix socket", path); return;
    default: break;
    }
    if (path != NULL)
        say_error("%s: %s: see --unix", path, strerror(-error));
    else
        say_error("%s, port %u: %s: does a server listen there?", host, port, strerror(-error));
}

int
emit_open(const struct options *options, unsigned buffer_bytes, struct pystatsd_client **out)
{
    struct pystatsd_options client = options->client;
    int error;

    client.buffer_bytes = buffer_bytes;
    error = pystatsd_client_new(&client, out);
    if (error == 0)
        return 0;
    if (error == -EINVAL)
        say_error("the prefix or a tag holds nothing that can be sent");
    else
        emit_complain(options, error);
    return -1;
}

/* One sample that is a number. */
typedef int (*send_fn)(struct pystatsd_client *, const char *, double, double);

static int
finish(const struct options *options, struct pystatsd_client *client, int error)
{
    if (error != 0)
        emit_complain(options, error);
    pystatsd_client_free(client);
    return error == 0 ? EXIT_FINE : EXIT_TROUBLE;
}

static int
read_number(const struct options *options, size_t i, double *out)
{
    if (options_number(options->operands[i], out) == 0)
        return 0;
    say_error("%s: expected a number, got '%s'", options->command->name, options->operands[i]);
    return -1;
}

static int
send_number(const struct options *options, send_fn send, double value)
{
    struct pystatsd_client *client;

    if (emit_open(options, 0, &client) != 0)
        return EXIT_TROUBLE;
    return finish(options, client, send(client, options->operands[0], value, options->sample_rate));
}

/* A whole number goes out without a point. */
static int
add(struct pystatsd_client *client, const char *name, double n, double sample_rate)
{
    if (n != trunc(n) || fabs(n) >= (double)(1LL << 53))
        return pystatsd_count(client, name, n, sample_rate);
    return pystatsd_update_stats(client, &name, 1, (long)n, sample_rate);
}

int
emit_count(const struct options *options)
{
    bool is_down = strcmp(options->command->name, "decrement") == 0;
    double n = 1;

    if (options->n_operands > 1 && read_number(options, 1, &n) != 0)
        return EXIT_USAGE;
    return send_number(options, add, is_down ? -n : n);
}

int
emit_timing(const struct options *options)
{
    double ms;

    if (read_number(options, 1, &ms) != 0)
        return EXIT_USAGE;
    return send_number(options, pystatsd_timing, ms);
}

int
emit_gauge(const struct options *options)
{
    double value;

    if (read_number(options, 1, &value) != 0)
        return EXIT_USAGE;
    if (!options->is_delta && options->operands[1][0] == '+') {
        say_error("gauge: '%s' is a change, say --delta; or leave the sign out",
                  options->operands[1]);
        return EXIT_USAGE;
    }
    return send_number(options, options->is_delta ? pystatsd_gauge_delta : pystatsd_gauge, value);
}

int
emit_set(const struct options *options)
{
    struct pystatsd_client *client;

    if (emit_open(options, 0, &client) != 0)
        return EXIT_TROUBLE;
    return finish(
        options, client,
        pystatsd_set(client, options->operands[0], options->operands[1], options->sample_rate));
}
