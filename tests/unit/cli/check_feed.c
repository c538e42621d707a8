/*
 * check_feed: standard input as samples: packed, in order, and what is none left out.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "cli/feed.h"
#include "command.h"

/* Runs send, with such flags and such a standard input; returns a socket of what was sent. */
static int
feed_with(const char *const flags[], const char *text, size_t len, struct said *said)
{
    char port[8];
    const char *words[16] = {"send", "--host", "127.0.0.1", "--port", port};
    int input = memfd_create("in", 0), saved, fd = command_receiver(port);

    for (size_t i = 0; flags[i] != NULL; i++)
        words[5 + i] = flags[i];
    ck_assert_int_eq(write(input, text, len), (ssize_t)len);
    lseek(input, 0, SEEK_SET);
    saved = command_divert(STDIN_FILENO, input);
    command_run(words, said);
    dup2(saved, STDIN_FILENO);
    close(saved);
    close(input);
    return fd;
}

static int
feed(const char *text, size_t len, struct said *said)
{
    return feed_with((const char *const[]){NULL}, text, len, said);
}

START_TEST(test_packs)
{
    char text[64 * 1024], bytes[2048], *at = text;
    size_t n = 0, expected = 0;
    struct said said;
    int fd;

    for (unsigned i = 0; i < 3000; i++)
        at += sprintf(at, "name%u:%u|c\n", i % 7, i);
    fd = feed(text, (size_t)(at - text), &said);
    ck_assert_str_eq(said.err, "");
    ck_assert_int_eq(said.status, EXIT_FINE);
    for (command_receive(fd, bytes); *bytes != '\0'; command_receive(fd, bytes)) {
        ck_assert_uint_le(strlen(bytes), 1432);
        for (char *line = strtok(bytes, "\n"); line != NULL; line = strtok(NULL, "\n")) {
            char wanted[32];

            snprintf(wanted, sizeof(wanted), "name%zu:%zu|c", expected % 7, expected);
            ck_assert_str_eq(line, wanted);
            expected++;
        }
        n++;
    }
    ck_assert_uint_eq(expected, 3000);
    ck_assert_uint_lt(n, 3000 / 60);
    close(fd);
}
END_TEST

START_TEST(test_bad_lines)
{
    static const char text[] = "a:1|c\r\n\nnonsense\nb:2|g|@0.5\nc:\0|c\nd:4|s|#t:1\nlast:5|ms";
    char bytes[2048];
    struct said said;
    int fd = feed(text, sizeof(text) - 1, &said);

    ck_assert_int_eq(said.status, EXIT_TROUBLE);
    ck_assert_str_eq(said.err, "pystatsd: 2 of 7 lines are no samples and were left out, "
                               "the first is line 3\n");
    command_receive(fd, bytes);
    ck_assert_ptr_nonnull(strstr(bytes, "a:1|c\n"));
    ck_assert_ptr_nonnull(strstr(bytes, "d:4|s|#t:1\nlast:5|ms"));
    close(fd);
}
END_TEST

/* A line's rate says what was left out before: nothing more is, and it is not said twice. */
START_TEST(test_rates_of_lines)
{
    char text[4000] = "", bytes[2048];
    struct said said;
    int fd;

    for (unsigned i = 0; i < 100; i++)
        strcat(text, "x:1|c|@0.010\n");
    fd = feed(text, strlen(text), &said);
    ck_assert_int_eq(said.status, EXIT_FINE);
    command_receive(fd, bytes);
    ck_assert_mem_eq(bytes, text, strlen(text) - 1);
    ck_assert_uint_eq(strlen(bytes), strlen(text) - 1);
    close(fd);
}
END_TEST

/* What --sample-rate leaves is a share of a share. */
START_TEST(test_rates_of_both)
{
    static const char *const flags[] = {"--sample-rate", "0.5", NULL};
    char *text = calloc(1, 60000), bytes[2048];
    struct said said;
    size_t n = 0;
    int fd;

    for (unsigned i = 0; i < 3000; i++)
        memcpy(text + i * 15, "x:1|c|@0.1|T1\n\n", 15);
    fd = feed_with(flags, text, strlen(text), &said);
    ck_assert_int_eq(said.status, EXIT_FINE);
    for (command_receive(fd, bytes); *bytes != '\0'; command_receive(fd, bytes)) {
        for (char *line = strtok(bytes, "\n"); line != NULL; line = strtok(NULL, "\n"), n++)
            ck_assert_str_eq(line, "x:1|c|T1|@0.05");
    }
    ck_assert(n > 1300 && n < 1700); /* more than seven standard deviations */
    close(fd);
    free(text);
}
END_TEST

static const struct {
    const char *tag, *line, *sent;
} passed[] = {
    {NULL, "a:1|c|#x|T1", "a:1|c|#x|T1"},
    {NULL, "a:1|g|foo", "a:1|g|foo"},
    {NULL, "a: 1|c \t", "a:1|c"},
    {NULL, "a:b:c|s", "a:b_c|s"},
    {"k:v", "a:1|c|#x|T1", "a:1|c|T1|#k:v,x"},
    {"k:v", "a:1|c|@0.010", "a:1|c|@0.01|#k:v"},
};

START_TEST(test_what_servers_know)
{
    const char *flags[] = {passed[_i].tag != NULL ? "--tag" : NULL, passed[_i].tag, NULL};
    char bytes[2048];
    struct said said;
    int fd = feed_with(flags, passed[_i].line, strlen(passed[_i].line), &said);

    ck_assert_str_eq(said.err, "");
    command_receive(fd, bytes);
    ck_assert_str_eq(bytes, passed[_i].sent);
    close(fd);
}
END_TEST

START_TEST(test_two_samples_in_a_line)
{
    struct said said;
    char bytes[2048];
    int fd = feed("a:1:2|c\n \n", 10, &said);

    ck_assert_int_eq(said.status, EXIT_TROUBLE);
    ck_assert_ptr_nonnull(strstr(said.err, "2 of 2 lines are no samples"));
    command_receive(fd, bytes);
    ck_assert_str_eq(bytes, "");
    close(fd);
}
END_TEST

START_TEST(test_endless_line)
{
    static char text[200 * 1024];
    char bytes[2048];
    struct said said;
    int fd;

    memset(text, 'x', sizeof(text));
    memcpy(text, "a:1|c\n", 6);
    memcpy(text + 100000, "\nb:2|c\n", 7);
    fd = feed(text, sizeof(text), &said);
    ck_assert_str_eq(said.err, "pystatsd: 2 of 4 lines are no samples and were left out, "
                               "the first is line 2\n");
    command_receive(fd, bytes);
    ck_assert_ptr_eq(strstr(bytes, "a:1|c"), bytes);
    close(fd);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("feed");
    TCase *tcase = tcase_create("feed");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_packs);
    tcase_add_test(tcase, test_bad_lines);
    tcase_add_test(tcase, test_rates_of_lines);
    tcase_add_test(tcase, test_rates_of_both);
    tcase_add_loop_test(tcase, test_what_servers_know, 0, sizeof(passed) / sizeof(passed[0]));
    tcase_add_test(tcase, test_two_samples_in_a_line);
    tcase_add_test(tcase, test_endless_line);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
