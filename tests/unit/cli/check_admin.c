/*
 * check_admin: the protocol: answers, refusals, silence, and what is no daemon.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "cli/admin.h"
#include "command.h"

struct lines {
    size_t n, most;
    char text[1024];
};

static int
on_line(void *context, const char *line, size_t len)
{
    struct lines *lines = context;

    ck_assert_uint_eq(strlen(line), len);
    if (len < 64) {
        strcat(lines->text, line);
        strcat(lines->text, "/");
    }
    return ++lines->n == lines->most;
}

static enum admin_result
ask_of(const char *answer, struct lines *lines, char error[ADMIN_ERROR_MAX])
{
    const char *answers[] = {answer, NULL};
    struct daemon daemon;
    char asked[4096];
    struct admin_question question = {.command = "do",
                                      .argument = "it",
                                      .silence_ms = 10000,
                                      .deadline_ms = 10000,
                                      .on_line = on_line,
                                      .context = lines};
    enum admin_result result;

    daemon_start(&daemon, answers);
    question.path = daemon.path;
    result = admin_ask(&question, error);
    daemon_end(&daemon, asked);
    ck_assert_str_eq(asked, "do it\n");
    return result;
}

START_TEST(test_answers)
{
    static const struct {
        const char *answer, *lines, *error;
        enum admin_result result;
    } rows[] = {
        {"ok\n", "", NULL, ADMIN_OK},
        {"ok\none\n\nthree\n", "one//three/", NULL, ADMIN_OK},
        {"error no such metric\n", "", "no such metric", ADMIN_REFUSED},
        {"HTTP/1.1 400 Bad Request\n\n", "", "is no pystatsd", ADMIN_TROUBLE},
        {"okay\n", "", "is no pystatsd", ADMIN_TROUBLE},
        {"ok", "", "is no pystatsd", ADMIN_TROUBLE},
        {"ok\none\ntw", "one/", "is no pystatsd", ADMIN_TROUBLE},
        {"", "", "hung up", ADMIN_SLOW},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lines lines = {0};
        char error[ADMIN_ERROR_MAX] = "";

        ck_assert_int_eq(ask_of(rows[i].answer, &lines, error), rows[i].result);
        ck_assert_str_eq(lines.text, rows[i].lines);
        if (rows[i].error != NULL)
            ck_assert_msg(strstr(error, rows[i].error) != NULL, "row %zu: %s", i, error);
    }
}
END_TEST

START_TEST(test_enough)
{
    struct lines lines = {.most = 2};
    char error[ADMIN_ERROR_MAX];

    ck_assert_int_eq(ask_of("ok\n1\n2\n3\n", &lines, error), ADMIN_OK);
    ck_assert_str_eq(lines.text, "1/2/");
}
END_TEST

START_TEST(test_long_lines)
{
    static char answer[ADMIN_LINE_MAX + 16];
    struct lines lines = {0};
    char error[ADMIN_ERROR_MAX];

    memset(answer, 'x', sizeof(answer) - 1);
    memcpy(answer, "ok\n", 3);
    answer[ADMIN_LINE_MAX] = '\n';
    answer[ADMIN_LINE_MAX + 1] = '\0';
    ck_assert_int_eq(ask_of(answer, &lines, error), ADMIN_OK);
    ck_assert_uint_eq(lines.n, 1);
    memset(answer + ADMIN_LINE_MAX, 'x', 14);
    ck_assert_int_eq(ask_of(answer, &lines, error), ADMIN_TROUBLE);
}
END_TEST

START_TEST(test_silence)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct admin_question question = {.command = "do", .silence_ms = 20, .deadline_ms = -1};
    char folder[] = "/tmp/pystatsd-check-XXXXXX", path[64], error[ADMIN_ERROR_MAX];
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/admin", folder);
    question.path = path;
    ck_assert_int_eq(admin_ask(&question, error), ADMIN_ABSENT); /* ENOENT */
    strcpy(address.sun_path, path);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(admin_ask(&question, error), ADMIN_ABSENT); /* ECONNREFUSED */
    ck_assert_int_eq(listen(listener, 0), 0);
    ck_assert_int_eq(admin_ask(&question, error), ADMIN_SLOW); /* nobody accepts */
    question.silence_ms = -1;
    question.deadline_ms = 20;
    ck_assert_int_eq(admin_ask(&question, error), ADMIN_SLOW); /* the backlog may be full now */
    ck_assert_int_eq(admin_ask(&question, error), ADMIN_SLOW);
    ck_assert_ptr_nonnull(strstr(error, path));
    close(listener);
    unlink(path);
    rmdir(folder);
}
END_TEST

START_TEST(test_requests)
{
    char out[16];

    ck_assert_int_eq(admin_request("list", NULL, sizeof(out), out), 5);
    ck_assert_str_eq(out, "list\n");
    ck_assert_int_eq(admin_request("explain", "", sizeof(out), out), 9);
    ck_assert_str_eq(out, "explain \n");
    ck_assert_int_eq(admin_request("explain", " a\r", sizeof(out), out), 12);
    ck_assert_str_eq(out, "explain  a\r\n");
    ck_assert_int_eq(admin_request("get", "a b", sizeof(out), out), 8);
    ck_assert_str_eq(out, "get a b\n");
    ck_assert_int_eq(admin_request("get", "a\nflush", sizeof(out), out), -1);
    ck_assert_int_eq(admin_request("get", "0123456789", sizeof(out), out), 15);
    ck_assert_int_eq(admin_request("get", "0123456789a", sizeof(out), out), -1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("admin");
    TCase *tcase = tcase_create("admin");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_answers);
    tcase_add_test(tcase, test_enough);
    tcase_add_test(tcase, test_long_lines);
    tcase_add_test(tcase, test_silence);
    tcase_add_test(tcase, test_requests);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
