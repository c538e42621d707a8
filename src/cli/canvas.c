/*
 * canvas: owns the layout of `top`. Pure; what a terminal makes of it is another's.
 */
#include "cli/canvas.h"

#include <string.h>

#include "cli/human.h"

#define NARROW       60 /* columns: less is one list below the other */
#define TOP_ROWS     2  /* the title and a blank */
#define NUMBER_WIDTH 8
#define LEFT_PERCENT 60
#define GAP          2 /* columns between two lists */
#define DOTS         ".."

void
canvas_reset(struct canvas *canvas, unsigned rows, unsigned columns)
{
    canvas->rows = rows < CANVAS_ROWS_MAX ? rows : CANVAS_ROWS_MAX;
    canvas->columns = columns < CANVAS_COLUMNS_MAX ? columns : CANVAS_COLUMNS_MAX;
    for (unsigned row = 0; row < canvas->rows; row++) {
        memset(canvas->text[row], ' ', canvas->columns);
        canvas->text[row][canvas->columns] = '\0';
        canvas->is_heading[row] = false;
    }
}

static char
printable(char byte)
{
    return byte >= ' ' && byte <= '~' ? byte : '?';
}

void
canvas_put(struct canvas *canvas, unsigned row, unsigned column, unsigned width, const char *text)
{
    size_t len = strlen(text), dots = strlen(DOTS), head;
    char *at;

    if (row >= canvas->rows || column >= canvas->columns)
        return;
    if (width > canvas->columns - column)
        width = canvas->columns - column;
    at = canvas->text[row] + column;
    head = len <= width || width <= 2 * dots ? width : (width - dots) / 2;
    for (size_t i = 0; i < head && i < len; i++)
        at[i] = printable(text[i]);
    if (len <= width || head == width)
        return;
    memcpy(at + head, DOTS, dots);
    for (size_t i = head + dots; i < width; i++)
        at[i] = printable(text[len - width + i]);
}

static void
put_right(struct canvas *canvas, unsigned row, unsigned column, unsigned width, const char *text)
{
    unsigned len = (unsigned)strlen(text);

    canvas_put(canvas, row, column + (len < width ? width - len : 0), width, text);
}

static void
draw_list(struct canvas *canvas, const struct ranking *ranking, enum ranking_kind kind,
          unsigned row, unsigned column, unsigned rows, unsigned columns, size_t most)
{
    const struct ranking_list *list = &ranking->lists[kind];
    unsigned text_column = column + NUMBER_WIDTH + 1;
    unsigned text_width = columns > NUMBER_WIDTH + 1 ? columns - NUMBER_WIDTH - 1 : 0;

    if (rows == 0 || row >= canvas->rows)
        return;
    put_right(canvas, row, column, NUMBER_WIDTH, ranking_unit(kind));
    canvas_put(canvas, row, text_column, text_width, ranking_title(kind));
    canvas->is_heading[row] = true;
    for (unsigned i = 0; i < list->n_entries && i + 1 < rows && (most == 0 || i < most); i++) {
        char number[HUMAN_MAX];

        ranking_format(kind, list->entries[i].number, number);
        put_right(canvas, row + 1 + i, column, NUMBER_WIDTH, number);
        canvas_put(canvas, row + 1 + i, text_column, text_width, list->entries[i].text);
    }
}

/* How many lists stand below each other. */
static unsigned
stack_of(unsigned columns)
{
    return columns < NARROW ? RANKING_KINDS : RANKING_KINDS / 2;
}

/* Rows from the start of a list to the start of the one below it, with a blank one. */
static unsigned
pitch_of(unsigned rows, unsigned columns)
{
    return rows > TOP_ROWS ? (rows - TOP_ROWS + 1) / stack_of(columns) : 0;
}

unsigned
canvas_room(unsigned rows, unsigned columns)
{
    unsigned pitch = pitch_of(rows, columns);

    return pitch > 2 ? pitch - 2 : 1;
}

void
canvas_draw(struct canvas *canvas, const char *title, const struct ranking *ranking, size_t most)
{
    unsigned stack = stack_of(canvas->columns), pitch = pitch_of(canvas->rows, canvas->columns);
    unsigned abreast = RANKING_KINDS / stack, columns = canvas->columns;
    unsigned left = abreast == 1 ? columns : columns * LEFT_PERCENT / 100;

    canvas_put(canvas, 0, 0, columns, title);
    if (canvas->rows > 0)
        canvas->is_heading[0] = true;
    for (unsigned i = 0; i < RANKING_KINDS; i++) {
        bool is_left = i % abreast == 0;

        draw_list(canvas, ranking, (enum ranking_kind)i, TOP_ROWS + i / abreast * pitch,
                  is_left ? 0 : left + GAP, pitch > 0 ? pitch - 1 : 0,
                  is_left ? left : columns - left - GAP, most);
    }
}
