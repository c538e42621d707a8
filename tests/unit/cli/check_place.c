/*
 * check_place: where the admin socket is looked for, and how the settings are read.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/place.h"

static void
find_in(const char *settings, char out[PLACE_MAX])
{
    char path[] = "/tmp/pystatsd-check-XXXXXX";
    int fd = mkstemp(path);

    ck_assert_int_eq(write(fd, settings, strlen(settings)), (ssize_t)strlen(settings));
    close(fd);
    ck_assert_int_eq(place_find(NULL, path, out), 0);
    unlink(path);
}

START_TEST(test_settings)
{
    static const struct {
        const char *text, *path;
    } rows[] = {
        {"", "/run/pystatsd/admin.sock"},
        {"ADMIN_SOCKET=\"\"\n", "/run/pystatsd/admin.sock"},
        {"#ADMIN_SOCKET=/no\n", "/run/pystatsd/admin.sock"},
        {"ADMIN_SOCKET_MODE=0660\n", "/run/pystatsd/admin.sock"},
        {"PCT=90\nADMIN_SOCKET=/a/b\n", "/a/b"},
        {"ADMIN_SOCKET=\"/a b\" # that\n", "/a b"},
        {"ADMIN_SOCKET = '/a#b'", "/a#b"},
        {"  export ADMIN_SOCKET=/x\r\n", "/x"},
        {"ADMIN_SOCKET=/x # y\n", "/x"},
        {"ADMIN_SOCKET=/one\nADMIN_SOCKET=/two\nADMIN_SOCKET_MODE=0600\n", "/two"},
    };

    unsetenv("PYSTATSD_ADMIN_SOCKET");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char path[PLACE_MAX];

        find_in(rows[i].text, path);
        ck_assert_msg(strcmp(path, rows[i].path) == 0, "row %zu: %s", i, path);
    }
}
END_TEST

START_TEST(test_order)
{
    char path[PLACE_MAX], large[2 * PLACE_MAX];

    setenv("PYSTATSD_ADMIN_SOCKET", "/environment", 1);
    find_in("ADMIN_SOCKET=/file\n", path);
    ck_assert_str_eq(path, "/environment");
    ck_assert_int_eq(place_find("/flag", "/nowhere", path), 0);
    ck_assert_str_eq(path, "/flag");
    setenv("PYSTATSD_ADMIN_SOCKET", "", 1);
    find_in("ADMIN_SOCKET=/file\n", path);
    ck_assert_str_eq(path, "/file");
    ck_assert_int_eq(place_find(NULL, "/nowhere", path), 0);
    ck_assert_str_eq(path, "/run/pystatsd/admin.sock");
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    ck_assert_int_eq(place_find(large, "/nowhere", path), -1);
    large[PLACE_MAX] = '\0';
    ck_assert_int_eq(place_find(large, "/nowhere", path), -1);
    large[PLACE_MAX - 1] = '\0';
    ck_assert_int_eq(place_find(large, "/nowhere", path), 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("place");
    TCase *tcase = tcase_create("place");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_settings);
    tcase_add_test(tcase, test_order);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
