/*
 * terminal: what is known of the terminal before anything is drawn on it.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>

/* Whether the terminal of that name (TERM, may be NULL) can have a screen drawn on it. */
bool terminal_can_draw(const char *name);

#endif
