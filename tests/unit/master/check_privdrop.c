/*
 * check_privdrop: what is left of root. Every attempt is made in a process of its own, which
 * reports by its exit status and on stderr.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/privdrop.h"

struct attempt {
    const char *user, *group;
    bool as_nobody; /* to begin with */
};

struct outcome {
    int status;
    char said[2048];
};

/* Runs inspect behind the drop; its result is the exit status. */
static struct outcome
run(const struct attempt *attempt, int (*inspect)(void))
{
    struct outcome outcome = {.status = -1};
    size_t len = 0;
    int ends[2];
    bool was_root;
    ssize_t n;
    pid_t pid;

    ck_assert_int_eq(pipe(ends), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        if (attempt->as_nobody && setuid(65534) != 0)
            _exit(99);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        was_root = geteuid() == 0;
        if (privdrop(attempt->user, attempt->group) != was_root)
            _exit(98);
        _exit(inspect());
    }
    close(ends[1]);
    while ((n = read(ends[0], outcome.said + len, sizeof(outcome.said) - 1 - len)) > 0)
        len += (size_t)n;
    close(ends[0]);
    ck_assert_int_eq(waitpid(pid, &outcome.status, 0), pid);
    return outcome;
}

static int
inspect_nothing(void)
{
    return 0;
}

/* The hexadecimal value behind a name in /proc/self/status, or -1. */
static long long
status_value(const char *name, int base)
{
    FILE *file = fopen("/proc/self/status", "r");
    long long value = -1;
    char line[256];

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            value = strtoll(line + strlen(name) + 1, NULL, base);
    }
    if (file != NULL)
        fclose(file);
    return value;
}

static int
inspect_bare(void)
{
    static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapAmb"};

    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        if (status_value(sets[i], 16) != 0)
            return 1;
    }
    return status_value("NoNewPrivs", 10) == 1 ? 0 : 2;
}

/* An application that runs a server still ends it with itself. */
static int
inspect_death_signal(void)
{
    int number = 0;

    return prctl(PR_GET_PDEATHSIG, &number) == 0 && number == SIGTERM ? 0 : 30;
}

static int
inspect_nobody(void)
{
    const struct passwd *nobody = getpwnam("nobody");
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid, groups[4];

    if (nobody == NULL || getresuid(&ruid, &euid, &suid) != 0 ||
        getresgid(&rgid, &egid, &sgid) != 0)
        return 10;
    if (ruid != nobody->pw_uid || euid != nobody->pw_uid || suid != nobody->pw_uid)
        return 11;
    if (rgid != nobody->pw_gid || egid != nobody->pw_gid || sgid != nobody->pw_gid)
        return 12;
    if (getgroups(4, groups) != 1 || groups[0] != nobody->pw_gid)
        return 13;
    if (setuid(0) == 0 || setgid(0) == 0 || prctl(PR_GET_DUMPABLE) != 0)
        return 14;
    if (open("/proc/1/mem", O_RDONLY) >= 0)
        return 15;
    return status_value("CapBnd", 16) == 0 ? inspect_bare() : 16;
}

static int
inspect_group(void)
{
    const struct group *group = getgrnam("daemon");
    gid_t groups[4];

    if (group == NULL || getgid() != group->gr_gid || getegid() != group->gr_gid)
        return 1;
    return getgroups(4, groups) == 1 && groups[0] == group->gr_gid ? 0 : 2;
}

static int
inspect_uid(void)
{
    return geteuid() == 65534 ? inspect_bare() : 20;
}

static void
assert_ends(const struct outcome *outcome, int exit_status)
{
    ck_assert_msg(WIFEXITED(outcome->status) && WEXITSTATUS(outcome->status) == exit_status,
                  "status %#x, not exit %d: %s", (unsigned)outcome->status, exit_status,
                  outcome->said);
}

START_TEST(test_nobody)
{
    struct outcome outcome = run(&(struct attempt){"nobody", "", false}, inspect_nobody);

    assert_ends(&outcome, 0);
}
END_TEST

START_TEST(test_dies_with_its_parent_still)
{
    struct outcome outcome = run(&(struct attempt){"nobody", "", false}, inspect_death_signal);

    assert_ends(&outcome, 0);
}
END_TEST

START_TEST(test_other_group)
{
    struct outcome outcome = run(&(struct attempt){"nobody", "daemon", false}, inspect_group);

    assert_ends(&outcome, 0);
}
END_TEST

static const struct {
    struct attempt attempt;
    const char *said;
} refused[] = {
    {{"root", "", false}, "USER=root is root"},
    {{"no-such-user-here", "", false}, "unknown user \"no-such-user-here\""},
    {{"", "", false}, "unknown user \"\""},
    {{"nobody", "no-such-group-here", false}, "unknown group \"no-such-group-here\""},
};

START_TEST(test_refused)
{
    struct outcome outcome = run(&refused[_i].attempt, inspect_nothing);

    assert_ends(&outcome, 78);
    ck_assert_msg(strstr(outcome.said, refused[_i].said) != NULL, "said: %s", outcome.said);
    /* One line. */
    ck_assert_ptr_eq(strchr(outcome.said, '\n'), outcome.said + strlen(outcome.said) - 1);
}
END_TEST

START_TEST(test_not_root)
{
    /* Nobody looks USER up, so an unknown one does no harm. */
    const struct attempt attempt = {"no-such-user-here", "", geteuid() == 0};
    struct outcome outcome = run(&attempt, geteuid() == 0 ? inspect_uid : inspect_bare);

    assert_ends(&outcome, 0);
    ck_assert_str_eq(outcome.said, "");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("privdrop");
    TCase *tcase = tcase_create("privdrop");
    SRunner *runner;
    int n_failed;

    /* The others have nothing to drop where they are not root. */
    if (geteuid() == 0) {
        tcase_add_test(tcase, test_nobody);
        tcase_add_test(tcase, test_dies_with_its_parent_still);
        tcase_add_test(tcase, test_other_group);
        tcase_add_loop_test(tcase, test_refused, 0, sizeof(refused) / sizeof(refused[0]));
    }
    tcase_add_test(tcase, test_not_root);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
