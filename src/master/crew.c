/*
 * crew: owns the two children: what each is started with, and what is said and done when one ends.
 * Must not know what they do, nor why the daemon stops.
 */
#include "master/crew.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "master/spawn.h"

/* A worker drains the kernel's queue and flushes, for which it may need the sender that comes
 * behind one that has stalled; a sender delivers for 10 s at most. */
#define WORKER_GRACE_MS 10000
#define SENDER_GRACE_MS 14000

static int
run_worker(const struct crew *crew, int ready_fd)
{
    const struct holdings *holdings = crew->holdings;
    struct worker_opts opts = crew->config->worker;

    opts.n_sockets = holdings->listeners.n;
    for (size_t i = 0; i < opts.n_sockets; i++) {
        opts.sockets[i] = holdings->listeners.sockets[i];
        opts.told_drops[i] = holdings->listeners.told_drops[i];
    }
    opts.pipe_fd = holdings->pipe_write;
    opts.ack_fd = holdings->ack_fd;
    opts.arena_fd = holdings->state.worker_arena;
    opts.quarantine_fd = holdings->state.quarantine;
    opts.gauges_fd = holdings->gauges;
    opts.board = holdings->board;
    opts.admin_fd = holdings->asking.admin;
    opts.console_fd = holdings->asking.console;
    opts.console_writes = holdings->asking.is_local || crew->config->master.console_write;
    opts.config = holdings->bulletin;
    opts.crashed = crew->children[ROLE_WORKER].has_crashed;
    opts.is_foreign = holdings->state.foreign[0] != '\0';
    opts.ready_fd = ready_fd;
    opts.detach = crew->detach;
    opts.n_restarts = crew->children[ROLE_WORKER].n_restarts;
    log_remember(&holdings->board->logs[BOARD_WORKER]);
    fault_point("worker_start");
    return worker_main(&opts);
}

static int
run_sender(const struct crew *crew, int ready_fd)
{
    const struct holdings *holdings = crew->holdings;
    struct sender_opts opts = crew->config->sender;

    opts.pipe_fd = holdings->pipe_read;
    opts.ask_fd = holdings->resolve.ask_write;
    opts.addresses_fd = holdings->resolve.addresses_read;
    opts.ack_fd = holdings->ack_fd;
    opts.arena_fd = holdings->state.sender_arena;
    opts.spool_fd = holdings->spool_dir;
    opts.gauges_fd = holdings->gauges_dir;
    opts.board = holdings->board;
    opts.ready_fd = ready_fd;
    opts.detach = crew->detach;
    opts.n_restarts = crew->children[ROLE_SENDER].n_restarts;
    log_remember(&holdings->board->logs[BOARD_SENDER]);
    fault_point("sender_start");
    return sender_main(&opts);
}

static const struct {
    const char *name;
    enum spawn_keeper keeper;
    enum board_beat beat;
    uint32_t grace_ms;
    int (*run)(const struct crew *crew, int ready_fd);
    const char *leaves; /* what is lost with the last one */
} roles[ROLE_COUNT] = {
    [ROLE_WORKER] = {"worker", KEPT_BY_WORKER, BOARD_WORKER, WORKER_GRACE_MS, run_worker,
                     "what was received and not flushed"},
    [ROLE_SENDER] = {"sender", KEPT_BY_SENDER, BOARD_SENDER, SENDER_GRACE_MS, run_sender,
                     "what carbon has not taken"},
};

static void tell(struct crew *crew, enum role role, struct child_event event);

static uint64_t
beat_of(const struct crew *crew, enum role role)
{
    return board_get(&crew->holdings->board->beats[roles[role].beat]);
}

/* What outlives the daemon must be nobody's when the next one takes it over. */
static int
death_signal(const struct crew *crew)
{
    return crew->config->sender.arena_outlives ? SIGKILL : SIGTERM;
}

/* Until one of each has, it is awaited that it says so when it serves. */
static pid_t
fork_child(struct crew *crew, enum role role)
{
    struct spawn_fds *fds = &crew->holdings->fds;
    int ready_fd = -1, error = 0;
    pid_t pid;

    if (role == ROLE_WORKER)
        holdings_open_gauges(crew->holdings, crew->config->sender.gauges_name);
    spawn_close(fds, &crew->ready_fds[role]);
    if (!crew->children[role].has_served)
        error =
            spawn_pipe(fds, 0, KEPT_BY_NONE, roles[role].keeper, &crew->ready_fds[role], &ready_fd);
    crew->first_beats[role] = beat_of(crew, role);
    pulse_begin(&crew->pulses[role], crew->first_beats[role]);
    pid = error == 0 ? spawn(fds, roles[role].keeper, roles[role].name, death_signal(crew)) : error;
    if (pid == 0)
        exit(roles[role].run(crew, ready_fd));
    spawn_close(fds, &ready_fd);
    if (pid < 0)
        spawn_close(fds, &crew->ready_fds[role]);
    return pid;
}

static void
tell_board(struct crew *crew, enum role role, pid_t pid)
{
    struct board_child *board = &crew->holdings->board->master.children[roles[role].beat];

    if (board_get(&board->pid) != 0)
        board_set(&board->restarted_ms, clock_wall_ms());
    board_set(&board->pid, (uint64_t)pid);
    board_set(&board->n_restarts, crew->children[role].n_restarts);
}

/* The first that ends the daemon is the last thing that it says; another is said at once. */
static void
note_failure(struct crew *crew, const char text[CREW_TEXT_MAX])
{
    if (crew->failure[0] == '\0')
        memcpy(crew->failure, text, CREW_TEXT_MAX);
    else
        log_warnx("%s", text);
}

static void
log_unstarted(struct crew *crew, enum role role, const char *why)
{
    const char *name = roles[role].name;
    struct log_event again = {
        .level = LOG_WARNING, .reason = why, .name = name, .limit = &crew->said_unstarted[role]};
    char text[CREW_TEXT_MAX] = "";

    snprintf(text, sizeof(text), "cannot start the %s: %s", name, why);
    if (crew->children[role].has_served)
        log_event(&again, "%s; trying again", text);
    else
        note_failure(crew, text);
}

static void
start_child(struct crew *crew, enum role role)
{
    pid_t pid = fork_child(crew, role);

    if (pid > 0) {
        tell_board(crew, role, pid);
        log_debug("started the %s (pid %d)", roles[role].name, (int)pid);
        tell(crew, role, (struct child_event){.kind = CHILD_STARTED, .pid = pid});
        return;
    }
    log_unstarted(crew, role, strerror(-pid));
    tell(crew, role, (struct child_event){.kind = CHILD_EXITED, .status = 0});
}

/* A sender ends at the end of the pipe, when it has read what the worker left there. */
static void
ask_to_stop(struct crew *crew, enum role role)
{
    if (role == ROLE_SENDER)
        spawn_close(&crew->holdings->fds, &crew->holdings->pipe_write);
    else
        kill(crew->children[role].pid, SIGTERM);
}

/* Somebody has killed it, be it the kernel for its memory. */
static bool
is_killed(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* What an operator is told of an end that was not asked for, and of what follows. */
static void
log_end(struct crew *crew, enum role role, pid_t pid, const struct child_event *event,
        enum child_action action)
{
    const struct child *child = &crew->children[role];
    const char *name = roles[role].name;
    char text[CHILD_TEXT_MAX];
    struct log_event again = {.level = LOG_WARNING,
                              .reason = text,
                              .name = name,
                              .limit = &crew->said_ended[role][is_killed(event->status)]};

    child_format_status(event->status, text);
    if (child->state == CHILD_WAITING && event->status == 0)
        log_event(&again, "%s (pid %d) ended unasked; restarting in %d ms", name, (int)pid,
                  (int)(child->deadline_ms - event->now_ms));
    else if (child->state == CHILD_WAITING)
        log_event(&again, "%s (pid %d) died: %s; restarting in %d ms", name, (int)pid, text,
                  (int)(child->deadline_ms - event->now_ms));
    else if (action == CHILD_FORK)
        log_warnx("%s (pid %d) died: %s; starting another for what it left", name, (int)pid, text);
    else if (!child_ended_well(event->status))
        log_warnx("%s (pid %d) died: %s; lost: %s", name, (int)pid, text, roles[role].leaves);
    else
        log_debug("%s (pid %d) ended: %s", name, (int)pid, text);
}

static void
give_up(struct crew *crew, enum role role, pid_t pid, const struct child_event *event)
{
    bool permanent = event->status == W_EXITCODE(CHILD_STATUS_PERMANENT, 0);
    char status[CHILD_TEXT_MAX], text[CREW_TEXT_MAX] = "";

    crew->exit_status = permanent ? EX_CONFIG : EXIT_FAILURE;
    if (pid == 0)
        return; /* it could not be started; that has been noted */
    child_format_status(event->status, status);
    snprintf(text, sizeof(text), "%s (pid %d) died%s: %s", roles[role].name, (int)pid,
             crew->children[role].has_served ? "" : " before it could serve", status);
    note_failure(crew, text);
}

static void
log_kill(struct crew *crew, enum role role, pid_t pid, const struct child_event *event)
{
    struct log_event again = {
        .level = LOG_WARNING, .name = roles[role].name, .limit = &crew->said_killed[role]};

    if (crew->children[role].state == CHILD_STOPPING && event->kind == CHILD_DEADLINE)
        log_warnx("%s (pid %d) did not end within %u s: killing it", roles[role].name, (int)pid,
                  (unsigned)(roles[role].grace_ms / 1000));
    else
        log_event(&again, "%s (pid %d) has stalled and does not abort: killing it", again.name,
                  (int)pid);
}

static void
log_stall(struct crew *crew, enum role role, pid_t pid)
{
    struct log_event again = {
        .level = LOG_WARNING, .name = roles[role].name, .limit = &crew->said_stalled[role]};

    log_event(&again, "%s (pid %d) has made no progress for %d s: aborting it", again.name,
              (int)pid, PULSE_MS * PULSE_PATIENCE / 1000);
}

/* Passes an event on to a child's state and does what follows from it. */
static void
tell(struct crew *crew, enum role role, struct child_event event)
{
    struct child *child = &crew->children[role];
    enum child_action action;
    pid_t pid = child->pid;

    event.now_ms = clock_mono_ms();
    event.chance = arc4random();
    event.has_beaten = beat_of(crew, role) != crew->first_beats[role];
    action = child_step(child, &event);
    if (event.kind == CHILD_EXITED && pid != 0 && action != CHILD_GIVE_UP)
        log_end(crew, role, pid, &event, action);
    switch (action) {
    case CHILD_NOTHING: break;
    case CHILD_FORK: start_child(crew, role); break;
    case CHILD_ASK: ask_to_stop(crew, role); break;
    case CHILD_ABORT:
        log_stall(crew, role, pid);
        kill(pid, SIGABRT);
        break;
    case CHILD_KILL:
        log_kill(crew, role, pid, &event);
        kill(pid, SIGKILL);
        break;
    case CHILD_GIVE_UP: give_up(crew, role, pid, &event); break;
    }
}

void
crew_init(struct crew *crew, struct holdings *holdings, const struct config *config, bool detach)
{
    struct board_master *board = &holdings->board->master;

    *crew = (struct crew){.holdings = holdings, .config = config, .detach = detach};
    board_set(&board->pid, (uint64_t)getpid());
    board_set(&board->started_ms, clock_wall_ms());
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        child_init(&crew->children[role], roles[role].grace_ms);
        crew->ready_fds[role] = -1;
    }
}

static void
look(struct crew *crew)
{
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (crew->children[role].pid != 0 && pulse_look(&crew->pulses[role], beat_of(crew, role)))
            tell(crew, role, (struct child_event){.kind = CHILD_STALLED});
    }
}

void
crew_advance(struct crew *crew)
{
    uint64_t now_ms = clock_mono_ms();

    if (crew->look_ms <= now_ms) {
        look(crew);
        crew->look_ms = now_ms + PULSE_MS;
    }
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (crew->children[role].deadline_ms <= now_ms)
            tell(crew, role, (struct child_event){.kind = CHILD_DEADLINE});
    }
    if (crew->children[ROLE_WORKER].state == CHILD_ENDED)
        tell(crew, ROLE_SENDER, (struct child_event){.kind = CHILD_STOP});
}

void
crew_take_ready(struct crew *crew)
{
    char byte;

    for (enum role role = 0; role < ROLE_COUNT; role++) {
        ssize_t n = crew->ready_fds[role] >= 0 ? read(crew->ready_fds[role], &byte, 1) : -1;
        if (n < 0)
            continue;
        /* Where there is none, it has ended, which is told by its parent's signal. */
        spawn_close(&crew->holdings->fds, &crew->ready_fds[role]);
        if (n > 0)
            tell(crew, role, (struct child_event){.kind = CHILD_READY});
    }
}

void
crew_reaped(struct crew *crew, pid_t pid, int status)
{
    /* One that served and then died is another case than one that never did. */
    crew_take_ready(crew);
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (crew->children[role].pid != pid)
            continue;
        tell(crew, role, (struct child_event){.kind = CHILD_EXITED, .status = status});
        return;
    }
}

void
crew_stop(struct crew *crew)
{
    board_set(&crew->holdings->board->master.is_stopping, 1);
    tell(crew, ROLE_SENDER, (struct child_event){.kind = CHILD_RETIRE});
    tell(crew, ROLE_WORKER, (struct child_event){.kind = CHILD_STOP});
}

bool
crew_is_ready(const struct crew *crew)
{
    return crew->children[ROLE_WORKER].has_served && crew->children[ROLE_SENDER].has_served;
}

bool
crew_is_over(const struct crew *crew)
{
    return crew->children[ROLE_WORKER].state == CHILD_ENDED &&
           crew->children[ROLE_SENDER].state == CHILD_ENDED;
}

uint64_t
crew_next_deadline(const struct crew *crew)
{
    uint64_t deadline_ms = UINT64_MAX;

    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (crew->children[role].deadline_ms < deadline_ms)
            deadline_ms = crew->children[role].deadline_ms;
        if (crew->children[role].pid != 0 && crew->look_ms < deadline_ms)
            deadline_ms = crew->look_ms;
    }
    return deadline_ms;
}
