/*
 * child: owns the table of what follows from which event in which state. Must not know processes:
 * no fork, no kill, no clock.
 */
#include "master/child.h"

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
    child->state = CHILD_UP;
    child->pid = event->pid;
    child->started_ms = event->now_ms;
    child->deadline_ms = UINT64_MAX;
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
replace(struct child *child, const struct child_event *event)
{
    if (WIFEXITED(event->status) && WEXITSTATUS(event->status) == CHILD_STATUS_PERMANENT) {
        end(child, event);
        return CHILD_GIVE_UP;
    }
    child->pid = 0;
    child->n_restarts++;
    if (event->now_ms - child->started_ms < CHILD_STEADY_MS)
        return wait_longer(child, event);
    backoff_reset(&child->backoff);
    child->state = CHILD_WAITING;
    child->deadline_ms = event->now_ms;
    return CHILD_NOTHING;
}

static enum child_action
retire(struct child *child, const struct child_event *event)
{
    (void)event;
    child->state = CHILD_LAST;
    return CHILD_NOTHING;
}

static enum child_action
ask(struct child *child, const struct child_event *event)
{
    child->state = CHILD_STOPPING;
    child->deadline_ms = event->now_ms + child->grace_ms;
    return CHILD_ASK;
}

static enum child_action
lose_patience(struct child *child, const struct child_event *event)
{
    (void)event;
    child->deadline_ms = UINT64_MAX;
    return CHILD_KILL;
}

/* clang-format off */
static transition *const transitions[CHILD_STATE_COUNT][CHILD_EVENT_COUNT] = {
    [CHILD_WAITING] = {
        [CHILD_DEADLINE] = start,
        [CHILD_STARTED] = note_start,
        [CHILD_EXITED] = wait_longer, /* it could not be started */
        [CHILD_RETIRE] = end,
        [CHILD_STOP] = end,
    },
    [CHILD_UP] = {
        [CHILD_EXITED] = replace,
        [CHILD_RETIRE] = retire,
        [CHILD_STOP] = ask,
    },
    [CHILD_LAST] = {
        [CHILD_EXITED] = end,
        [CHILD_STOP] = ask,
    },
    [CHILD_STOPPING] = {
        [CHILD_DEADLINE] = lose_patience,
        [CHILD_EXITED] = end,
    },
};
/* clang-format on */

void
child_init(struct child *child, uint32_t grace_ms)
{
    *child = (struct child){
        .state = CHILD_WAITING,
        .grace_ms = grace_ms,
        .backoff = {.first_ms = BACKOFF_FIRST_MS, .cap_ms = BACKOFF_CAP_MS},
    };
}

enum child_action
child_step(struct child *child, const struct child_event *event)
{
    transition *step = transitions[child->state][event->kind];

    return step != NULL ? step(child, event) : CHILD_NOTHING;
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
