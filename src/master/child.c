/*
 * child: owns the table of what follows from which event in which state. Must not know processes:
 * no fork, no kill, no clock.
 */
#include "master/child.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_CAP_MS   5000

typedef enum child_action transition(struct child *child, const struct child_event *event);

static enum child_action
start(struct child *child, const struct child_event *event)
{
    (void)event;
    child->deadline_ms = UINT64_MAX;
    return CHILD_FORK;
}

static enum child_action
note_start(struct child *child, const struct child_event *event)
{
    child->state = child->has_served ? CHILD_UP : CHILD_STARTING;
    child->pid = event->pid;
    child->started_ms = event->now_ms;
    child->deadline_ms = UINT64_MAX;
    return CHILD_NOTHING;
}

static enum child_action
note_last_start(struct child *child, const struct child_event *event)
{
    child->pid = event->pid;
    return child->state == CHILD_STOPPING ? CHILD_ASK : CHILD_NOTHING;
}

static enum child_action
note_ready(struct child *child, const struct child_event *event)
{
    (void)event;
    child->has_served = true;
    if (child->state == CHILD_STARTING)
        child->state = CHILD_UP;
    return CHILD_NOTHING;
}

static enum child_action
wait_longer(struct child *child, const struct child_event *event)
{
    child->state = CHILD_WAITING;
    child->deadline_ms = event->now_ms + backoff_fail(&child->backoff, event->chance);
    return CHILD_NOTHING;
}

static enum child_action
end(struct child *child, const struct child_event *event)
{
    (void)event;
    child->state = CHILD_ENDED;
    child->pid = 0;
    child->deadline_ms = UINT64_MAX;
    return CHILD_NOTHING;
}

static enum child_action
fail(struct child *child, const struct child_event *event)
{
    end(child, event);
    return CHILD_GIVE_UP;
}

static enum child_action
miss_start(struct child *child, const struct child_event *event)
{
    return child->has_served ? wait_longer(child, event) : fail(child, event);
}

static bool
is_permanent(int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == CHILD_STATUS_PERMANENT;
}

/* A signal, and none that others end a process with: what it had to do may be what kills it. */
static bool
is_own_signal(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGTERM;
}

/* What made it end by itself it has said, and that stays so. */
static enum child_action
retry_first(struct child *child, const struct child_event *event)
{
    if (!is_own_signal(event->status) || child->n_first == CHILD_TRIES_MAX)
        return fail(child, event);
    child->pid = 0;
    child->n_first++;
    child->n_restarts++;
    return wait_longer(child, event);
}

static enum child_action
replace_now(struct child *child, const struct child_event *event)
{
    child->state = CHILD_WAITING;
    child->deadline_ms = event->now_ms;
    return CHILD_NOTHING;
}

static bool
was_killed_at_work(const struct child *child, const struct child_event *event)
{
    return child->state == CHILD_UP && event->has_beaten && WIFSIGNALED(event->status) &&
           WTERMSIG(event->status) == SIGKILL;
}

static void
earn(struct child *child, uint64_t life_ms)
{
    uint64_t credit_ms = child->credit_ms + life_ms;

    child->credit_ms = credit_ms < CHILD_STEADY_MS ? (uint32_t)credit_ms : CHILD_STEADY_MS;
}

static bool
pay(struct child *child)
{
    if (child->credit_ms < CHILD_KILL_MS)
        return false;
    child->credit_ms -= CHILD_KILL_MS;
    return true;
}

static enum child_action
replace(struct child *child, const struct child_event *event)
{
    uint64_t life_ms = event->now_ms - child->started_ms;

    if (is_permanent(event->status))
        return fail(child, event);
    child->pid = 0;
    child->n_restarts++;
    earn(child, life_ms);
    if (life_ms >= CHILD_STEADY_MS)
        backoff_reset(&child->backoff);
    else if (!was_killed_at_work(child, event) || !pay(child))
        return wait_longer(child, event);
    return replace_now(child, event);
}

static enum child_action
retire(struct child *child, const struct child_event *event)
{
    (void)event;
    child->state = CHILD_LAST;
    return CHILD_NOTHING;
}

static enum child_action
abort_stalled(struct child *child, const struct child_event *event)
{
    if (child->state != CHILD_LAST)
        child->state = CHILD_ABORTING;
    child->deadline_ms = event->now_ms + CHILD_ABORT_MS;
    return CHILD_ABORT;
}

static enum child_action
kill_stalled(struct child *child, const struct child_event *event)
{
    (void)event;
    child->deadline_ms = UINT64_MAX;
    return CHILD_KILL;
}

static enum child_action
replace_stalled(struct child *child, const struct child_event *event)
{
    return child->has_served ? replace(child, event) : fail(child, event);
}

/* It will do nothing any more; the one behind it can. */
static enum child_action
retire_stalled(struct child *child, const struct child_event *event)
{
    child->state = CHILD_LAST;
    return kill_stalled(child, event);
}

static enum child_action
stop_stalled(struct child *child, const struct child_event *event)
{
    child->state = CHILD_STOPPING;
    child->deadline_ms = event->now_ms + child->grace_ms;
    return CHILD_KILL;
}

/* A try that is left. */
static enum child_action
start_last(struct child *child, enum child_state state)
{
    if (state == CHILD_LAST)
        child->deadline_ms = UINT64_MAX;
    child->state = state;
    child->pid = 0;
    child->n_last++;
    return CHILD_FORK;
}

static enum child_action
retire_absent(struct child *child, const struct child_event *event)
{
    return child->has_served ? start_last(child, CHILD_LAST) : end(child, event);
}

static enum child_action
stop_absent(struct child *child, const struct child_event *event)
{
    child->deadline_ms = event->now_ms + child->grace_ms;
    return child->has_served ? start_last(child, CHILD_STOPPING) : end(child, event);
}

/* Whatever it died of, one more; after that only for what kills its readers. */
static bool
is_last_left(const struct child *child, int status)
{
    return child->n_last == 0 || (child->n_last < CHILD_TRIES_MAX && is_own_signal(status));
}

/* What time there was to stop does not begin anew. */
static enum child_action
end_or_start_last(struct child *child, const struct child_event *event)
{
    if (child->pid == 0 || !child->has_served || !is_last_left(child, event->status) ||
        child_ended_well(event->status) || is_permanent(event->status))
        return end(child, event);
    child->n_restarts++;
    return start_last(child, child->state);
}

static enum child_action
ask(struct child *child, const struct child_event *event)
{
    child->state = CHILD_STOPPING;
    child->deadline_ms = event->now_ms + child->grace_ms;
    return CHILD_ASK;
}

/* A deadline is that of its abortion. */
static enum child_action
ask_last(struct child *child, const struct child_event *event)
{
    return child->deadline_ms == UINT64_MAX ? ask(child, event) : stop_stalled(child, event);
}

static enum child_action
lose_patience(struct child *child, const struct child_event *event)
{
    (void)event;
    child->deadline_ms = UINT64_MAX;
    child->n_last = CHILD_TRIES_MAX;
    return CHILD_KILL;
}

/* clang-format off */
static transition *const transitions[CHILD_STATE_COUNT][CHILD_EVENT_COUNT] = {
    [CHILD_WAITING] = {
        [CHILD_DEADLINE] = start,
        [CHILD_STARTED] = note_start,
        [CHILD_EXITED] = miss_start,
        [CHILD_RETIRE] = retire_absent,
        [CHILD_STOP] = stop_absent,
    },
    [CHILD_STARTING] = {
        [CHILD_READY] = note_ready,
        [CHILD_STALLED] = abort_stalled,
        [CHILD_EXITED] = retry_first,
        [CHILD_RETIRE] = retire,
        [CHILD_STOP] = ask,
    },
    [CHILD_UP] = {
        [CHILD_STALLED] = abort_stalled,
        [CHILD_EXITED] = replace,
        [CHILD_RETIRE] = retire,
        [CHILD_STOP] = ask,
    },
    [CHILD_ABORTING] = {
        [CHILD_DEADLINE] = kill_stalled,
        [CHILD_READY] = note_ready,
        [CHILD_EXITED] = replace_stalled,
        [CHILD_RETIRE] = retire_stalled,
        [CHILD_STOP] = stop_stalled,
    },
    [CHILD_LAST] = {
        [CHILD_DEADLINE] = kill_stalled,
        [CHILD_STARTED] = note_last_start,
        [CHILD_READY] = note_ready,
        [CHILD_STALLED] = abort_stalled,
        [CHILD_EXITED] = end_or_start_last,
        [CHILD_STOP] = ask_last,
    },
    [CHILD_STOPPING] = {
        [CHILD_DEADLINE] = lose_patience,
        [CHILD_STARTED] = note_last_start,
        [CHILD_READY] = note_ready,
        [CHILD_EXITED] = end_or_start_last,
    },
};
/* clang-format on */

void
child_init(struct child *child, uint32_t grace_ms)
{
    *child = (struct child){
        .state = CHILD_WAITING,
        .grace_ms = grace_ms,
        .credit_ms = CHILD_STEADY_MS,
        .backoff = {.first_ms = BACKOFF_FIRST_MS, .cap_ms = BACKOFF_CAP_MS},
    };
}

static bool
is_crash(int status)
{
    return !child_ended_well(status) && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

enum child_action
child_step(struct child *child, const struct child_event *event)
{
    transition *step = transitions[child->state][event->kind];

    if (event->kind == CHILD_EXITED && child->pid != 0)
        child->has_crashed = is_crash(event->status);
    return step != NULL ? step(child, event) : CHILD_NOTHING;
}

/* Where all were asked to stop at once, it may have been too young to catch the signal. */
bool
child_ended_well(int status)
{
    return status == 0 || status == SIGTERM;
}

void
child_format_status(int status, char out[CHILD_TEXT_MAX])
{
    const char *name;

    if (!WIFSIGNALED(status)) {
        snprintf(out, CHILD_TEXT_MAX, "exit status %d", WEXITSTATUS(status));
        return;
    }
    name = sigdescr_np(WTERMSIG(status));
    snprintf(out, CHILD_TEXT_MAX, "signal %d (%s)", WTERMSIG(status),
             name != NULL ? name : "unknown");
}
