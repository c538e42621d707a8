/*
 * terminal: the sole user of terminfo's own header, whose macros take names like columns. curses
 * would say the same, but leaks where it has to say no.
 */
#include "cli/terminal.h"

#include <stddef.h>
#include <term.h>

bool
terminal_can_draw(const char *name)
{
    char room[4096]; /* that nothing is written to any more; see curs_termcap(3) */

    return name != NULL && tgetent(room, name) == 1 && tgetstr("cm", NULL) != NULL;
}
