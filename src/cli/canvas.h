/*
 * canvas: a screen of characters, and the four lists of `top` on it.
 */
#ifndef CLI_CANVAS_H
#define CLI_CANVAS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/ranking.h"

#define CANVAS_ROWS_MAX    200
#define CANVAS_COLUMNS_MAX 500

struct canvas {
    unsigned rows, columns;
    char text[CANVAS_ROWS_MAX][CANVAS_COLUMNS_MAX + 1]; /* each row NUL-terminated */
    bool is_heading[CANVAS_ROWS_MAX];
};

/* Blank, and no larger than it may be. */
void canvas_reset(struct canvas *canvas, unsigned rows, unsigned columns);

/* Text at a place, at most width bytes of it; what is not printable as "?". What is longer lacks
 * its middle, so that both ends can be told. What lies outside is not drawn. */
void canvas_put(struct canvas *canvas, unsigned row, unsigned column, unsigned width,
                const char *text);

/* The lists, below a title of one line: two by two, or one below the other where it is narrow. Of
 * each list as many entries as there is room for, at most most (0: any number). */
void canvas_draw(struct canvas *canvas, const char *title, const struct ranking *ranking,
                 size_t most);

/* How many entries a list may have at all on a screen of that size. */
unsigned canvas_room(unsigned rows, unsigned columns);

#endif
