/*
 * check_sender: the process as a whole, in a child of the test: frames in, flushes out. The test is
 * the worker, the resolver and carbon.
 */
#include <check.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/resolved.h"
#include "pipe/outlet.h"
#include "sender/batch.h"
#include "sender/sender.h"

/* Nothing that is waited for takes as long. */
#define PATIENCE_MS 8000
#define FIRST_MS    UINT64_C(1700000010000)
#define EPOCH       UINT64_C(0x5eed)
#define INTERVAL_MS 10000

struct rig {
    struct sender_opts opts;
    int frames, asked, answers; /* the test's ends */
    struct outlet outlet;
    unsigned flush; /* whose frames are in the outlet; 0: none yet */
    int carbon;     /* bound, and listening when listen_now was called */
    pid_t pid;
    int log;               /* what the sender logs */
    char heard[256 << 10]; /* by carbon, in one connection */
};

#define DESTINATION "localhost:2003"

/* Big, so not on the stack. */
static struct rig rig;

/* The flush, from 1 on, that there is no memory for; 0: none. */
static unsigned fail_at;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

/* Milliseconds by which the sender's clock is ahead; all processes of a test share it. */
static uint64_t *ahead_ms;

uint64_t __real_clock_mono_ms(void);
uint64_t __wrap_clock_mono_ms(void);

/* The linker puts it in the place of clock_mono_ms. */
uint64_t
__wrap_clock_mono_ms(void)
{
    return __real_clock_mono_ms() + (ahead_ms == NULL ? 0 : board_get(ahead_ms));
}

/* The linker puts it in the place of calloc. */
void *
__wrap_calloc(size_t n, size_t size)
{
    if (size == sizeof(struct batch) && fail_at > 0 && --fail_at == 0)
        return NULL;
    return __real_calloc(n, size);
}

static void
open_pipe(int flags, int *out_read, int *out_write)
{
    int ends[2];

    ck_assert_int_eq(pipe2(ends, flags | O_CLOEXEC | O_NONBLOCK), 0);
    *out_read = ends[0];
    *out_write = ends[1];
}

static int
bind_carbon(void)
{
    struct net_address found[NET_ADDRESSES_MAX];
    int fd;

    ck_assert_int_eq(net_lookup("127.0.0.1", 0, SOCK_STREAM, found), 1);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&found[0].storage, found[0].len), 0);
    return fd;
}

/* What a master opens anew. */
static void
open_ends(void)
{
    open_pipe(O_DIRECT, &rig.opts.pipe_fd, &rig.frames);
    open_pipe(0, &rig.asked, &rig.opts.ask_fd);
    open_pipe(O_DIRECT, &rig.opts.addresses_fd, &rig.answers);
    rig.opts.board = board_new();
    ck_assert_ptr_nonnull(rig.opts.board);
    outlet_init(&rig.outlet, rig.frames);
    rig.flush = 0;
}

static void
set_up(void)
{
    memset(&rig, 0, sizeof(rig));
    ahead_ms =
        mmap(NULL, sizeof(*ahead_ms), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(ahead_ms != MAP_FAILED);
    open_ends();
    dialect_init(&rig.opts.dialect);
    rig.opts.arena_fd = memfd_create("arena", MFD_CLOEXEC);
    rig.opts.ack_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rig.opts.spool_fd = rig.opts.gauges_fd = -1;
    rig.opts.deliver = rig.opts.await_fin = true;
    rig.opts.dns_refresh_ms = 5000;
    rig.opts.ready_fd = -1;
    rig.opts.destination = DESTINATION;
    rig.opts.queue_memory = 1 << 20;
    rig.opts.connect_timeout_ms = 10000;
    rig.opts.send_timeout_ms = 20000;
    rig.carbon = bind_carbon();
    rig.log = memfd_create("log", MFD_CLOEXEC);
    ck_assert_int_ge(rig.log, 0);
}

static void
listen_now(void)
{
    ck_assert_int_eq(listen(rig.carbon, 8), 0);
}

static void
start(void)
{
    rig.pid = fork();
    if (rig.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        dup2(rig.log, STDERR_FILENO);
        log_init(LOG_TO_STDERR, LOG_DEBUG);
        close(rig.frames);
        close(rig.asked);
        close(rig.answers);
        close(rig.carbon);
        _exit(sender_main(&rig.opts));
    }
    ck_assert_int_gt(rig.pid, 0);
}

/* The worker and the master are gone. */
static void
end_frames(void)
{
    close(rig.frames);
    close(rig.opts.pipe_fd);
    close(rig.opts.ask_fd);
    close(rig.opts.addresses_fd);
}

/* The master, and so its ends of the pipes, lives on. */
static void
kill_sender(void)
{
    ck_assert_int_eq(kill(rig.pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(rig.pid, NULL, 0), rig.pid);
}

/* All that was logged, with a NUL. */
static char *
read_log(void)
{
    static char log[65536];
    ssize_t n = pread(rig.log, log, sizeof(log) - 1, 0);

    ck_assert_int_ge((int)n, 0);
    log[n] = '\0';
    return log;
}

static void
forget_log(void)
{
    ck_assert_int_eq(ftruncate(rig.log, 0), 0);
    ck_assert_int_eq((int)lseek(rig.log, 0, SEEK_SET), 0);
}

/* What became of the lines, as the last line of the log tells it. */
struct told {
    unsigned long emitted, delivered, queued, spooled, dropped;
};

static struct told
read_ledger(void)
{
    const char *line = strstr(read_log(), "ledger: received ");
    unsigned long in[7];
    struct told out;

    ck_assert_ptr_nonnull(line);
    ck_assert_int_eq(sscanf(line,
                            "ledger: received %lu = applied %lu + filtered %lu + bad %lu + "
                            "refused %lu; emitted %lu = delivered %lu + queued %lu + spooled %lu + "
                            "dropped %lu; kernel drops %lu, quarantined %lu",
                            &in[0], &in[1], &in[2], &in[3], &in[4], &out.emitted, &out.delivered,
                            &out.queued, &out.spooled, &out.dropped, &in[5], &in[6]),
                     12);
    ck_assert_uint_eq(out.emitted, out.delivered + out.queued + out.spooled + out.dropped);
    return out;
}

/* Time flies by step_ms now and then until it ends. */
static struct told
assert_ends_in_time(uint64_t step_ms)
{
    uint64_t deadline_ms = __real_clock_mono_ms() + PATIENCE_MS;
    int status;
    pid_t pid;

    while ((pid = waitpid(rig.pid, &status, WNOHANG)) == 0) {
        ck_assert_uint_lt(__real_clock_mono_ms(), deadline_ms);
        poll(NULL, 0, 2);
        board_set(ahead_ms, board_get(ahead_ms) + step_ms);
    }
    ck_assert_int_eq(pid, rig.pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    close(rig.asked);
    close(rig.answers);
    return read_ledger();
}

static struct told
assert_ends_well(void)
{
    return assert_ends_in_time(0);
}

/* It tries in vain until its time is over. */
static struct told
assert_gives_up(void)
{
    return assert_ends_in_time(20);
}

/* How many lines the sender has logged that hold text. */
static unsigned
n_logged(const char *text)
{
    unsigned n_lines = 0;

    for (char *line = strtok(read_log(), "\n"); line != NULL; line = strtok(NULL, "\n"))
        n_lines += strstr(line, text) != NULL;
    return n_lines;
}

/* And more than at debug level. */
static unsigned
n_warned(const char *text)
{
    unsigned n_lines = 0;

    for (char *line = strtok(read_log(), "\n"); line != NULL; line = strtok(NULL, "\n"))
        n_lines += strstr(line, text) != NULL && strstr(line, "[WARNING]") != NULL;
    return n_lines;
}

static uint64_t
id_of(unsigned flush)
{
    return EPOCH << 32 | flush;
}

static uint64_t
end_ms_of(unsigned flush)
{
    return FIRST_MS + flush * (uint64_t)INTERVAL_MS;
}

/* Sends what is in the outlet, when the pipe has room. */
static void
send_frame(uint16_t flags)
{
    struct pollfd slot = {.fd = rig.frames, .events = POLLOUT};

    ck_assert_int_eq(poll(&slot, 1, PATIENCE_MS), 1);
    ck_assert_int_eq(outlet_send(&rig.outlet, flags), 0);
}

/* Sends one frame with one counter, or with none where name is NULL. */
static void
give_frame(unsigned flush, const char *name, double value, uint16_t flags)
{
    struct record record = {.source = METRIC_COUNTER, .name = name};

    if (flush != rig.flush)
        outlet_begin(&rig.outlet, id_of(flush), end_ms_of(flush));
    rig.flush = flush;
    if (name != NULL) {
        record.name_len = (uint16_t)strlen(name);
        record_add(&record, STATISTIC_RATE, 0, value);
        ck_assert_int_eq(record_encode(&record, &rig.outlet.payload), 0);
    }
    send_frame(flags);
}

static void
give_flush(unsigned flush)
{
    give_frame(flush, "a", flush, FRAME_LAST);
}

/* The frames of the flush at hand come again, as from a new worker or for a new sender. */
static void
begin_again(void)
{
    rig.flush = 0;
}

static void
wait_readable(int fd)
{
    struct pollfd slot = {.fd = fd, .events = POLLIN};

    ck_assert_int_eq(poll(&slot, 1, PATIENCE_MS), 1);
}

static void
wait_committed(unsigned flush)
{
    uint64_t n;

    while (board_get(&rig.opts.board->committed) != id_of(flush)) {
        wait_readable(rig.opts.ack_fd);
        ck_assert_int_eq((int)read(rig.opts.ack_fd, &n, sizeof(n)), (int)sizeof(n));
    }
}

static void
wait_started(uint64_t n_starts)
{
    uint64_t n;

    while (board_get(&rig.opts.board->sender_starts) < n_starts) {
        wait_readable(rig.opts.ack_fd);
        ck_assert_int_eq((int)read(rig.opts.ack_fd, &n, sizeof(n)), (int)sizeof(n));
    }
}

static void
take_ask(void)
{
    char byte;

    wait_readable(rig.asked);
    ck_assert_int_eq((int)read(rig.asked, &byte, 1), 1);
}

static void
assert_not_asked(void)
{
    char byte;

    ck_assert_int_eq((int)read(rig.asked, &byte, 1), -1);
}

/* The answer for destination is the address of a socket, or an error where fd is negative. */
static void
answer_as(const char *destination, int fd)
{
    struct resolved answer = {.n = fd < 0 ? EAI_AGAIN : 1};
    struct net_address *address = &answer.addresses[0];

    strcpy(answer.destination, destination);
    address->len = sizeof(address->storage);
    if (fd >= 0)
        ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address->storage, &address->len), 0);
    ck_assert_int_eq((int)write(rig.answers, &answer, sizeof(answer)), (int)sizeof(answer));
}

static void
answer_with(int fd)
{
    answer_as(DESTINATION, fd);
}

/* Takes the question and answers it with carbon's address, whether it listens or not. */
static void
resolve(void)
{
    take_ask();
    answer_with(rig.carbon);
}

/* Hears one connection to a listening socket to its end, without closing it. */
static int
hear_at(int carbon)
{
    size_t len = 0;
    ssize_t n;
    int peer;

    wait_readable(carbon);
    peer = accept4(carbon, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(peer, 0);
    do {
        wait_readable(peer);
        n = read(peer, rig.heard + len, sizeof(rig.heard) - 1 - len);
        ck_assert_int_ge((int)n, 0);
        len += (size_t)n;
    } while (n > 0);
    rig.heard[len] = '\0';
    return peer;
}

static int
hear(void)
{
    return hear_at(rig.carbon);
}

/* Hears one connection and resets it in place of an acknowledgement. */
static void
hear_and_reset(void)
{
    const struct linger at_once = {.l_onoff = 1};
    int peer = hear();

    setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(peer);
}

static void
assert_delivered(const char *want)
{
    close(hear());
    ck_assert_str_eq(rig.heard, want);
}

static void
assert_flush_delivered(unsigned flush)
{
    char want[64];

    snprintf(want, sizeof(want), "stats.a %u %llu\n", flush,
             (unsigned long long)(end_ms_of(flush) / 1000));
    assert_delivered(want);
}

static unsigned
n_heard(void)
{
    unsigned n = 0;

    for (const char *at = rig.heard; (at = strchr(at, '\n')) != NULL; at++)
        n++;
    return n;
}

/* The value of an own statistic in what was heard last. */
static double
own(const char *name)
{
    char line[64];
    const char *at;

    snprintf(line, sizeof(line), "statsd.%s ", name);
    at = strstr(rig.heard, line);
    ck_assert_msg(at != NULL, "no %s", name);
    return strtod(at + strlen(line), NULL);
}

START_TEST(test_flushes_are_delivered)
{
    set_up();
    listen_now();
    start();
    give_flush(1);
    resolve();
    assert_flush_delivered(1);
    for (unsigned flush = 2; flush <= 3; flush++) {
        give_flush(flush);
        assert_flush_delivered(flush);
        assert_not_asked();
    }
    end_frames();
    assert_ends_well();
}
END_TEST

START_TEST(test_a_flush_of_many_frames)
{
    set_up();
    listen_now();
    start();
    give_frame(1, "a", 1, 0);
    give_frame(1, "b", 2, 0);
    give_frame(1, "c", 3, 0);
    give_frame(1, NULL, 0, FRAME_LAST);
    resolve();
    assert_delivered("stats.a 1 1700000020\nstats.b 2 1700000020\nstats.c 3 1700000020\n");
    end_frames();
    assert_ends_well();
}
END_TEST

START_TEST(test_own_statistics)
{
    double sum = 0, n_lines;

    set_up();
    listen_now();
    rig.opts.self_stats = true;
    rig.opts.n_restarts = 2;
    start();
    give_flush(1);
    resolve();
    close(hear());
    n_lines = n_heard();
    ck_assert_double_eq(own("lines_sent"), 0);
    ck_assert_double_eq(own("restarts.sender"), 2);
    ck_assert_double_eq(own("queue_lines"), 0);
    for (unsigned flush = 2; flush <= 3; flush++) {
        give_flush(flush);
        close(hear());
        sum += own("lines_sent");
    }
    /* Those of both flushes before; it may not have seen the end of the second yet. */
    ck_assert(sum == n_lines || sum == 2 * n_lines);
    ck_assert_double_eq(own("send_failures"), 0);
    ck_assert_double_eq(own("queue_dropped"), 0);
    ck_assert_double_le(own("last_success_age"), 1);
    end_frames();
    assert_ends_well();
}
END_TEST

/* Nothing listens at first: what was kept comes oldest first, with its own timestamps. */
START_TEST(test_carbon_comes_back)
{
    set_up();
    start();
    for (unsigned flush = 1; flush <= 5; flush++)
        give_flush(flush);
    resolve();
    take_ask(); /* the first try failed */
    listen_now();
    answer_with(rig.carbon);
    for (unsigned flush = 1; flush <= 5; flush++)
        assert_flush_delivered(flush);
    end_frames();
    assert_ends_well();
}
END_TEST

/* Heard, and then a reset in place of the acknowledgement: the same again. */
START_TEST(test_not_acknowledged)
{
    set_up();
    listen_now();
    start();
    give_flush(1);
    resolve();
    hear_and_reset();
    resolve();
    assert_flush_delivered(1);
    end_frames();
    assert_ends_well();
}
END_TEST

START_TEST(test_resolver_fails_first)
{
    set_up();
    listen_now();
    start();
    give_flush(1);
    take_ask();
    answer_with(-1);
    resolve();
    assert_flush_delivered(1);
    give_flush(2);
    hear_and_reset();
    take_ask(); /* the addresses of before will do */
    answer_with(-1);
    assert_flush_delivered(2);
    end_frames();
    assert_ends_well();
}
END_TEST

/* An answer that nobody has asked for any more is not taken for the next. */
START_TEST(test_stale_answer)
{
    int nobody = bind_carbon();

    set_up();
    listen_now();
    answer_with(nobody);
    start();
    give_flush(1);
    resolve();
    assert_flush_delivered(1);
    close(nobody);
    end_frames();
    wait_readable(rig.asked); /* its end: the first answer that counted was the good one */
    ck_assert_int_eq((int)read(rig.asked, rig.heard, 1), 0);
    assert_ends_well();
}
END_TEST

/* The end of the pipe is no end of what it brought; the newest goes first. */
START_TEST(test_end_with_a_flush)
{
    set_up();
    listen_now();
    start();
    give_flush(1);
    give_frame(2, "a", 2, 0); /* not whole, and never will be */
    end_frames();
    resolve();
    assert_flush_delivered(2);
    assert_flush_delivered(1);
    ck_assert_uint_eq(assert_ends_well().delivered, 2);
}
END_TEST

/* Where the worker's memory outlives it, too, another sends the flush whole. */
START_TEST(test_end_within_a_flush)
{
    set_up();
    listen_now();
    rig.opts.arena_outlives = true;
    start();
    give_frame(1, "a", 1, 0);
    end_frames();
    ck_assert_uint_eq(assert_ends_well().emitted, 0);
}
END_TEST

START_TEST(test_end_of_nothing)
{
    set_up();
    start();
    end_frames();
    assert_ends_well();
}
END_TEST

/* Asked before the end, the resolver never answers: the addresses of before have to do, soon. */
START_TEST(test_end_while_resolving)
{
    set_up();
    listen_now();
    start();
    give_flush(1);
    resolve();
    assert_flush_delivered(1);
    give_flush(2);
    hear_and_reset();
    take_ask();
    end_frames();
    assert_flush_delivered(2);
    assert_ends_well();
}
END_TEST

/* A worker was killed within a flush, and the next one sends it whole. */
START_TEST(test_cut_flush)
{
    set_up();
    listen_now();
    start();
    for (int i = 0; i < 3; i++) {
        begin_again();
        give_frame(1, "a", 1, 0);
    }
    give_frame(1, "b", 2, FRAME_LAST);
    resolve();
    assert_delivered("stats.a 1 1700000020\nstats.b 2 1700000020\n");
    give_frame(2, "a", 2, 0); /* its memory was lost, and so is this */
    give_flush(3);
    assert_flush_delivered(3);
    end_frames();
    ck_assert_uint_eq(assert_ends_well().emitted, 3);
}
END_TEST

/* What was taken is not taken again, but acknowledged again. */
START_TEST(test_a_flush_comes_twice)
{
    set_up();
    listen_now();
    start();
    give_flush(1);
    wait_committed(1);
    give_flush(2);
    wait_committed(2);
    for (unsigned flush = 1; flush <= 2; flush++) {
        begin_again();
        give_frame(flush, "again", 1, 0);
        give_frame(flush, "again", 2, FRAME_LAST);
        wait_committed(flush);
    }
    give_flush(3);
    wait_committed(3);
    resolve();
    assert_flush_delivered(3);
    assert_flush_delivered(1);
    assert_flush_delivered(2);
    end_frames();
    ck_assert_uint_eq(assert_ends_well().delivered, 3);
}
END_TEST

/* Said once, counted always; what is lost with them is asked for, as by a new sender. */
START_TEST(test_bad_packets)
{
    set_up();
    listen_now();
    rig.opts.self_stats = true;
    start();
    wait_started(1);
    give_frame(1, "a", 1, 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq((int)write(rig.frames, "rubbish", 7), 7);
        ck_assert_int_eq(buf_append(&rig.outlet.payload, "no record", 9), 0);
        send_frame(0);
        rig.outlet.sequence += 2; /* as if two were lost */
    }
    wait_started(2);
    give_frame(1, "b", 1, FRAME_LAST); /* of the try before */
    begin_again();
    give_frame(1, "a", 1, FRAME_LAST);
    resolve();
    close(hear());
    ck_assert_int_eq(strncmp(rig.heard, "stats.a 1 1700000020\n", 21), 0);
    ck_assert_ptr_null(strstr(rig.heard, "stats.b"));
    ck_assert_double_eq(own("frames_bad"), 4); /* the first of the three was in order */
    give_flush(2);
    close(hear());
    ck_assert_ptr_null(strstr(rig.heard, "frames_"));
    end_frames();
    assert_ends_well();
    ck_assert_uint_eq(n_warned("not usable"), 1);
}
END_TEST

/* What carbon would choke on is not sent, and not counted as sent. */
START_TEST(test_refused_lines)
{
    double n_sent = 0, n_refused = 0, n_lines = 0, n_lines_of_3 = 0;

    set_up();
    listen_now();
    rig.opts.self_stats = true;
    start();
    /* The end of one may be seen behind the statistics of the next, but not of the one after it. */
    for (unsigned flush = 1; flush <= 4; flush++) {
        if (flush <= 2) {
            give_frame(flush, "a b", 1, 0);
            give_frame(flush, "c\n", 1, 0);
        }
        give_flush(flush);
        if (flush == 1)
            resolve();
        close(hear());
        ck_assert_ptr_null(strstr(rig.heard, "a b"));
        n_sent += own("lines_sent");
        if (strstr(rig.heard, "lines_refused") != NULL)
            n_refused += own("lines_refused");
        n_lines += flush <= 2 ? n_heard() : 0;
        if (flush == 3)
            n_lines_of_3 = n_heard();
    }
    ck_assert_double_eq(n_refused, 4);
    ck_assert(n_sent == n_lines || n_sent == n_lines + n_lines_of_3);
    end_frames();
    assert_ends_well();
    ck_assert_uint_eq(n_warned("were not sent"), 1);
}
END_TEST

/* A resolver that hangs is waited for once, not at every flush; what it says in the end counts. */
START_TEST(test_hanging_resolver)
{
    int other = bind_carbon();
    uint64_t start_ms;

    ck_assert_int_eq(listen(other, 8), 0);
    set_up();
    listen_now();
    start();
    give_flush(1);
    resolve();
    assert_flush_delivered(1);
    give_flush(2);
    hear_and_reset();
    take_ask();
    start_ms = clock_mono_ms();
    /* A second for the retry and one for the answer: one for each would be eight more. */
    for (unsigned flush = 2; flush <= 10; flush++) {
        if (flush > 2)
            give_flush(flush);
        assert_flush_delivered(flush);
    }
    ck_assert_uint_lt(clock_mono_ms() - start_ms, 8000);
    assert_not_asked();
    answer_with(other);
    give_flush(11);
    close(hear_at(other));
    ck_assert_int_eq(strncmp(rig.heard, "stats.a 11 ", 11), 0);
    close(other);
    end_frames();
    assert_ends_well();
}
END_TEST

/* Fails until the next try is seconds away. */
static void
fail_often(void)
{
    give_flush(1);
    resolve();
    resolve();
    take_ask();
    answer_with(rig.carbon);
}

static const struct {
    const char *destination;
    unsigned n_told;
} moves[] = {{DESTINATION, 0}, {"[::1]:2004", 1}};

/* An answer that nobody asked for is tried at once, whatever the back-off. */
START_TEST(test_unasked_answer)
{
    int other = bind_carbon();
    uint64_t start_ms;

    ck_assert_int_eq(listen(other, 8), 0);
    set_up();
    start();
    fail_often();
    start_ms = clock_mono_ms();
    answer_as(moves[_i].destination, other);
    close(hear_at(other));
    ck_assert_uint_lt(clock_mono_ms() - start_ms, 3000);
    ck_assert_int_eq(strncmp(rig.heard, "stats.a 1 ", 10), 0);
    close(other);
    end_frames();
    assert_ends_well();
    ck_assert_uint_eq(n_logged("sending to [::1]:2004"), moves[_i].n_told);
}
END_TEST

/* A connection to the old destination that goes nowhere holds up nobody. */
START_TEST(test_move_while_sending)
{
    int other = bind_carbon(), peer;
    uint64_t start_ms;

    ck_assert_int_eq(listen(other, 8), 0);
    set_up();
    listen_now();
    start();
    give_flush(1);
    resolve();
    peer = hear();
    start_ms = clock_mono_ms();
    answer_as("elsewhere:2003", other);
    close(hear_at(other));
    ck_assert_uint_lt(clock_mono_ms() - start_ms, PATIENCE_MS);
    ck_assert_int_eq(strncmp(rig.heard, "stats.a 1 ", 10), 0);
    close(peer);
    shutdown(other, SHUT_RDWR); /* the sender may have inherited it */
    give_flush(2);
    take_ask(); /* the new one fails */
    end_frames();
    while (n_logged("elsewhere:2003 does not take") == 0)
        poll(NULL, 0, 2);
    answer_as("elsewhere:2003", rig.carbon);
    assert_flush_delivered(2);
    close(other);
    assert_ends_well();
}
END_TEST

/* The name that a reload has brought is not known: the old place is not gone on with. */
START_TEST(test_move_to_nowhere)
{
    set_up();
    listen_now();
    start();
    give_flush(1);
    resolve();
    assert_flush_delivered(1);
    answer_as("nowhere:2003", -1);
    give_flush(2);
    take_ask();
    answer_as("elsewhere:2003", rig.carbon);
    assert_flush_delivered(2);
    end_frames();
    assert_ends_well();
}
END_TEST

/* One warning, and no more of the same for every try, neither before nor while it stops. */
START_TEST(test_an_outage_is_told_once)
{
    set_up();
    listen_now();
    start();
    give_flush(1);
    resolve();
    hear_and_reset();
    resolve();
    hear_and_reset();
    end_frames();
    for (int i = 0; i < 3; i++)
        hear_and_reset();
    assert_flush_delivered(1);
    assert_ends_well();
    ck_assert_uint_eq(n_logged("does not take flushes"), 1);
    ck_assert_uint_eq(n_logged("reset"), 1);
    ck_assert_uint_eq(n_logged("takes flushes again"), 1);
}
END_TEST

/* Own statistics have room, the flush tells itself what it lacks, and the log does, once. */
START_TEST(test_flush_without_room)
{
    struct record record = {.source = RECORD_SELF, .name = "numStats", .name_len = 8};
    enum { N_LINES = 8000 };

    record_add(&record, STATISTIC_VALUE, 0, N_LINES);
    set_up();
    listen_now();
    rig.opts.queue_memory = 64 << 10;
    rig.opts.self_stats = true;
    start();
    for (int i = 0; i < N_LINES; i++)
        give_frame(1, "a", 1, 0);
    ck_assert_int_eq(record_encode(&record, &rig.outlet.payload), 0);
    send_frame(FRAME_LAST);
    resolve();
    close(hear());
    ck_assert_double_eq(own("numStats"), N_LINES);
    ck_assert_double_gt(own("queue_dropped"), 0);
    ck_assert_double_eq(own("queue_dropped") + n_heard() - 9, N_LINES);
    give_flush(2);
    close(hear());
    ck_assert_double_eq(own("queue_dropped"), 0); /* counted already */
    end_frames();
    assert_ends_well();
    ck_assert_uint_eq(n_logged("QUEUE_MEMORY"), 1);
}
END_TEST

/* A flush that is on its way goes in the end, too, where the next one has no room beside it. */
START_TEST(test_stalled_flush_makes_room)
{
    enum { N_LINES = 3000 };
    int stalled;

    set_up();
    listen_now();
    rig.opts.queue_memory = 64 << 10;
    rig.opts.self_stats = true;
    start();
    for (int i = 0; i < N_LINES; i++)
        give_frame(1, "a", 1, i == N_LINES - 1 ? FRAME_LAST : 0);
    resolve();
    stalled = hear(); /* all of it, but it is not acknowledged */
    for (int i = 0; i < N_LINES; i++)
        give_frame(2, "b", 2, i == N_LINES - 1 ? FRAME_LAST : 0);
    close(hear());
    close(stalled);
    ck_assert_ptr_null(strstr(rig.heard, "stats.a"));
    ck_assert_double_ge(own("queue_dropped"), N_LINES); /* and the own ones of it */
    ck_assert_uint_ge(n_heard(), N_LINES);
    end_frames();
    assert_ends_well();
}
END_TEST

/* What there was no memory for comes to the next process. */
START_TEST(test_no_memory_for_a_flush)
{
    int status;

    set_up();
    listen_now();
    fail_at = 2;
    start();
    give_flush(1);
    take_ask();
    give_flush(2);
    ck_assert_int_eq(waitpid(rig.pid, &status, 0), rig.pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
    fail_at = 0;
    start();
    begin_again();
    give_flush(2);
    wait_committed(2);
    resolve();
    assert_flush_delivered(2);
    assert_flush_delivered(1);
    end_frames();
    ck_assert_uint_eq(assert_ends_well().delivered, 2);
    ck_assert_uint_eq(n_logged("no memory"), 1);
}
END_TEST

START_TEST(test_nothing_to_deliver_to)
{
    set_up();
    rig.opts.deliver = false;
    start();
    for (unsigned flush = 1; flush <= 3; flush++)
        give_flush(flush);
    end_frames();
    wait_readable(rig.asked); /* its end: without a question before */
    ck_assert_int_eq((int)read(rig.asked, rig.heard, 1), 0);
    assert_ends_well();
}
END_TEST

/* The signals that end the whole group are not for the sender: it ends behind the worker. */
START_TEST(test_signals)
{
    set_up();
    listen_now();
    start();
    give_flush(1);
    take_ask();
    kill(rig.pid, SIGTERM);
    kill(rig.pid, SIGINT);
    answer_with(rig.carbon);
    assert_flush_delivered(1);
    end_frames();
    assert_ends_well();
}
END_TEST

/* Those that had to go are the oldest, and every line is in one of the counts. */
START_TEST(test_small_queue)
{
    enum { N_FLUSHES = 40, N_KEPT = 4 };
    static const unsigned want[N_KEPT] = {40, 37, 38, 39};
    unsigned n_lines = 0;
    double n_dropped = 0;
    struct told told;

    set_up();
    rig.opts.queue_memory = N_KEPT * 4096;
    rig.opts.self_stats = true;
    start();
    for (unsigned flush = 1; flush < N_FLUSHES; flush++)
        give_flush(flush);
    wait_committed(N_FLUSHES - 1);
    resolve();
    take_ask();
    give_flush(N_FLUSHES);
    wait_committed(N_FLUSHES);
    listen_now();
    answer_with(rig.carbon);
    for (unsigned i = 0; i < N_KEPT; i++) {
        unsigned flush;

        close(hear());
        ck_assert_int_eq(sscanf(rig.heard, "stats.a %u ", &flush), 1);
        ck_assert_uint_eq(flush, want[i]);
        n_lines = n_heard();
        n_dropped += own("queue_dropped");
    }
    end_frames();
    told = assert_ends_well();
    ck_assert_uint_eq(told.emitted, N_FLUSHES * n_lines);
    ck_assert_uint_eq(told.delivered, N_KEPT * n_lines);
    ck_assert_double_eq(n_dropped, N_KEPT * n_lines); /* each tells of the one before */
}
END_TEST

/* As long as a flush of the backlog waits for its turn where there was none that is live. */
static void
fly(void)
{
    board_set(ahead_ms, board_get(ahead_ms) + 2500);
}

/* ---- a sender that is killed, and the next one */

START_TEST(test_killed_within_a_flush)
{
    set_up();
    listen_now();
    start();
    give_frame(1, "a", 1, 0);
    wait_started(1);
    kill_sender();
    give_frame(1, "b", 2, 0); /* stays in the pipe */
    start();
    wait_started(2);
    ck_assert_uint_eq(board_get(&rig.opts.board->committed), 0);
    begin_again();
    give_frame(1, "a", 1, 0);
    give_frame(1, "b", 2, FRAME_LAST);
    wait_committed(1);
    resolve();
    assert_delivered("stats.a 1 1700000020\nstats.b 2 1700000020\n");
    end_frames();
    ck_assert_uint_eq(assert_ends_well().emitted, 2);
}
END_TEST

/* What was taken is there, and said to be before a frame is read. */
START_TEST(test_killed_with_a_queue)
{
    set_up();
    listen_now();
    start();
    for (unsigned flush = 1; flush <= 3; flush++)
        give_flush(flush);
    wait_committed(3);
    take_ask();
    kill_sender();
    board_set(&rig.opts.board->committed, 0);
    start();
    wait_started(2);
    ck_assert_uint_eq(board_get(&rig.opts.board->committed), id_of(3));
    begin_again();
    give_flush(3); /* its worker did not see it in time */
    resolve();
    for (unsigned flush = 1; flush <= 3; flush++) {
        assert_flush_delivered(flush);
        board_set(ahead_ms,
                  board_get(ahead_ms) + 5000); /* they are in no hurry without a live one */
    }
    end_frames();
    ck_assert_uint_eq(assert_ends_well().delivered, 3);
    ck_assert_uint_eq(n_logged("going on with 3 flushes of 3 lines"), 1);
}
END_TEST

START_TEST(test_killed_while_sending)
{
    int peer;

    set_up();
    listen_now();
    start();
    give_flush(1);
    resolve();
    peer = hear();
    kill_sender();
    close(peer);
    start();
    resolve();
    assert_flush_delivered(1);
    end_frames();
    ck_assert_uint_eq(assert_ends_well().delivered, 1);
}
END_TEST

/* The master is another, too; carbon does not take anything before the first one's time is over. */
START_TEST(test_another_master)
{
    set_up();
    rig.opts.arena_outlives = true;
    start();
    give_flush(1);
    resolve();
    take_ask();
    answer_with(-1);
    end_frames();
    while (n_logged("does not take") == 0)
        poll(NULL, 0, 2);
    ck_assert_uint_eq(assert_gives_up().queued, 1);
    ck_assert_uint_eq(n_logged("wait in STATE_DIR"), 1);
    ck_assert_uint_eq(n_logged("are lost"), 0);
    forget_log();
    open_ends();
    listen_now();
    start();
    resolve();
    assert_flush_delivered(1);
    end_frames();
    ck_assert_uint_eq(assert_ends_well().delivered, 1);
}
END_TEST

/* The same without a place for it. */
START_TEST(test_lost_at_the_end)
{
    struct told told;

    set_up();
    start();
    give_flush(1);
    resolve();
    take_ask();
    answer_with(-1);
    end_frames();
    while (n_logged("does not take") == 0)
        poll(NULL, 0, 2);
    told = assert_gives_up();
    ck_assert_uint_eq(told.queued, 0);
    ck_assert_uint_eq(told.dropped, 1);
    ck_assert_uint_eq(n_logged("did not take 1 lines in time: they are lost"), 1);
}
END_TEST

START_TEST(test_foreign_arena)
{
    set_up();
    listen_now();
    ck_assert_int_eq((int)pwrite(rig.opts.arena_fd, "something else", 14, 0), 14);
    start();
    give_flush(1);
    resolve();
    assert_flush_delivered(1);
    end_frames();
    assert_ends_well();
    ck_assert_uint_eq(n_logged("not of this version"), 1);
}
END_TEST

/* ---- what is delivered, and when */

/* What carbon had acknowledged before it was seen to die goes again, behind nothing older. */
START_TEST(test_replay)
{
    set_up();
    listen_now();
    rig.opts.replay_window_ms = 60000;
    rig.opts.self_stats = true;
    start();
    give_flush(1);
    resolve();
    close(hear());
    for (unsigned flush = 2; flush <= 3; flush++) {
        give_flush(flush);
        close(hear());
    }
    give_flush(4);
    hear_and_reset();
    resolve();
    for (unsigned flush = 1; flush <= 4; flush++) {
        unsigned n;

        close(hear());
        ck_assert_int_eq(sscanf(rig.heard, "stats.a %u ", &n), 1);
        ck_assert_uint_eq(n, flush);
    }
    give_flush(5);
    close(hear());
    ck_assert_double_ge(own("lines_replayed"), 3);
    end_frames();
    ck_assert_uint_eq(assert_ends_well().dropped, 0);
}
END_TEST

/* An aggregator would count it twice: what may have been taken does not go again. */
START_TEST(test_never_twice)
{
    struct told told;

    set_up();
    rig.opts.never_twice = true;
    rig.opts.replay_window_ms = 60000;
    start();
    give_flush(1);
    resolve(); /* refused: nothing was taken */
    take_ask();
    listen_now();
    answer_with(rig.carbon);
    hear_and_reset();
    give_flush(2);
    take_ask();
    answer_with(rig.carbon);
    assert_flush_delivered(2);
    end_frames();
    told = assert_ends_well();
    ck_assert_uint_eq(told.delivered, 1);
    ck_assert_uint_eq(told.dropped, 1);
    ck_assert_uint_eq(n_logged("an aggregator may have some"), 1);
}
END_TEST

/* The same where the sender is killed and nobody knows. */
START_TEST(test_never_twice_after_a_kill)
{
    struct told told;
    int peer;

    set_up();
    listen_now();
    rig.opts.never_twice = true;
    start();
    give_flush(1);
    resolve();
    peer = hear();
    give_flush(2);
    wait_committed(2);
    kill_sender();
    close(peer);
    start();
    resolve();
    assert_flush_delivered(2);
    end_frames();
    told = assert_ends_well();
    ck_assert_uint_eq(told.delivered, 1);
    ck_assert_uint_eq(told.dropped, 1);
}
END_TEST

/* A peer that does not close has it when its host has it. */
START_TEST(test_without_awaiting_fin)
{
    int first, second;

    set_up();
    listen_now();
    rig.opts.await_fin = false;
    start();
    give_flush(1);
    resolve();
    first = hear();
    give_flush(2);
    second = hear();
    ck_assert_int_eq(strncmp(rig.heard, "stats.a 2 ", 10), 0);
    end_frames();
    ck_assert_uint_eq(assert_ends_well().delivered, 2);
    close(first);
    close(second);
}
END_TEST

/* Of two flushes of one interval the later is the whole, and carbon keeps what comes last. */
START_TEST(test_two_flushes_of_one_interval)
{
    set_up();
    start();
    give_flush(1);
    wait_committed(1);
    resolve();
    outlet_begin(&rig.outlet, id_of(2), end_ms_of(1));
    rig.flush = 2;
    give_frame(2, "a", 2, FRAME_LAST);
    wait_committed(2);
    take_ask();
    listen_now();
    answer_with(rig.carbon);
    assert_delivered("stats.a 1 1700000020\n");
    assert_delivered("stats.a 2 1700000020\n");
    end_frames();
    assert_ends_well();
}
END_TEST

/* However long there is nothing to do, it is seen to live. */
START_TEST(test_heartbeat)
{
    const uint64_t *beat;

    set_up();
    start();
    beat = &rig.opts.board->beats[BOARD_SENDER];
    for (int i = 0; i < 3; i++) {
        uint64_t before = board_get(beat), start_ms = clock_mono_ms();

        while (board_get(beat) == before) {
            ck_assert_uint_lt(clock_mono_ms() - start_ms, 4000);
            poll(NULL, 0, 2);
        }
    }
    end_frames();
    assert_ends_well();
}
END_TEST

/* ---- on disk */

static char directory[] = "/tmp/check_sender.XXXXXX";

static int
open_directory(void)
{
    int fd;

    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static void
remove_directory(int fd)
{
    ck_assert_int_eq(rmdir(directory), 0);
    close(fd);
}

/* What carbon does not take for an interval is on disk, and outlives memory. */
START_TEST(test_spool)
{
    int fd = open_directory();

    set_up();
    rig.opts.spool_fd = fd;
    rig.opts.spool_max_bytes = 1 << 20;
    rig.opts.spool_max_age_ms = UINT64_MAX;
    start();
    for (unsigned flush = 1; flush <= 3; flush++) {
        give_flush(flush);
        wait_committed(flush);
    }
    resolve();
    take_ask();
    kill_sender();
    ck_assert_int_eq(ftruncate(rig.opts.arena_fd, 0), 0); /* the machine went down */
    start();
    take_ask();
    give_flush(4);
    wait_committed(4);
    listen_now();
    answer_with(rig.carbon);
    assert_flush_delivered(4);
    for (unsigned flush = 1; flush <= 2; flush++) {
        assert_flush_delivered(flush);
        fly();
    }
    end_frames();
    ck_assert_uint_eq(assert_ends_well().delivered, 3);
    ck_assert_uint_eq(n_logged("2 flushes wait in SPOOL_DIR, of 2 lines"), 1);
    remove_directory(fd);
}
END_TEST

START_TEST(test_spool_at_the_end)
{
    int fd = open_directory();
    struct told told;

    set_up();
    rig.opts.spool_fd = fd;
    rig.opts.spool_max_bytes = 1 << 20;
    rig.opts.spool_max_age_ms = UINT64_MAX;
    start();
    give_flush(1);
    give_flush(2);
    resolve();
    take_ask();
    answer_with(-1);
    end_frames();
    while (n_logged("does not take") == 0)
        poll(NULL, 0, 2);
    told = assert_gives_up();
    ck_assert_uint_eq(told.spooled, 2);
    ck_assert_uint_eq(told.queued + told.dropped, 0);
    forget_log();
    open_ends();
    listen_now();
    start();
    resolve();
    assert_flush_delivered(1);
    fly();
    assert_flush_delivered(2);
    end_frames();
    ck_assert_uint_eq(assert_ends_well().delivered, 2);
    remove_directory(fd);
}
END_TEST

START_TEST(test_gauges_file)
{
    struct record record = {.source = METRIC_GAUGE, .name = "g", .name_len = 1, .set_ms = 5};
    int fd = open_directory();
    struct stat found;

    set_up();
    rig.opts.gauges_fd = fd;
    rig.opts.gauges_name = "gauges";
    record_add(&record, STATISTIC_VALUE, 0, 1);
    start();
    give_frame(1, "a", 1, 0);
    ck_assert_int_eq(record_encode(&record, &rig.outlet.payload), 0);
    send_frame(FRAME_LAST);
    give_flush(2);
    give_flush(3); /* the flush before it is saved now */
    wait_committed(3);
    ck_assert_int_eq(fstatat(fd, "gauges", &found, 0), 0);
    ck_assert_int_eq(unlinkat(fd, "gauges", 0), 0);
    kill_sender();
    while (unlinkat(fd, "gauges", 0) == 0 || unlinkat(fd, "gauges.tmp", 0) == 0)
        continue;
    remove_directory(fd);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("sender");
    TCase *tcase = tcase_create("sender");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, test_flushes_are_delivered);
    tcase_add_test(tcase, test_a_flush_of_many_frames);
    tcase_add_test(tcase, test_own_statistics);
    tcase_add_test(tcase, test_carbon_comes_back);
    tcase_add_test(tcase, test_not_acknowledged);
    tcase_add_test(tcase, test_resolver_fails_first);
    tcase_add_test(tcase, test_stale_answer);
    tcase_add_test(tcase, test_end_with_a_flush);
    tcase_add_test(tcase, test_end_of_nothing);
    tcase_add_test(tcase, test_end_while_resolving);
    tcase_add_test(tcase, test_cut_flush);
    tcase_add_test(tcase, test_bad_packets);
    tcase_add_test(tcase, test_refused_lines);
    tcase_add_test(tcase, test_hanging_resolver);
    tcase_add_loop_test(tcase, test_unasked_answer, 0, sizeof(moves) / sizeof(moves[0]));
    tcase_add_test(tcase, test_move_while_sending);
    tcase_add_test(tcase, test_move_to_nowhere);
    tcase_add_test(tcase, test_an_outage_is_told_once);
    tcase_add_test(tcase, test_flush_without_room);
    tcase_add_test(tcase, test_stalled_flush_makes_room);
    tcase_add_test(tcase, test_no_memory_for_a_flush);
    tcase_add_test(tcase, test_nothing_to_deliver_to);
    tcase_add_test(tcase, test_signals);
    tcase_add_test(tcase, test_small_queue);
    tcase_add_test(tcase, test_end_within_a_flush);
    tcase_add_test(tcase, test_a_flush_comes_twice);
    tcase_add_test(tcase, test_killed_within_a_flush);
    tcase_add_test(tcase, test_killed_with_a_queue);
    tcase_add_test(tcase, test_killed_while_sending);
    tcase_add_test(tcase, test_another_master);
    tcase_add_test(tcase, test_lost_at_the_end);
    tcase_add_test(tcase, test_foreign_arena);
    tcase_add_test(tcase, test_replay);
    tcase_add_test(tcase, test_never_twice);
    tcase_add_test(tcase, test_never_twice_after_a_kill);
    tcase_add_test(tcase, test_without_awaiting_fin);
    tcase_add_test(tcase, test_two_flushes_of_one_interval);
    tcase_add_test(tcase, test_heartbeat);
    tcase_add_test(tcase, test_spool);
    tcase_add_test(tcase, test_spool_at_the_end);
    tcase_add_test(tcase, test_gauges_file);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
