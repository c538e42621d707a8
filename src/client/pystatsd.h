/*
 * libpystatsd: a StatsD client. Samples go to a StatsD server as datagrams; nothing ever comes
 * back.
 *
 * No call blocks, prints, exits or raises a signal, but that pystatsd_client_new looks the host up
 * and waits for the answer, and that pystatsd_server_run serves; later look-ups are made by a
 * thread in the background. A client may be used by several threads at once. After a fork it may be
 * used by parent and child; what was buffered at the fork is sent by the parent alone. No call may
 * be made from a signal handler.
 *
 * Results: 0, or a negative errno. 0 means that the kernel has the sample, that it is buffered, or
 * that it was not this one's turn (sample rate). Whether a server takes it, nobody is told, but for
 * what the kernel knows at once: -ECONNREFUSED (or -ENOENT, of a Unix socket) where nobody listens,
 * -EAGAIN where the socket is full. A negative result means that this sample is lost, and nothing
 * else: what was buffered before stays buffered, and the next sample is sent as if nothing had
 * been.
 *
 *   -EINVAL        a name, value, type or sample rate that is none
 *   -EMSGSIZE      a sample that does not fit into PYSTATSD_DATAGRAM_MAX bytes; or a datagram that
 *                  the kernel takes at no such length: what was buffered for it is lost, which
 *                  only pystatsd_flush and pystatsd_flush_due say
 *   -EHOSTUNREACH  no address of the host is known, or none can be reached
 *
 * Names: "/" becomes "-", a blank "_", each run of other white space one "_", and all else outside
 * [A-Za-z0-9_.-] is left out, as pystatsd-server itself would do; so no name is ever two lines.
 * NULL, empty, or nothing left: -EINVAL.
 *
 * Sample rates: at 1 or more every sample is sent; below, that share of them, chosen at random and
 * marked "|@rate". Not above 0, or no number: -EINVAL.
 *
 * Numbers are written the same in every locale. One that is not finite: -EINVAL.
 */
#ifndef PYSTATSD_H
#define PYSTATSD_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PYSTATSD_PORT         8125
#define PYSTATSD_DATAGRAM_MAX 1432 /* bytes that go through any Ethernet in one piece */

/* Where samples go to, and how. Opaque; from pystatsd_client_new to pystatsd_client_free. */
struct pystatsd_client;

/* Zero it first: a field that is 0 or NULL has its default. Strings are copied. */
struct pystatsd_options {
    const char *host;      /* a name or an address, IPv4 or IPv6; NULL: "localhost" */
    unsigned port;         /* 0: PYSTATSD_PORT */
    const char *unix_path; /* a Unix datagram socket instead of host and port; "@name": abstract;
                              NULL: none */
    const char *prefix;    /* before every name, with a dot between; NULL or "": none */
    const char *tags;      /* on every sample, "key:value,key"; NULL or "": none */
    unsigned buffer_bytes; /* collect samples into datagrams of up to so many bytes, at most
                              PYSTATSD_DATAGRAM_MAX; 0: one datagram a sample */
    unsigned buffer_ms;    /* send a datagram that is older, at the next sample or
                              pystatsd_flush_due; 0: only a full one */
    unsigned resolve_s;    /* look the host up again, in the background; 0: 60 */
    void *reserved[4];     /* NULL: room for what is to come */
};

/*
 * Makes a client; options may be NULL. Looks the host up, which takes as long as the resolver
 * takes. -EHOSTUNREACH: there is no such host. Where the resolver cannot say, the client is made
 * all the same and looks again in the background; until then its samples end in -EHOSTUNREACH. A
 * server that is away is no error. -EINVAL: a port, buffer_bytes or something reserved that cannot
 * be, a unix_path that is empty, or a prefix or tags of which nothing can be sent; -ENAMETOOLONG:
 * unix_path; -ENOMEM: memory, ours or the resolver's; another negative errno, such as -EMFILE: what
 * kept the resolver from asking.
 */
int pystatsd_client_new(const struct pystatsd_options *options, struct pystatsd_client **out);

/* Sends what is buffered, and ends the client; no other thread may be using it. NULL is fine. */
void pystatsd_client_free(struct pystatsd_client *client);

/* How long something took, in milliseconds: "NAME:320.000000|ms". */
int pystatsd_timing(struct pystatsd_client *client, const char *name, double ms,
                    double sample_rate);

/* A clock for pystatsd_timing_since, in milliseconds; it never goes back. */
double pystatsd_now_ms(void);

/* The milliseconds since pystatsd_now_ms() was start_ms, as pystatsd_timing. (py-statsd's own
 * timing_since sends microseconds.) */
int pystatsd_timing_since(struct pystatsd_client *client, const char *name, double start_ms,
                          double sample_rate);

/* A value as it is now: "NAME:42.000000|g". (To some servers one below 0 is a change by that.) */
int pystatsd_gauge(struct pystatsd_client *client, const char *name, double value,
                   double sample_rate);

/* A change of a gauge: "NAME:+1.500000|g". The server must know that form. */
int pystatsd_gauge_delta(struct pystatsd_client *client, const char *name, double delta,
                         double sample_rate);

/* Adds 1 to a counter: "NAME:1|c". */
int pystatsd_increment(struct pystatsd_client *client, const char *name, double sample_rate);

/* Takes 1 from a counter: "NAME:-1|c". */
int pystatsd_decrement(struct pystatsd_client *client, const char *name, double sample_rate);

/* Adds delta to each of n_names counters; all of them are sent, or by the sample rate none. The
 * result is that of the first that fails; the others are sent nevertheless. */
int pystatsd_update_stats(struct pystatsd_client *client, const char *const *names, size_t n_names,
                          long delta, double sample_rate);

/* Adds n to a counter, which may be a fraction: "NAME:0.25|c". */
int pystatsd_count(struct pystatsd_client *client, const char *name, double n, double sample_rate);

/* A member of a set, whose different members are counted: "NAME:MEMBER|s". Control characters, ":"
 * and "|" in it become "_". NULL or empty: -EINVAL. */
int pystatsd_set(struct pystatsd_client *client, const char *name, const char *member,
                 double sample_rate);

/* A value of a distribution: "NAME:7.000000|h". The server must know the type. */
int pystatsd_histogram(struct pystatsd_client *client, const char *name, double value,
                       double sample_rate);

/* A sample with tags of its own, behind those of the client: "NAME:VALUE|TYPE|@RATE|#TAGS". type is
 * as on the wire, letters alone: "c", "g", "ms", "s", "h". value is text, and treated as a member
 * of a set is. In tags, "key:value,key", control characters, blanks and "|" become "_"; NULL or "":
 * none. The server must know tags. */
int pystatsd_send(struct pystatsd_client *client, const char *name, const char *value,
                  const char *type, double sample_rate, const char *tags);

/* A sample that has been chosen already, by whoever made it or by the caller: it is marked with the
 * rate, as pystatsd_send marks it, but always sent. type may have more fields of a line behind it,
 * "c|T1656581400", which go out as they are, but for control characters, which become "_". */
int pystatsd_send_sampled(struct pystatsd_client *client, const char *name, const char *value,
                          const char *type, double sample_rate, const char *tags);

/* Sends what is buffered now. Where that fails it stays buffered, but for -EMSGSIZE. */
int pystatsd_flush(struct pystatsd_client *client);

/* The same, if it is older than buffer_ms: for a program that may have no sample for a while. */
int pystatsd_flush_due(struct pystatsd_client *client);

/* A server and where it sends to. Zero it first: a field that is 0 or NULL has its default, which
 * is py-statsd's; so have the names. What is no setting of pystatsd-server ends in 78, see below.
 */
struct pystatsd_server_options {
    const char *hostname;      /* an address to listen on; NULL or "": all */
    unsigned port;             /* UDP; 0: PYSTATSD_PORT */
    const char *pct_threshold; /* percentiles, as "90" or "50,99.9"; NULL: "90" */
    int debug;                 /* not 0: print each flush to standard output */
    const char *transport;     /* NULL: "graphite"; "none": nowhere */
    const char *ganglia_host;  /* these six: where transport begins with "ganglia",
                                  which the server must have; otherwise they mean nothing */
    unsigned ganglia_port;
    const char *ganglia_spoof_host;
    unsigned ganglia_max_length;
    const char *gmetric_exec;
    const char *gmetric_options;
    const char *graphite_host;    /* carbon's; NULL: "localhost" */
    unsigned graphite_port;       /* 0: 2003 */
    const char *global_prefix;    /* before every name; NULL: none */
    unsigned flush_interval;      /* milliseconds; 0: 10000 */
    int no_aggregate_counters;    /* not 0: counters as sums, not as rates per second */
    const char *counters_prefix;  /* NULL: "stats" */
    const char *timers_prefix;    /* NULL: "stats.timers" */
    unsigned expire;              /* seconds after which an idle metric is forgotten; 0: never */
    int (*stop)(void *stop_with); /* asked five times a second, and after each signal that the
                                     caller caught, in the calling thread; once it returns
                                     something else than 0, the server is ended. NULL: a signal
                                     that the caller caught ends it */
    void *stop_with;              /* what stop is given */
    void *reserved[4];            /* NULL: room for what is to come */
};

/*
 * Serves, and returns when the server has ended; options may be NULL. It is the installed
 * pystatsd-server that runs (or the program that the environment variable PYSTATSD_SERVER names),
 * in the foreground, as a child of the calling process, whose signals, privileges and other
 * children stay as they are. The settings of the machine's service do not apply to it. Called by
 * root, the server opens its socket and goes on as nobody: it never stays root. It ends, after a
 * last flush that carbon has ten seconds to take, when stop says so, and when the calling thread or
 * process ends, however that is.
 *
 * 0: it was asked to end. Above 0: its exit status, 78 where options or the machine must be changed
 * first (it has said on standard error what is wrong), or 128 and the number of the signal that
 * killed it. Below: a negative errno, -EINVAL where something is in reserved, -ENOENT where there
 * is no pystatsd-server, -ECHILD where it has ended and somebody else has been told how (the
 * calling process ignores SIGCHLD, or waits for any child).
 */
int pystatsd_server_run(const struct pystatsd_server_options *options);

/* The library's version, as "1.0.0". */
const char *pystatsd_version(void);

#ifdef __cplusplus
}
#endif

#endif
