/*
 * check_canvas: the layout of `top`: nothing overlaps, nothing leaves the screen.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "cli/canvas.h"

static struct canvas canvas;

static void
fill(struct ranking *ranking, size_t n)
{
    static const char *const kinds[] = {"name", "prefix", "new", "sender"};

    for (size_t kind = 0; kind < 4; kind++) {
        for (size_t i = 0; i < n; i++) {
            char line[512];

            snprintf(line, sizeof(line), "%s %zu %s%zu.%0*d.end", kinds[kind], 100 + i, kinds[kind],
                     i, (int)(i * 7 % 300) + 1, 0);
            ck_assert_int_eq(ranking_add(ranking, line), 0);
        }
    }
}

START_TEST(test_put)
{
    static const struct {
        unsigned row, column, width;
        const char *text, *rows[2];
    } rows[] = {
        {0, 0, 5, "abc", {"abc         ", "            "}},
        {1, 8, 9, "abcdefgh", {"            ", "        abcd"}},
        {0, 2, 8, "abcdefghijk", {"  abc..ijk  ", "            "}},
        {0, 0, 4, "abcdefghijk", {"abcd        ", "            "}},
        {0, 0, 9, "a\033[3\xff", {"a?[3?       ", "            "}},
        {2, 0, 9, "below", {"            ", "            "}},
        {0, 12, 9, "beside", {"            ", "            "}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        canvas_reset(&canvas, 2, 12);
        canvas_put(&canvas, rows[i].row, rows[i].column, rows[i].width, rows[i].text);
        ck_assert_str_eq(canvas.text[0], rows[i].rows[0]);
        ck_assert_str_eq(canvas.text[1], rows[i].rows[1]);
    }
}
END_TEST

START_TEST(test_small)
{
    static const char *const rows[] = {
        "title                                                       ",
        "                                                            ",
        "a second BUSIEST NAMES                a second BUSIE..EFIXES",
        "     100 name0.0.end                       100 prefix0.0.end",
        "     101 name1.00000000.end                101 prefi..00.end",
        "                                                            ",
        "     age NEWEST NAMES                 a second BUSIE..ENDERS",
        "  1m 40s new0.0.end                        100 sender0.0.end",
        "  1m 41s new1.00000000.end                 101 sende..00.end",
    };
    struct ranking ranking = {0};

    fill(&ranking, 5);
    canvas_reset(&canvas, 9, 60);
    canvas_draw(&canvas, "title", &ranking, 0);
    for (size_t i = 0; i < 9; i++)
        ck_assert_str_eq(canvas.text[i], rows[i]);
    ck_assert(canvas.is_heading[0] && canvas.is_heading[2] && canvas.is_heading[6]);
    ck_assert(!canvas.is_heading[1] && !canvas.is_heading[3]);
    ck_assert_uint_eq(canvas_room(9, 60), 2);
    ranking_release(&ranking);
}
END_TEST

START_TEST(test_most)
{
    struct ranking ranking = {0};

    fill(&ranking, 5);
    canvas_reset(&canvas, 24, 80);
    canvas_draw(&canvas, "title", &ranking, 1);
    ck_assert_ptr_nonnull(strstr(canvas.text[3], "name0"));
    ck_assert_ptr_null(strstr(canvas.text[4], "name1"));
    ranking_release(&ranking);
}
END_TEST

START_TEST(test_any_size)
{
    struct ranking ranking = {0};

    fill(&ranking, 300);
    for (unsigned rows = 0; rows < 230; rows += rows < 30 ? 1 : 50) {
        for (unsigned columns = 0; columns < 600; columns += columns < 90 ? 1 : 100) {
            canvas_reset(&canvas, rows, columns);
            canvas_draw(&canvas, "a title that is rather long", &ranking, 0);
            for (unsigned row = 0; row < canvas.rows; row++)
                ck_assert_uint_eq(strlen(canvas.text[row]), canvas.columns);
        }
    }
    canvas_reset(&canvas, 1000, 1000);
    ck_assert_uint_eq(canvas.rows, CANVAS_ROWS_MAX);
    ck_assert_uint_eq(canvas.columns, CANVAS_COLUMNS_MAX);
    ranking_release(&ranking);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("canvas");
    TCase *tcase = tcase_create("canvas");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_put);
    tcase_add_test(tcase, test_small);
    tcase_add_test(tcase, test_most);
    tcase_add_test(tcase, test_any_size);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
