/*
 * master: owns the straight line from a configuration to two running children, and the loop that
 * reaps, restarts, stops and reloads. Never reads a packet, never parses what a child says.
 */
#include "master/master.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "master/child.h"
#include "master/daemon.h"
#include "master/holdings.h"
#include "master/privdrop.h"
#include "master/reload.h"
#include "master/service.h"

/* A worker drains the kernel's queue and flushes; a sender delivers for 10 s at most. */
#define WORKER_GRACE_MS 8000
#define SENDER_GRACE_MS 14000

enum role { ROLE_WORKER, ROLE_SENDER, ROLE_COUNT };
enum slot { SLOT_SIGNAL, SLOT_ASK, SLOT_COUNT };

struct master {
    struct args args;
    char config_file[PATH_MAX]; /* absolute, of a daemon */
    struct config *config;
    struct config *fresh;  /* room for a reload */
    struct daemon *daemon; /* NULL in the foreground */
    struct holdings holdings;
    int signal_fd;
    struct child children[ROLE_COUNT];
    bool ready;
    bool stopping;
    bool reload_wanted;
    int exit_status;
};

static int
run_worker(const struct master *master)
{
    struct worker_opts opts = master->config->worker;

    opts.n_sockets = master->holdings.listeners.n;
    for (size_t i = 0; i < opts.n_sockets; i++)
        opts.sockets[i] = master->holdings.listeners.sockets[i];
    opts.pipe_fd = master->holdings.pipe_write;
    opts.n_restarts = master->children[ROLE_WORKER].n_restarts;
    return worker_main(&opts);
}

static int
run_sender(const struct master *master)
{
    struct sender_opts opts = master->config->sender;

    opts.pipe_fd = master->holdings.pipe_read;
    opts.ask_fd = master->holdings.resolve.ask_write;
    opts.addresses_fd = master->holdings.resolve.addresses_read;
    opts.n_restarts = master->children[ROLE_SENDER].n_restarts;
    return sender_main(&opts);
}

static const struct {
    const char *name;
    enum spawn_keeper keeper;
    uint32_t grace_ms;
    int (*run)(const struct master *master);
} roles[ROLE_COUNT] = {
    [ROLE_WORKER] = {"worker", KEPT_BY_WORKER, WORKER_GRACE_MS, run_worker},
    [ROLE_SENDER] = {"sender", KEPT_BY_SENDER, SENDER_GRACE_MS, run_sender},
};

static void tell(struct master *master, enum role role, struct child_event event);

static void
start_child(struct master *master, enum role role)
{
    pid_t pid = spawn(&master->holdings.fds, roles[role].keeper, roles[role].name);

    if (pid == 0) {
        /* The daemon's terminal is let go of when it is ready, too late for its children. */
        if (master->daemon != NULL)
            daemon_detach();
        exit(roles[role].run(master));
    }
    if (pid > 0) {
        log_debug("started the %s (pid %d)", roles[role].name, (int)pid);
        tell(master, role, (struct child_event){.kind = CHILD_STARTED, .pid = pid});
        return;
    }
    errno = -pid;
    log_warn("cannot start the %s: fork", roles[role].name);
    tell(master, role, (struct child_event){.kind = CHILD_EXITED, .status = 0});
}

/* A sender ends at the end of the pipe, when it has read what the worker left there. */
static void
ask_to_stop(struct master *master, enum role role)
{
    if (role == ROLE_SENDER)
        spawn_close(&master->holdings.fds, &master->holdings.pipe_write);
    else
        kill(master->children[role].pid, SIGTERM);
}

static void
begin_stop(struct master *master, int exit_status)
{
    if (master->stopping)
        return;
    master->stopping = true;
    master->exit_status = exit_status;
    log_info("stopping: delivering what is left, for up to 10 s");
    service_stopping();
    service_status("Stopping: delivering what is left");
    tell(master, ROLE_SENDER, (struct child_event){.kind = CHILD_RETIRE});
    tell(master, ROLE_WORKER, (struct child_event){.kind = CHILD_STOP});
}

static void
log_end(const struct master *master, enum role role, pid_t pid, const struct child_event *event)
{
    const struct child *child = &master->children[role];
    char text[CHILD_TEXT_MAX];
    /* Where all were asked to stop at once, it may have been too young to catch the signal. */
    bool orderly = event->status == 0 || event->status == SIGTERM;

    child_format_status(event->status, text);
    if (child->state == CHILD_WAITING)
        log_warnx("%s (pid %d) died: %s; restarting in %d ms", roles[role].name, (int)pid, text,
                  (int)(child->deadline_ms - event->now_ms));
    else if (!orderly)
        log_warnx("%s (pid %d) died: %s; stopping", roles[role].name, (int)pid, text);
    else
        log_debug("%s (pid %d) ended: %s", roles[role].name, (int)pid, text);
}

/* Passes an event on to a child's state and does what follows from it. */
static void
tell(struct master *master, enum role role, struct child_event event)
{
    struct child *child = &master->children[role];
    enum child_action action;
    pid_t pid = child->pid;

    event.now_ms = clock_mono_ms();
    event.chance = arc4random();
    action = child_step(child, &event);
    if (event.kind == CHILD_EXITED && pid != 0)
        log_end(master, role, pid, &event);
    switch (action) {
    case CHILD_NOTHING: break;
    case CHILD_FORK: start_child(master, role); break;
    case CHILD_ASK: ask_to_stop(master, role); break;
    case CHILD_KILL:
        log_warnx("%s (pid %d) did not end within %u s: killing it", roles[role].name, (int)pid,
                  (unsigned)(roles[role].grace_ms / 1000));
        kill(pid, SIGKILL);
        break;
    case CHILD_GIVE_UP: begin_stop(master, EX_CONFIG); break;
    }
}

static void
take_signals(struct master *master)
{
    int number;

    while ((number = sig_next(master->signal_fd)) > 0) {
        if (number == SIGHUP)
            master->reload_wanted = true;
        else if (number != SIGCHLD)
            begin_stop(master, 0);
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
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (master->children[role].pid != pid)
            continue;
        tell(master, role, (struct child_event){.kind = CHILD_EXITED, .status = status});
        return;
    }
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
announce(const struct master *master)
{
    const struct config *config = master->config;
    const char *destination = config->sender.deliver ? config->destination : "nobody";
    unsigned port = config->master.listen_port;

    log_info("serving udp port %u, sending to %s", port, destination);
    service_ready();
    service_status("Serving udp port %u, sending to %s", port, destination);
}

static void
reload_now(struct master *master)
{
    master->reload_wanted = false;
    if (master->stopping)
        return;
    log_info("reading the configuration again");
    service_reloading();
    if (reload(&master->args, master->config, master->fresh) && master->config->sender.deliver)
        start_resolver(master);
    announce(master);
}

/* Once, when both have been forked. */
static void
note_ready(struct master *master)
{
    if (master->ready || master->children[ROLE_WORKER].pid == 0 ||
        master->children[ROLE_SENDER].pid == 0)
        return;
    master->ready = true;
    announce(master);
    if (master->daemon != NULL) {
        daemon_ready(master->daemon);
        spawn_close(&master->holdings.fds, &master->daemon->ready_fd);
    }
}

/* What time and the ends of children have made due. */
static void
advance(struct master *master)
{
    uint64_t now_ms = clock_mono_ms();

    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (master->children[role].deadline_ms <= now_ms)
            tell(master, role, (struct child_event){.kind = CHILD_DEADLINE});
    }
    if (master->children[ROLE_WORKER].state == CHILD_ENDED)
        tell(master, ROLE_SENDER, (struct child_event){.kind = CHILD_STOP});
    note_ready(master);
}

static uint64_t
next_deadline(const struct master *master)
{
    uint64_t deadline_ms = UINT64_MAX;

    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (master->children[role].deadline_ms < deadline_ms)
            deadline_ms = master->children[role].deadline_ms;
    }
    return deadline_ms;
}

static bool
is_over(const struct master *master)
{
    return master->children[ROLE_WORKER].state == CHILD_ENDED &&
           master->children[ROLE_SENDER].state == CHILD_ENDED;
}

static void
serve(struct master *master)
{
    struct pollfd slots[SLOT_COUNT] = {
        [SLOT_SIGNAL] = {.fd = master->signal_fd, .events = POLLIN},
        [SLOT_ASK] = {.events = POLLIN},
    };

    for (advance(master); !is_over(master); advance(master)) {
        slots[SLOT_ASK].fd = resolve_poll_fd(&master->holdings.resolve);
        if (poll(slots, SLOT_COUNT, clock_poll_timeout(clock_mono_ms(), next_deadline(master))) <=
            0)
            continue;
        if (slots[SLOT_SIGNAL].revents != 0) {
            take_signals(master);
            reap(master);
        }
        if (slots[SLOT_ASK].revents != 0) {
            resolve_take(&master->holdings.resolve);
            start_resolver(master);
        }
        if (master->reload_wanted)
            reload_now(master);
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

/* A start that fails says one line, on the terminal of who started the daemon. So nothing is logged
 * before all is open. */
static void
start(struct master *master)
{
    const struct config *config = master->config;
    const struct master_opts *opts = &config->master;
    bool dropped;

    log_init(LOG_TO_STDERR, config->log_level);
    spawn_name("master");
    signal(SIGPIPE, SIG_IGN);
    daemon_clean_fds();
    if (master->args.daemon)
        go_background(master);
    open_signals(master);
    holdings_open(&master->holdings, opts, config->worker.n_threads);
    dropped = privdrop(opts->user, opts->group);
    if (config->log_to_syslog)
        log_init(LOG_TO_SYSLOG, config->log_level);
    log_info("starting up on port %u", (unsigned)opts->listen_port);
    log_info(dropped ? "running as uid %u" : "not started as root: staying uid %u (USER ignored)",
             (unsigned)geteuid());
    holdings_log(&master->holdings, opts);
}

int
master_run(const struct args *args, struct config *config, const struct buf *warnings)
{
    struct master master = {.args = *args, .config = config};

    master.fresh = calloc(1, sizeof(*master.fresh));
    if (master.fresh == NULL)
        fatal(EX_CONFIG, "cannot take memory for a reload");
    start(&master);
    reload_log_warnings(warnings);
    for (enum role role = 0; role < ROLE_COUNT; role++)
        child_init(&master.children[role], roles[role].grace_ms);
    serve(&master);
    holdings_release(&master.holdings);
    free(master.fresh);
    log_info("stopped");
    return master.exit_status;
}
