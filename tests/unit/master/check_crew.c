/*
 * check_crew: two real children that serve, one that cannot start, and how they end, with the
 * test's own process as their master.
 */
#include <bsd/unistd.h>
#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "load.h"
#include "master/crew.h"

#define PATIENCE_MS 20000

static struct loaded loaded;
static struct holdings holdings;
static struct crew crew;

static void
open_crew(void)
{
    static const int signals[] = {SIGCHLD, SIGTERM, SIGINT};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    char port[8];
    const char *const flags[] = {"-n127.0.0.1", "-p", port, "--set", "TRANSPORT=none", NULL};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(port, sizeof(port), "%u", (unsigned)ntohs(address.sin_port));
    close(fd);
    log_init(LOG_TO_STDERR, LOG_EMERG);
    ck_assert_int_ge(sig_open(signals, 3), 0);
    load_text(&loaded, "MEMORY_LIMIT=1M\n", flags);
    ck_assert_msg(loaded.result == 0, "%s", load_error(&loaded));
    memset(&holdings, 0, sizeof(holdings));
    holdings_open(&holdings, &loaded.config.master, 1);
    holdings_open_folders(&holdings, &loaded.config.master);
    crew_init(&crew, &holdings, &loaded.config, false);
}

static void
close_crew(void)
{
    load_release(&loaded);
}

/* One turn of a master's loop. */
static void
turn(void)
{
    struct pollfd slots[ROLE_COUNT];
    int status;
    pid_t pid;

    for (enum role role = 0; role < ROLE_COUNT; role++)
        slots[role] = (struct pollfd){.fd = crew.ready_fds[role], .events = POLLIN};
    (void)poll(slots, ROLE_COUNT, 5);
    crew_take_ready(&crew);
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        crew_reaped(&crew, pid, status);
    crew_advance(&crew);
}

static void
turn_until(bool (*is_so)(const struct crew *crew))
{
    uint64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;

    while (!is_so(&crew)) {
        ck_assert_uint_lt(clock_mono_ms(), deadline_ms);
        turn();
    }
}

START_TEST(test_serve_and_stop)
{
    crew_advance(&crew);
    ck_assert(!crew_is_ready(&crew));
    turn_until(crew_is_ready);
    for (enum role role = 0; role < ROLE_COUNT; role++)
        ck_assert_int_eq(crew.ready_fds[role], -1);
    /* Nothing is due but a look at them. */
    ck_assert_uint_eq(crew_next_deadline(&crew), crew.look_ms);
    ck_assert_uint_le(crew.look_ms, clock_mono_ms() + PULSE_MS);
    crew_stop(&crew);
    turn_until(crew_is_over);
    ck_assert_int_eq(crew.exit_status, 0);
    ck_assert(crew_next_deadline(&crew) == UINT64_MAX);
}
END_TEST

static const int last_signals[] = {SIGKILL, SIGSEGV};

/* Whichever dies, another does what it left. */
START_TEST(test_dies_before_the_stop)
{
    enum role role = (enum role)_i;
    pid_t died;

    turn_until(crew_is_ready);
    died = crew.children[role].pid;
    kill(died, last_signals[_i]);
    waitpid(died, NULL, 0);
    crew_reaped(&crew, died, last_signals[_i]);
    ck_assert_int_eq(crew.children[role].state, CHILD_WAITING);
    crew_stop(&crew);
    ck_assert_int_ne(crew.children[role].pid, 0);
    ck_assert_int_ne(crew.children[role].pid, died);
    turn_until(crew_is_over);
    ck_assert_int_eq(crew.exit_status, 0);
}
END_TEST

static const struct {
    int status;
    const char *said;
} ends[] = {
    {0, ") ended unasked; restarting in "},
    {1 << 8, ") died: exit status 1; restarting in "},
    {SIGSEGV, ") died: signal 11 (Segmentation fault); restarting in "},
};

/* What is logged from here on. */
static int
listen_in(int *out_saved)
{
    int pipe_ends[2];

    *out_saved = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(pipe_ends), 0);
    dup2(pipe_ends[1], STDERR_FILENO);
    close(pipe_ends[1]);
    log_init(LOG_TO_STDERR, LOG_INFO);
    return pipe_ends[0];
}

static void
hear(int fd, int saved, char *out, size_t size)
{
    ssize_t n;

    log_init(LOG_TO_STDERR, LOG_EMERG);
    dup2(saved, STDERR_FILENO);
    close(saved);
    n = read(fd, out, size - 1);
    ck_assert_int_gt(n, 0);
    out[n] = '\0';
    close(fd);
}

static pid_t
kill_child(enum role role)
{
    pid_t pid = crew.children[role].pid;

    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    return pid;
}

/* One that nobody asked to end has not died where it says that all is well. */
START_TEST(test_what_is_said_of_an_end)
{
    char said[512];
    int fd, saved;
    pid_t died;

    turn_until(crew_is_ready);
    died = kill_child(ROLE_WORKER);
    fd = listen_in(&saved);
    crew_reaped(&crew, died, ends[_i].status);
    hear(fd, saved, said, sizeof(said));
    ck_assert_msg(strstr(said, ends[_i].said) != NULL, "%s", said);
    crew_stop(&crew);
    turn_until(crew_is_over);
}
END_TEST

static int
count(const char *text, const char *part)
{
    int n = 0;

    while ((text = strstr(text, part)) != NULL) {
        text += strlen(part);
        n++;
    }
    return n;
}

#define N_KILLS 8

/* One a second; the end that is told next says how many there were besides. */
START_TEST(test_little_is_said_of_many_kills)
{
    char said[4096], untold[64];
    uint64_t began_ms;
    int fd, saved, n_told;

    turn_until(crew_is_ready);
    fd = listen_in(&saved);
    began_ms = clock_mono_ms();
    for (int i = 0; i < N_KILLS; i++) {
        crew_reaped(&crew, kill_child(ROLE_WORKER), SIGKILL);
        crew.children[ROLE_WORKER].deadline_ms = 0;
        crew_advance(&crew);
    }
    n_told = 1 + (int)(clock_mono_ms() / 1000 - began_ms / 1000);
    crew_reaped(&crew, kill_child(ROLE_WORKER), SIGSEGV);
    hear(fd, saved, said, sizeof(said));
    ck_assert_int_ge(count(said, "died: signal 9 "), 1);
    ck_assert_int_le(count(said, "died: signal 9 "), n_told);
    ck_assert_int_eq(count(said, "died: signal 11 "), 1);
    if (n_told == 1) {
        snprintf(untold, sizeof(untold), "%d more deaths of a worker by signal 9 were not told",
                 N_KILLS - 1);
        ck_assert_msg(strstr(said, untold) != NULL, "%s", said);
    }
    crew_stop(&crew);
    turn_until(crew_is_over);
}
END_TEST

/* Besides those that wait for the first of each. */
static size_t
count_held(void)
{
    size_t n = holdings.fds.n;

    for (enum role role = 0; role < ROLE_COUNT; role++)
        n -= crew.ready_fds[role] >= 0;
    return n;
}

/* Another is the first then, which says so when it serves, and the master holds no more than
 * before.
 */
START_TEST(test_the_first_crashes)
{
    enum role role = (enum role)_i;
    size_t n_held;
    pid_t died;
    char byte;

    crew_advance(&crew);
    n_held = count_held();
    died = kill_child(role);
    (void)!read(crew.ready_fds[role], &byte, 1); /* it may have been faster than the signal */
    crew_reaped(&crew, died, SIGABRT);
    ck_assert_int_eq(crew.children[role].state, CHILD_WAITING);
    ck_assert_int_eq(crew.exit_status, 0);
    crew.children[role].deadline_ms = 0;
    crew_advance(&crew);
    ck_assert_int_eq(crew.children[role].state, CHILD_STARTING);
    ck_assert(crew.children[role].has_crashed);
    ck_assert_int_ge(crew.ready_fds[role], 0);
    ck_assert_uint_eq(count_held(), n_held);
    turn_until(crew_is_ready);
    crew_stop(&crew);
    turn_until(crew_is_over);
    ck_assert_int_eq(crew.exit_status, 0);
}
END_TEST

/* As many looks as are due in that many half seconds. The one that is no patient moves meanwhile.
 */
static void
look(enum role patient, int n)
{
    for (int i = 0; i < n; i++) {
        board_count(&holdings.board->beats[patient == ROLE_WORKER ? BOARD_SENDER : BOARD_WORKER]);
        crew.look_ms = 0;
        crew_advance(&crew);
    }
}

static bool
are_both_up(const struct crew *a_crew)
{
    return a_crew->children[ROLE_WORKER].state == CHILD_UP &&
           a_crew->children[ROLE_SENDER].state == CHILD_UP;
}

/* A stopped one does not even abort. */
START_TEST(test_hangs)
{
    enum role role = (enum role)_i;
    pid_t hung;

    turn_until(crew_is_ready);
    hung = crew.children[role].pid;
    kill(hung, SIGSTOP);
    ck_assert_int_eq(waitpid(hung, NULL, WUNTRACED), hung);
    board_count(&holdings.board->beats[role == ROLE_WORKER ? BOARD_WORKER : BOARD_SENDER]);
    look(role, 1);
    look(role, PULSE_PATIENCE - 1);
    ck_assert_int_eq(crew.children[role].state, CHILD_UP);
    look(role, 1);
    ck_assert_int_eq(crew.children[role].state, CHILD_ABORTING);
    ck_assert_uint_le(crew.children[role].deadline_ms, clock_mono_ms() + CHILD_ABORT_MS);
    look(role, 2 * PULSE_PATIENCE);
    crew.children[role].deadline_ms = 0;
    turn_until(are_both_up);
    ck_assert_int_ne(crew.children[role].pid, hung);
    ck_assert_uint_eq(crew.children[role].n_restarts, 1);
    ck_assert(!crew.children[role].has_crashed);
    ck_assert_uint_eq(crew.children[1 - role].n_restarts, 0);
    crew_stop(&crew);
    turn_until(crew_is_over);
    ck_assert_int_eq(crew.exit_status, 0);
}
END_TEST

/* One that can still die of it leaves its trace, and counts as crashed. */
START_TEST(test_loops)
{
    pid_t looping;

    turn_until(crew_is_ready);
    looping = crew.children[ROLE_WORKER].pid;
    kill(looping, SIGSTOP);
    ck_assert_int_eq(waitpid(looping, NULL, WUNTRACED), looping);
    look(ROLE_WORKER, 1 + PULSE_PATIENCE);
    ck_assert_int_eq(crew.children[ROLE_WORKER].state, CHILD_ABORTING);
    kill(looping, SIGCONT);
    turn_until(are_both_up);
    ck_assert_int_ne(crew.children[ROLE_WORKER].pid, looping);
    ck_assert(crew.children[ROLE_WORKER].has_crashed);
    crew_stop(&crew);
    turn_until(crew_is_over);
}
END_TEST

static bool
has_worker_ended(const struct crew *a_crew)
{
    return a_crew->children[ROLE_WORKER].state == CHILD_ENDED;
}

/* The worker cannot end without it: another takes what it flushes at last. */
START_TEST(test_sender_hangs_in_the_stop)
{
    pid_t worker, hung;

    turn_until(crew_is_ready);
    worker = crew.children[ROLE_WORKER].pid;
    hung = crew.children[ROLE_SENDER].pid;
    kill(worker, SIGSTOP);
    ck_assert_int_eq(waitpid(worker, NULL, WUNTRACED), worker);
    kill(hung, SIGSTOP);
    ck_assert_int_eq(waitpid(hung, NULL, WUNTRACED), hung);
    crew_stop(&crew);
    look(ROLE_SENDER, 1 + PULSE_PATIENCE);
    ck_assert_int_eq(crew.children[ROLE_SENDER].state, CHILD_LAST);
    ck_assert_uint_le(crew.children[ROLE_SENDER].deadline_ms, clock_mono_ms() + CHILD_ABORT_MS);
    crew.children[ROLE_SENDER].deadline_ms = 0;
    while (crew.children[ROLE_SENDER].pid == hung)
        turn();
    ck_assert_int_eq(crew.children[ROLE_SENDER].state, CHILD_LAST);
    ck_assert_int_ge(holdings.pipe_write, 0);
    kill(worker, SIGCONT);
    turn_until(has_worker_ended);
    turn_until(crew_is_over);
    ck_assert_int_eq(holdings.pipe_write, -1);
    ck_assert_int_eq(crew.exit_status, 0);
}
END_TEST

static bool
has_failed(const struct crew *a_crew)
{
    return a_crew->exit_status != 0;
}

START_TEST(test_cannot_serve)
{
    /* More than there are addresses. */
    loaded.config.worker.memory_limit = (size_t)1 << 60;
    turn_until(has_failed);
    ck_assert_int_eq(crew.exit_status, EXIT_FAILURE);
    ck_assert_ptr_nonnull(strstr(crew.failure, "died before it could serve: exit status 1"));
    ck_assert_int_eq(crew.children[ROLE_WORKER].state, CHILD_ENDED);
    crew_stop(&crew);
    turn_until(crew_is_over);
    ck_assert(!crew_is_ready(&crew));
}
END_TEST

START_TEST(test_others_are_none_of_it)
{
    turn_until(crew_is_ready);
    crew_reaped(&crew, 1, 0);
    ck_assert_int_eq(crew.children[ROLE_WORKER].state, CHILD_UP);
    ck_assert_int_eq(crew.children[ROLE_SENDER].state, CHILD_UP);
    crew_stop(&crew);
    turn_until(crew_is_over);
}
END_TEST

int
main(int argc, char **argv, char **envp)
{
    Suite *suite = suite_create("crew");
    TCase *tcase = tcase_create("crew");
    SRunner *runner;
    int n_failed;

    setproctitle_init(argc, argv, envp);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, open_crew, close_crew);
    tcase_add_test(tcase, test_serve_and_stop);
    tcase_add_loop_test(tcase, test_dies_before_the_stop, 0, ROLE_COUNT);
    tcase_add_loop_test(tcase, test_what_is_said_of_an_end, 0, sizeof(ends) / sizeof(ends[0]));
    tcase_add_test(tcase, test_little_is_said_of_many_kills);
    tcase_add_loop_test(tcase, test_the_first_crashes, 0, ROLE_COUNT);
    tcase_add_loop_test(tcase, test_hangs, 0, ROLE_COUNT);
    tcase_add_test(tcase, test_loops);
    tcase_add_test(tcase, test_sender_hangs_in_the_stop);
    tcase_add_test(tcase, test_cannot_serve);
    tcase_add_test(tcase, test_others_are_none_of_it);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
