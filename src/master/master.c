/*
 * master: owns the straight line from a configuration to two serving children, and the loop that
 * reaps, stops and reloads. Never reads a packet, never parses what a child says.
 */
#include "master/master.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_event.h"
#include "base/sig.h"
#include "master/crew.h"
#include "master/daemon.h"
#include "master/holdings.h"
#include "master/privdrop.h"
#include "master/quota.h"
#include "master/reload.h"
#include "master/service.h"

enum slot { SLOT_SIGNAL, SLOT_ASK, SLOT_READY, SLOT_COUNT = SLOT_READY + ROLE_COUNT };

struct master {
    struct args args;
    char config_file[PATH_MAX]; /* absolute, of a daemon */
    struct config *config;
    struct config *fresh;  /* room for a reload */
    struct daemon *daemon; /* NULL in the foreground */
    struct holdings holdings;
    int signal_fd;
    struct crew crew;
    bool ready;
    bool stopping;
    bool reload_wanted;
    uint64_t alive_every_ms; /* how often a service manager is told so; 0: never */
    uint64_t alive_ms;       /* when it is due again */
};

static struct service *
service_of(struct master *master)
{
    return &master->holdings.handover.service;
}

static void
begin_stop(struct master *master)
{
    if (master->stopping)
        return;
    master->stopping = true;
    if (master->ready) {
        log_info("stopping: delivering what is left, for up to 10 s");
        service_say(service_of(master), SERVICE_STOPPING, "Stopping: delivering what is left");
    } else {
        log_info("stopping before it could serve");
        service_say(service_of(master), SERVICE_STOPPING, "Stopping before it could serve");
    }
    crew_stop(&master->crew);
}

static void
take_signals(struct master *master)
{
    int number;

    while ((number = sig_next(master->signal_fd)) > 0) {
        if (number == SIGHUP)
            master->reload_wanted = true;
        else if (number != SIGCHLD)
            begin_stop(master);
    }
}

static void
start_resolver(struct master *master)
{
    resolve_start(&master->holdings.resolve, &master->holdings.fds,
                  master->config->master.graphite_host, master->config->master.graphite_port);
}

static void
reaped(struct master *master, pid_t pid, int status)
{
    if (resolve_reaped(&master->holdings.resolve, pid, status)) {
        if (master->holdings.resolve.again)
            start_resolver(master);
        return;
    }
    crew_reaped(&master->crew, pid, status);
}

/* A service manager may send SIGTERM to all processes at once, and children may be faster: our own
 * signal is looked for once more before a death is judged. Until then the dead one is left a
 * zombie, so that its pid is nobody else's. */
static void
reap(struct master *master)
{
    siginfo_t info = {.si_pid = 0};
    int status;

    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        take_signals(master);
        if (waitpid(info.si_pid, &status, WNOHANG) == info.si_pid)
            reaped(master, info.si_pid, status);
        info.si_pid = 0;
    }
}

static void
announce(struct master *master)
{
    const struct config *config = master->config;
    const char *destination = config->sender.deliver ? config->destination : "nobody";
    unsigned port = master->holdings.listeners.port;

    log_info("serving udp port %u, sending to %s", port, destination);
    service_say(service_of(master), SERVICE_READY, "Serving udp port %u, sending to %s", port,
                destination);
}

/* For those who ask. */
static void
post_config(const struct master *master)
{
    size_t len = 0;
    char *text = NULL;
    FILE *stream;

    if (master->holdings.bulletin == NULL || (stream = open_memstream(&text, &len)) == NULL)
        return;
    config_print(master->config, stream);
    if (fclose(stream) == 0)
        bulletin_post(master->holdings.bulletin, text, len);
    free(text);
}

static void
reload_now(struct master *master)
{
    master->reload_wanted = false;
    if (master->stopping)
        return;
    log_info("reading the configuration again");
    service_reloading(service_of(master));
    if (reload(&master->args, master->config, master->fresh) && master->config->sender.deliver)
        start_resolver(master);
    post_config(master);
    announce(master);
}

/* Once, when both serve. */
static void
note_ready(struct master *master)
{
    if (master->ready || master->stopping || !crew_is_ready(&master->crew))
        return;
    master->ready = true;
    holdings_keep_sockets(&master->holdings);
    announce(master);
    if (master->daemon != NULL) {
        if (master->config->log_to == LOG_TO_STDERR)
            log_warnx(
                "LOG=stderr with -D: from here on nothing is logged; LOG=syslog keeps the log");
        daemon_ready(master->daemon);
        spawn_close(&master->holdings.fds, &master->daemon->ready_fd);
    }
}

/* Children that stand still keep a daemon silent that serves; it begins and ends by deadlines. */
static void
tell_alive(struct master *master)
{
    uint64_t now_ms = clock_mono_ms();

    if (master->alive_every_ms == 0 || now_ms < master->alive_ms)
        return;
    if (master->ready && !master->stopping && !pulse_all_moved(master->crew.pulses, ROLE_COUNT))
        return;
    if (service_alive())
        master->alive_ms = now_ms + master->alive_every_ms;
}

/* What has become due, by time or by what was heard. */
static void
advance(struct master *master)
{
    crew_advance(&master->crew);
    if (master->crew.exit_status != 0)
        begin_stop(master);
    if (master->crew.children[ROLE_WORKER].state == CHILD_ENDED)
        holdings_stop_listening(&master->holdings);
    note_ready(master);
    if (master->reload_wanted && master->ready)
        reload_now(master);
    log_tick();
    service_advance(service_of(master), clock_mono_ms());
    tell_alive(master);
}

static uint64_t
next_deadline(struct master *master)
{
    uint64_t crew_ms = crew_next_deadline(&master->crew);
    uint64_t service_ms = service_of(master)->deadline_ms;

    return service_ms != 0 && service_ms < crew_ms ? service_ms : crew_ms;
}

static void
serve(struct master *master)
{
    struct pollfd slots[SLOT_COUNT] = {
        [SLOT_SIGNAL] = {.fd = master->signal_fd, .events = POLLIN},
        [SLOT_ASK] = {.events = POLLIN},
    };

    for (advance(master); !crew_is_over(&master->crew); advance(master)) {
        uint64_t deadline_ms = next_deadline(master);

        slots[SLOT_ASK].fd = resolve_poll_fd(&master->holdings.resolve);
        for (enum role role = 0; role < ROLE_COUNT; role++)
            slots[SLOT_READY + role] =
                (struct pollfd){.fd = master->crew.ready_fds[role], .events = POLLIN};
        if (poll(slots, SLOT_COUNT, clock_poll_timeout(clock_mono_ms(), deadline_ms)) <= 0)
            continue;
        crew_take_ready(&master->crew);
        if (slots[SLOT_SIGNAL].revents != 0) {
            take_signals(master);
            reap(master);
        }
        if (slots[SLOT_ASK].revents != 0) {
            resolve_take(&master->holdings.resolve);
            start_resolver(master);
        }
    }
}

static void
open_signals(struct master *master)
{
    static const int signals[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};

    signal(SIGCHLD, SIG_DFL); /* ignored, as some parents leave it, nothing could be reaped */
    master->signal_fd = sig_open(signals, sizeof(signals) / sizeof(signals[0]));
    if (master->signal_fd < 0) {
        errno = -master->signal_fd;
        fatal(EX_CONFIG, "cannot make a signalfd");
    }
    spawn_hold(&master->holdings.fds, master->signal_fd, KEPT_BY_NONE);
}

static void
go_background(struct master *master)
{
    /* A daemon's directory is "/", and a reload has to find the file again, where a link to it may
     * by then lead elsewhere. */
    if (master->args.config_file != NULL) {
        errno = -daemon_absolute(master->args.config_file, master->config_file);
        if (errno != 0)
            fatal(EX_CONFIG, "cannot keep %s", master->args.config_file);
        master->args.config_file = master->config_file;
    }
    master->daemon = daemon_start(master->config->master.pidfile);
    if (master->daemon == NULL)
        fatal(EX_CONFIG, "cannot go into the background");
    spawn_hold(&master->holdings.fds, master->daemon->ready_fd, KEPT_BY_NONE);
    spawn_hold(&master->holdings.fds, daemon_lock(master->daemon), KEPT_BY_NONE);
}

static void
log_quota(const struct config *config, uint64_t quota)
{
    log_warnx("the control group may have no more than %" PRIu64 " bytes of memory: going on with "
              "MEMORY_LIMIT=%zu QUEUE_MEMORY=%zu RECEIVE_BUFFER=%" PRIu64,
              quota, config->worker.memory_limit, config->sender.queue_memory,
              config->master.receive_buffer);
}

/* A start that fails says one line, on the terminal of who started the daemon. So nothing is logged
 * before all is open. */
static void
start(struct master *master)
{
    struct config *config = master->config;
    const struct master_opts *opts = &config->master;
    uint64_t quota = quota_own();
    bool dropped, lowered;

    log_init(LOG_TO_STDERR, config->log_level);
    spawn_name("master");
    signal(SIGPIPE, SIG_IGN);
    daemon_clean_fds(holdings_take_over(&master->holdings));
    if (master->args.daemon)
        go_background(master);
    open_signals(master);
    lowered = quota_fit(config, master->holdings.handover.n_own, quota);
    holdings_open(&master->holdings, opts, config->worker.n_threads);
    dropped = privdrop(opts->user, opts->group);
    holdings_open_folders(&master->holdings, opts);
    if (config->log_to != LOG_TO_STDERR)
        log_init(config->log_to, config->log_level);
    log_info("starting up on port %u", (unsigned)master->holdings.listeners.port);
    log_info(dropped ? "running as uid %u" : "not started as root: staying uid %u (USER ignored)",
             (unsigned)geteuid());
    if (lowered)
        log_quota(config, quota);
    holdings_log(&master->holdings, opts);
}

int
master_run(const struct args *args, struct config *config, const struct buf *warnings)
{
    struct master master = {
        .args = *args, .config = config, .alive_every_ms = service_watchdog_ms()};

    master.fresh = calloc(1, sizeof(*master.fresh));
    if (master.fresh == NULL)
        fatal(EX_CONFIG, "cannot take memory for a reload");
    start(&master);
    reload_log_warnings(warnings);
    post_config(&master);
    crew_init(&master.crew, &master.holdings, config, args->daemon);
    serve(&master);
    holdings_release(&master.holdings);
    free(master.fresh);
    log_info("stopped");
    if (master.crew.exit_status != 0)
        fatalx(master.crew.exit_status, "%s", master.crew.failure);
    return 0;
}
