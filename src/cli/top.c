/*
 * top: owns the terminal while it runs, and the rhythm. What is drawn where, canvas knows.
 */
#include "cli/top.h"

#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/canvas.h"
#include "cli/commands.h"
#include "cli/human.h"
#include "cli/options.h"
#include "cli/say.h"
#include "cli/statusview.h"
#include "cli/terminal.h"

#define REFRESH_MS   2000
#define WITHIN_MS    2000 /* the daemon has to answer, so that keys are heard */
#define ROWS_DEFAULT 20   /* where there is no screen to fill */
#define ROWS_ASKED   100  /* the daemon knows no more */
#define QUIT_HINT    "; q quits"
#define TITLE_MAX    (STATUSVIEW_TITLE_MAX + 4 * HUMAN_MAX)

static int
on_entry(void *context, const char *line, size_t len)
{
    (void)len;
    ranking_add(context, line);
    return 0;
}

static enum admin_result
ask_ranking(const struct options *options, unsigned rows, struct ranking *out,
            char error[ADMIN_ERROR_MAX])
{
    char argument[16];
    struct admin_question question = {
        .command = "top",
        .argument = argument,
        .silence_ms = WITHIN_MS,
        .deadline_ms = WITHIN_MS,
        .on_line = on_entry,
        .context = out,
    };

    snprintf(argument, sizeof(argument), "%u", rows < ROWS_ASKED ? rows : ROWS_ASKED);
    return ask(options, &question, error);
}

static void
write_title(const struct facts *facts, char out[TITLE_MAX])
{
    char title[STATUSVIEW_TITLE_MAX], in[HUMAN_MAX], bytes[HUMAN_MAX];

    statusview_title(facts, title);
    if (facts_text(facts, "lines_per_s") == NULL) { /* before the first flush */
        snprintf(out, TITLE_MAX - sizeof(QUIT_HINT), "%s", title);
        return;
    }
    human_count(facts_number(facts, "lines_per_s"), in);
    human_size(facts_number(facts, "bytes_per_s"), bytes);
    snprintf(out, TITLE_MAX - sizeof(QUIT_HINT), "%s; in: %s lines/s, %s/s", title, in, bytes);
}

/* Both answers, or in error what is wrong. */
static enum admin_result
fetch(const struct options *options, unsigned rows, struct ranking *ranking, char title[TITLE_MAX],
      char error[ADMIN_ERROR_MAX])
{
    struct facts facts = {0};
    enum admin_result result = ask_status(options, &facts, error);

    if (result == ADMIN_OK)
        result = ask_ranking(options, rows, ranking, error);
    if (result == ADMIN_OK)
        write_title(&facts, title);
    facts_release(&facts);
    return result;
}

static void
print_plain(const struct ranking *ranking, const char *title, unsigned rows)
{
    say_safely(stdout, title, strlen(title));
    putchar('\n');
    for (unsigned kind = 0; kind < RANKING_KINDS; kind++) {
        const struct ranking_list *list = &ranking->lists[kind];

        printf("\n%8s %s\n", ranking_unit(kind), ranking_title(kind));
        for (size_t i = 0; i < list->n_entries && i < rows; i++) {
            char number[HUMAN_MAX];

            ranking_format(kind, list->entries[i].number, number);
            printf("%8s ", number);
            say_safely(stdout, list->entries[i].text, strlen(list->entries[i].text));
            putchar('\n');
        }
    }
}

static int
show_once(const struct options *options)
{
    unsigned rows = options->rows != 0 ? options->rows : ROWS_DEFAULT;
    char title[TITLE_MAX], error[ADMIN_ERROR_MAX];
    struct ranking ranking = {0};
    enum admin_result result = fetch(options, rows, &ranking, title, error);

    if (result == ADMIN_OK)
        print_plain(&ranking, title, rows);
    ranking_release(&ranking);
    if (result == ADMIN_OK && fflush(stdout) == 0)
        return EXIT_FINE;
    say_error("%s", result != ADMIN_OK ? error : "standard output cannot be written");
    return EXIT_TROUBLE;
}

static void
show(const struct canvas *canvas)
{
    erase();
    for (unsigned row = 0; row < canvas->rows; row++) {
        attrset(canvas->is_heading[row] ? A_BOLD : A_NORMAL);
        mvaddnstr((int)row, 0, canvas->text[row], (int)canvas->columns);
    }
    attrset(A_NORMAL);
    move(0, 0);
    refresh();
}

/* The screen's last corner stays free: a character there would scroll it. */
static void
draw(const struct options *options, struct canvas *canvas)
{
    unsigned rows = (unsigned)LINES, columns = (unsigned)COLS;
    char title[TITLE_MAX], error[ADMIN_ERROR_MAX];
    struct ranking ranking = {0};
    unsigned room = canvas_room(rows, columns);

    if (options->rows != 0 && options->rows < room)
        room = options->rows;
    canvas_reset(canvas, rows, columns > 1 ? columns - 1 : columns);
    if (fetch(options, room, &ranking, title, error) == ADMIN_OK) {
        strcat(title, QUIT_HINT);
        canvas_draw(canvas, title, &ranking, options->rows);
    } else {
        canvas_put(canvas, 0, 0, columns, error);
    }
    ranking_release(&ranking);
    show(canvas);
}

/* Of a terminal that has been hung up nothing comes any more, at once. Who ignores SIGHUP is still
 * there then. */
static bool
is_gone(void)
{
    struct pollfd slot = {.fd = STDIN_FILENO, .events = POLLIN};

    return poll(&slot, 1, 0) > 0 && (slot.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

/* Curses restores the terminal on SIGTERM and on SIGINT, and knows nothing of SIGQUIT. */
static void
on_quit(int number)
{
    (void)number;
    (void)raise(SIGTERM);
}

static void
catch_quit(void)
{
    struct sigaction action;

    if (sigaction(SIGQUIT, NULL, &action) != 0 || action.sa_handler != SIG_DFL)
        return; /* whoever started us has it ignored */
    action = (struct sigaction){.sa_handler = on_quit};
    (void)sigaction(SIGQUIT, &action, NULL);
}

/* Until a key ends it; another one, or a new size, draws at once. Returns the exit status. */
static int
run_screen(const struct options *options, struct canvas *canvas)
{
    int key;

    catch_quit();
    cbreak();
    noecho();
    curs_set(0);
    timeout(REFRESH_MS);
    do {
        draw(options, canvas);
        key = getch();
        if (key == ERR && is_gone())
            return EXIT_TROUBLE;
    } while (key != 'q' && key != 'Q');
    return EXIT_FINE;
}

/* A daemon that is not there at the start is an error; later it may come back. */
static int
show_live(const struct options *options)
{
    struct canvas *canvas = malloc(sizeof(*canvas));
    struct facts facts = {0};
    char error[ADMIN_ERROR_MAX];
    enum admin_result result = ask_status(options, &facts, error);
    SCREEN *screen = NULL;
    int status = EXIT_FINE;

    facts_release(&facts);
    if (result == ADMIN_OK && canvas != NULL && terminal_can_draw(getenv("TERM")))
        screen = newterm(NULL, stdout, stdin);
    if (screen != NULL) {
        status = run_screen(options, canvas);
        endwin();
        delscreen(screen);
    }
    free(canvas);
    if (screen != NULL)
        return status;
    if (result == ADMIN_OK)
        return show_once(options); /* of a terminal that nothing is known of */
    say_error("%s", error);
    return EXIT_TROUBLE;
}

int
top_command(const struct options *options)
{
    if (options->is_once || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
        return show_once(options);
    return show_live(options);
}
