/*
 * check_commands: the table, and the help that is made of it.
 */
#include <check.h>
#include <string.h>

#include "cli/commands.h"
#include "command.h"

START_TEST(test_table)
{
    for (size_t i = 0; i < n_commands; i++) {
        ck_assert_ptr_eq(commands_find(commands[i].name), &commands[i]);
        ck_assert_ptr_nonnull(commands[i].run);
        ck_assert_uint_le(commands[i].least, commands[i].most);
        ck_assert_int_eq(commands[i].most == 0, commands[i].usage[0] == '\0');
    }
    ck_assert_ptr_null(commands_find("incr"));
    ck_assert_ptr_null(commands_find(""));
}
END_TEST

START_TEST(test_help)
{
    static const char *const all[] = {"help", NULL}, *const one[] = {"help", "status", NULL},
                             *const none[] = {"help", "nothing", NULL};
    struct said said;

    command_run(all, &said);
    ck_assert_int_eq(said.status, EXIT_FINE);
    for (size_t i = 0; i < n_commands; i++)
        ck_assert_ptr_nonnull(strstr(said.out, commands[i].help));
    for (const char *line = said.out; *line != '\0'; line += strcspn(line, "\n") + 1)
        ck_assert_uint_le(strcspn(line, "\n"), 100);
    command_run(one, &said);
    ck_assert_str_eq(said.out,
                     "usage: pystatsd status [FLAG]...\nhow the daemon is\n\n"
                     "      --socket PATH       the daemon's ADMIN_SOCKET\n"
                     "      --json              for programs: plain numbers\n"
                     "      --check             for monitoring: one line; exit 0, 1, 2 or 3\n"
                     "  -h, --help              print the help of a command, or all\n"
                     "      --version           print the version\n");
    command_run(none, &said);
    ck_assert_int_eq(said.status, EXIT_USAGE);
    ck_assert_str_eq(said.out, "");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("commands");
    TCase *tcase = tcase_create("commands");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_table);
    tcase_add_test(tcase, test_help);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
