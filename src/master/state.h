/*
 * state: the files in which worker and sender keep what outlives them: in STATE_DIR, where it
 * outlives the daemon as well, or nameless ones in memory.
 */
#ifndef MASTER_STATE_H
#define MASTER_STATE_H

#include <stdint.h>

#define STATE_ERROR_MAX 1024

struct state {
    int worker_arena, sender_arena; /* read and write, locked where they have names */
    int quarantine;                 /* to append to; -1 without STATE_DIR */
    char foreign[64];               /* an arena of another version that was left alone; "": none */
};

/* Opens the files of the directory dir, which is made if it is missing, or, where dir is "",
 * nameless ones. Those of another daemon, or of one that has just died and whose processes have
 * not, are waited for up to patience_ms. Returns 0, or -1 with one line in error that says what
 * cannot be done and what to do; nothing is then open. */
int state_open(struct state *state, const char *dir, uint64_t patience_ms,
               char error[STATE_ERROR_MAX]);

#endif
