/*
 * check_options: the command line: flags anywhere, negative numbers, and what belongs to a wrapped
 * command.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "command.h"

static int
read_words(const char *const words[], struct options *out, char *argv[COMMAND_WORDS_MAX + 2])
{
    int argc = 1;

    argv[0] = strdup("pystatsd");
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = strdup(words[argc - 1]);
    argv[argc] = NULL;
    return options_read(argc, argv, out);
}

static void
release(struct options *options, char *const argv[])
{
    options_release(options);
    for (; *argv != NULL; argv++)
        free(*argv);
}

START_TEST(test_good)
{
    static const struct {
        const char *words[COMMAND_WORDS_MAX], *command, *operands[4];
    } rows[] = {
        {{"increment", "a"}, "increment", {"a"}},
        {{"increment", "a", "-5"}, "increment", {"a", "-5"}},
        {{"gauge", "-.5", "--delta", "-5"}, "gauge", {"-.5", "-5"}},
        {{"--port", "1", "increment", "a", "--host", "h"}, "increment", {"a"}},
        {{"increment", "--port=8126", "a", "7"}, "increment", {"a", "7"}},
        {{"time", "a", "ls", "-l", "--host"}, "time", {"a", "ls", "-l", "--host"}},
        {{"time", "--port", "1", "a", "--", "ls"}, "time", {"a", "ls"}},
        {{"time", "a", "--port", "1", "ls"}, "time", {"a", "--port", "1", "ls"}},
        {{"set", "--", "--a", "--b"}, "set", {"--a", "--b"}},
        {{"list"}, "list", {NULL}},
        {{"top", "-n5", "--once"}, "top", {NULL}},
        {{"delete", "-y", "x.*"}, "delete", {"x.*"}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *argv[COMMAND_WORDS_MAX + 2];
        struct options options;

        ck_assert_msg(read_words(rows[i].words, &options, argv) == 0, "row %zu", i);
        ck_assert_str_eq(options.command->name, rows[i].command);
        for (size_t j = 0; j < 4 && rows[i].operands[j] != NULL; j++)
            ck_assert_pstr_eq(options.operands[j], rows[i].operands[j]);
        ck_assert_ptr_null(options.operands[options.n_operands]);
        release(&options, argv);
    }
}
END_TEST

START_TEST(test_values)
{
    static const char *const words[] = {"gauge",  "a",   "1",        "--host", "h",
                                        "--port", "9",   "--prefix", "p",      "--sample-rate=0.25",
                                        "--tag",  "x:1", "--tag=y",  NULL};
    char *argv[COMMAND_WORDS_MAX + 2];
    struct options options;

    ck_assert_int_eq(read_words(words, &options, argv), 0);
    ck_assert_str_eq(options.client.host, "h");
    ck_assert_uint_eq(options.client.port, 9);
    ck_assert_str_eq(options.client.prefix, "p");
    ck_assert_str_eq(options.client.tags, "x:1,y");
    ck_assert(options.sample_rate == 0.25);
    release(&options, argv);
}
END_TEST

START_TEST(test_bad)
{
    static const struct {
        const char *words[COMMAND_WORDS_MAX], *error;
    } rows[] = {
        {{NULL}, "say what to do"},
        {{"frobnicate"}, "no command 'frobnicate'"},
        {{"increment"}, "usage: pystatsd increment NAME [N]"},
        {{"increment", "a", "1", "2"}, "usage: "},
        {{"send", "a"}, "usage: pystatsd send\n"},
        {{"time", "a"}, "usage: "},
        {{"list", "--json"}, "--json is not for 'list'"},
        {{"status", "--host", "x"}, "--host is not for 'status'"},
        {{"increment", "a", "--delta"}, "--delta is not for 'increment'"},
        {{"increment", "a", "--port", "0"}, "1 to 65535, got '0'"},
        {{"increment", "a", "--port", "65536"}, "1 to 65535"},
        {{"increment", "a", "--port", "1.5"}, "whole number"},
        {{"increment", "a", "--sample-rate", "0"}, "above 0"},
        {{"increment", "a", "--sample-rate", "1.5"}, "at most 1"},
        {{"increment", "a", "--sample-rate", "nan"}, "got 'nan'"},
        {{"increment", "a", "--host", ""}, "--host: must not be empty"},
        {{"top", "-n", "0"}, "1 to 1000"},
        {{"frob\033nicate"}, "'frob\\x1bnicate'"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct said said;

        command_run(rows[i].words, &said);
        ck_assert_int_eq(said.status, EXIT_USAGE);
        ck_assert_msg(strstr(said.err, rows[i].error) != NULL, "row %zu: %s", i, said.err);
        ck_assert_ptr_eq(strchr(said.err, '\n'), said.err + strlen(said.err) - 1);
    }
}
END_TEST

START_TEST(test_numbers)
{
    double value = 0;

    ck_assert_int_eq(options_number("-1.5e3", &value), 0);
    ck_assert(value == -1500);
    ck_assert_int_eq(options_number("+7", &value), 0);
    ck_assert_int_eq(options_number("", &value), -1);
    ck_assert_int_eq(options_number(" 1", &value), -1);
    ck_assert_int_eq(options_number("0x10", &value), -1);
    ck_assert_int_eq(options_number("1e999", &value), -1);
    ck_assert_int_eq(options_number("inf", &value), -1);
    ck_assert_int_eq(options_number("1x", &value), -1);
    ck_assert(value == 7);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("options");
    TCase *tcase = tcase_create("options");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_good);
    tcase_add_test(tcase, test_values);
    tcase_add_test(tcase, test_bad);
    tcase_add_test(tcase, test_numbers);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
