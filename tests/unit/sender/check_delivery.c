/*
 * check_delivery: hours of outages in a moment, peers of every kind, and the ledger behind them.
 * The test is the resolver, carbon and the clock.
 */
#include "arena.h"
#include "folder.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <syslog.h>

#include "base/log.h"
#include "sender/delivery.h"

#define INTERVAL_MS 10000
#define FLUSHES_MAX 1000

static struct delivery delivery;
static struct sender_opts opts;
static int asked, answers, listener; /* the test's ends */
static bool listens;

static uint64_t now_ms = 1000000;

uint64_t __wrap_clock_mono_ms(void);

/* The linker puts it in the place of clock_mono_ms. */
uint64_t
__wrap_clock_mono_ms(void)
{
    return now_ms;
}

/* What carbon has heard: the last value of each flush's timestamp, and in what order. */
static struct {
    unsigned n, order[FLUSHES_MAX];
    unsigned n_lines[FLUSHES_MAX];
} heard;

/* How a connection is met. */
enum manner {
    WELL,
    CLOSES_AT_ONCE,
    CLOSES_HALF_WAY,
    RESETS,
    TALKS,
    STALLS,
    NEVER_CLOSES,
};

static void
set_up(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int ask[2], answer[2];

    log_init(LOG_TO_STDERR, LOG_ERR);
    ck_assert_int_eq(pipe2(ask, O_CLOEXEC | O_NONBLOCK), 0);
    ck_assert_int_eq(pipe2(answer, O_DIRECT | O_CLOEXEC | O_NONBLOCK), 0);
    asked = ask[0];
    answers = answer[1];
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    opts = (struct sender_opts){
        .ask_fd = ask[1],
        .addresses_fd = answer[0],
        .arena_fd = new_arena(),
        .spool_fd = -1,
        .spool_max_bytes = 1 << 24,
        .spool_max_age_ms = UINT64_MAX,
        .board = board_new(),
        .destination = "here:2003",
        .deliver = true,
        .await_fin = true,
        .queue_memory = 4 << 20,
        .dns_refresh_ms = 60000,
        .connect_timeout_ms = 5000,
        .send_timeout_ms = 10000,
    };
    dialect_init(&opts.dialect);
}

static void
begin(void)
{
    memset(&delivery, 0, sizeof(delivery));
    delivery_open(&delivery, &opts);
}

static void
tear_down(void)
{
    ck_assert(is_closed(&delivery.backlog.queue));
    delivery_close(&delivery);
    ck_assert(listens || heard.n == 0);
    close(listener);
    close(asked);
    close(answers);
    close(opts.arena_fd);
}

static void
carbon_comes(void)
{
    ck_assert_int_eq(listen(listener, 8), 0);
    listens = true;
}

static void
tell_where(void)
{
    struct resolved answer = {.n = 1, .destination = "here:2003"};
    struct net_address *address = &answer.addresses[0];

    address->len = sizeof(address->storage);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address->storage, &address->len), 0);
    ck_assert_int_eq((int)write(answers, &answer, sizeof(answer)), (int)sizeof(answer));
}

/* Every question has its answer. */
static void
resolve(void)
{
    char byte;

    if (read(asked, &byte, 1) == 1)
        tell_where();
}

static void
take_flush(unsigned n, unsigned n_lines)
{
    struct batch *batch = batch_of(n, n_lines);

    delivery_take(&delivery, batch, queue_ledger(&delivery.backlog.queue));
    batch_free(batch);
}

/* Lets delivery go on as long as there is something to go on with. */
static void
go(void)
{
    struct pollfd slot = {.fd = -1};

    do {
        resolve();
        delivery_go(&delivery);
        slot = (struct pollfd){.fd = delivery.carbon.fd, .events = carbon_events(&delivery.carbon)};
    } while (delivery.target.waiting || (slot.fd >= 0 && poll(&slot, 1, 0) > 0));
}

/* Reads what a connection brings, and enters it when it is whole. */
static void
hear(int peer)
{
    static char text[1 << 20];
    size_t len = 0;
    ssize_t n;

    for (;;) {
        struct pollfd slot = {.fd = peer, .events = POLLIN};

        go();
        ck_assert_int_eq(poll(&slot, 1, 5000), 1);
        n = read(peer, text + len, sizeof(text) - 1 - len);
        ck_assert_int_ge((int)n, 0);
        if (n == 0)
            break;
        len += (size_t)n;
    }
    text[len] = '\0';
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        unsigned long timestamp;
        unsigned flush;

        ck_assert_int_eq(sscanf(line, "statsd.name %*s %lu", &timestamp), 1);
        flush = (unsigned)(timestamp - 1700000000) / 10;
        ck_assert_uint_lt(flush, FLUSHES_MAX);
        if (line == text)
            heard.order[heard.n++] = flush;
        heard.n_lines[flush]++;
    }
}

/* Meets the next connection, if there is one; returns whether there was. */
static bool
meet(enum manner manner)
{
    const struct linger at_once = {.l_onoff = 1};
    static const char garbage[8192];
    int peer;

    go();
    peer = listens ? accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
    if (peer < 0)
        return false;
    if (manner == WELL || manner == NEVER_CLOSES)
        hear(peer);
    if (manner == CLOSES_HALF_WAY || manner == STALLS || manner == RESETS)
        go();
    if (manner == TALKS)
        ck_assert_int_gt((int)write(peer, garbage, sizeof(garbage)), 4096);
    if (manner == RESETS)
        setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    if (manner == STALLS || manner == NEVER_CLOSES) {
        go();
        now_ms += 10000;
        go();
        ck_assert_int_eq(delivery.item.kind, BACKLOG_NOTHING);
    }
    close(peer);
    go();
    return true;
}

/* A second at a time, which is what the first wait behind a failure is. */
static unsigned
pass_interval(enum manner manner)
{
    unsigned n_met = 0;

    for (uint64_t end_ms = now_ms + INTERVAL_MS; now_ms < end_ms; now_ms += 500) {
        while (meet(manner))
            n_met++;
    }
    return n_met;
}

static size_t
n_queued(void)
{
    size_t n_batches;

    queue_lines(&delivery.backlog.queue, &n_batches);
    return n_batches;
}

static unsigned
n_open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned n = 0;

    while (readdir(directory) != NULL)
        n++;
    closedir(directory);
    return n;
}

/* An hour without carbon, in memory or on disk: each flush comes with its own timestamp, live ones
 * at once, the others oldest first and four in the time of one. */
static void
try_an_hour(bool with_spool)
{
    enum { N_OUT = 360, N_BACK = 100 };
    unsigned n_files, last = 0, n = 0;

    set_up();
    folder_make();
    opts.spool_fd = with_spool ? folder : -1;
    begin();
    n_files = n_open_files();
    while (n < N_OUT) {
        take_flush(++n, 10);
        ck_assert_uint_eq(pass_interval(WELL), 0);
    }
    ck_assert_uint_eq(n_queued() + delivery.backlog.stow.spool.n_files, N_OUT);
    ck_assert_uint_eq(queue_ledger(&delivery.backlog.queue)->spooled, with_spool ? 3590 : 0);
    carbon_comes();
    now_ms += 30000; /* no wait is longer */
    while (n < N_OUT + N_BACK) {
        unsigned n_before = heard.n, n_met;

        take_flush(++n, 10);
        n_met = pass_interval(WELL);
        ck_assert_uint_le(n_met, 1 + 5); /* one may be left of the interval before */
        ck_assert_uint_ge(n_met, 1);
        ck_assert_uint_eq(heard.order[n_before], n);
        for (unsigned i = n_before + 1; i < heard.n; i++) {
            ck_assert_uint_gt(heard.order[i], last);
            last = heard.order[i];
        }
    }
    ck_assert_uint_eq(last, N_OUT);
    ck_assert_uint_eq(heard.n, n);
    for (unsigned i = 1; i <= n; i++)
        ck_assert_uint_eq(heard.n_lines[i], 10);
    ck_assert_uint_eq(queue_ledger(&delivery.backlog.queue)->delivered, 10 * n);
    ck_assert_uint_eq(n_open_files(), n_files);
    tear_down();
    folder_remove();
}

START_TEST(test_an_hour_without_carbon)
{
    try_an_hour(_i == 1);
}
END_TEST

/* However a peer behaves, the flush comes again, and carbon has it once or more. */
START_TEST(test_peers)
{
    static const enum manner manners[] = {CLOSES_AT_ONCE, CLOSES_HALF_WAY, RESETS,
                                          TALKS,          STALLS,          NEVER_CLOSES};

    set_up();
    begin();
    carbon_comes();
    for (unsigned i = 0; i < sizeof(manners) / sizeof(manners[0]); i++) {
        take_flush(i + 1, 500);
        ck_assert(meet(manners[i]));
        ck_assert_uint_eq(n_queued(), 1);
        ck_assert(delivery.outage.failing);
        now_ms += 1100;
        ck_assert(meet(WELL));
        ck_assert_uint_eq(n_queued(), 0);
        ck_assert_uint_eq(heard.n_lines[i + 1], manners[i] == NEVER_CLOSES ? 1000 : 500);
        now_ms += INTERVAL_MS;
    }
    ck_assert_uint_eq(queue_ledger(&delivery.backlog.queue)->delivered, 3000);
    tear_down();
}
END_TEST

/* In front of an aggregator only what was certainly not taken comes again: its host acknowledges
 * what then nobody reads, too. */
START_TEST(test_peers_that_count)
{
    static const enum manner manners[] = {CLOSES_AT_ONCE, RESETS, STALLS, NEVER_CLOSES};

    set_up();
    opts.never_twice = true;
    begin();
    take_flush(10, 5);
    ck_assert(!meet(WELL)); /* refused */
    ck_assert(delivery.outage.failing);
    carbon_comes();
    now_ms += 1100;
    ck_assert(meet(WELL));
    ck_assert_uint_eq(heard.n_lines[10], 5);
    for (unsigned i = 0; i < sizeof(manners) / sizeof(manners[0]); i++) {
        take_flush(11 + i, 5);
        ck_assert(meet(manners[i]));
        ck_assert_uint_eq(n_queued(), 0);
        now_ms += INTERVAL_MS;
        ck_assert(!meet(WELL));
        ck_assert_uint_eq(queue_ledger(&delivery.backlog.queue)->dropped[LEDGER_UNCERTAIN],
                          5 * (i + 1));
    }
    tear_down();
}
END_TEST

/* What carbon died with goes again, and its failure alone is no reason for more. */
START_TEST(test_replay)
{
    set_up();
    opts.replay_window_ms = 25000;
    begin();
    carbon_comes();
    for (unsigned n = 1; n <= 4; n++) {
        take_flush(n, 10);
        ck_assert_uint_eq(pass_interval(WELL), 1);
    }
    take_flush(5, 10);
    ck_assert(meet(RESETS));
    for (int i = 0; i < 2; i++)
        pass_interval(WELL);
    ck_assert_uint_eq(heard.n, 7); /* the third and fourth were young enough */
    ck_assert_uint_eq(heard.order[4], 3);
    ck_assert_uint_eq(heard.order[5], 4);
    ck_assert_uint_eq(heard.order[6], 5);
    ck_assert_uint_eq(queue_ledger(&delivery.backlog.queue)->replayed, 20);
    ck_assert_uint_eq(queue_ledger(&delivery.backlog.queue)->delivered, 50);
    tear_down();
}
END_TEST

/* A name that means another place is followed, at the latest when its time is over. */
START_TEST(test_name_that_moves)
{
    int old;

    set_up();
    begin();
    carbon_comes();
    take_flush(1, 10);
    ck_assert(meet(WELL));
    old = listener;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    carbon_comes();
    take_flush(2, 10);
    ck_assert(!meet(WELL)); /* the old place is as good as known */
    delivery_make_room(&delivery, 4 << 20);
    now_ms += 60000;
    take_flush(3, 10);
    ck_assert(meet(WELL));
    ck_assert_uint_eq(heard.order[1], 3);
    close(old);
    tear_down();
}
END_TEST

/* An answer that nobody asked for comes while an old place is tried: when that fails the new one is
 * next, without a wait or a question, and when that fails, too, both. */
START_TEST(test_news_while_sending)
{
    char byte;
    int old;

    set_up();
    begin();
    carbon_comes();
    take_flush(1, 10);
    go();
    old = listener;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    carbon_comes();
    tell_where();
    go();
    ck_assert(delivery.item.kind != BACKLOG_NOTHING);
    close(old); /* with what it has not accepted */
    ck_assert(meet(WELL));
    ck_assert_uint_eq(heard.n_lines[1], 10);
    ck_assert_int_eq((int)read(asked, &byte, 1), -1);
    ck_assert_uint_eq(delivery.tally.failures, 1);
    take_flush(2, 10);
    ck_assert(meet(RESETS));
    ck_assert_uint_gt(delivery.outage.retry_ms, now_ms);
    now_ms += INTERVAL_MS;
    delivery_go(&delivery);
    ck_assert_int_eq((int)read(asked, &byte, 1), 1);
    tell_where();
    ck_assert(meet(WELL));
    tear_down();
}
END_TEST

/* Records that are not what they were are not sent. */
START_TEST(test_damaged_in_memory)
{
    struct batch batch;

    set_up();
    begin();
    carbon_comes();
    take_flush(1, 10);
    batch = vault_batch(&delivery.backlog.queue.vault, delivery.backlog.queue.live);
    batch.records.data[3] ^= 1;
    ck_assert(!meet(WELL));
    ck_assert_uint_eq(queue_ledger(&delivery.backlog.queue)->dropped[LEDGER_CORRUPT], 10);
    take_flush(2, 10);
    ck_assert(meet(WELL));
    tear_down();
}
END_TEST

/* The end: what is there goes as fast as it goes, and when its time is over the rest is kept. */
START_TEST(test_stop)
{
    set_up();
    begin();
    opts.arena_outlives = true;
    for (unsigned n = 1; n <= 30; n++)
        take_flush(n, 10);
    ck_assert(!delivery_is_over(&delivery));
    carbon_comes();
    delivery_stop(&delivery);
    for (unsigned n = 1; n <= 20; n++)
        ck_assert(meet(WELL));
    ck_assert(!delivery_is_over(&delivery));
    ck_assert_uint_eq(delivery_deadline(&delivery), now_ms + 10000);
    now_ms += 10000;
    ck_assert(delivery_is_over(&delivery));
    ck_assert_uint_eq(n_queued(), 10);
    tear_down();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("delivery");
    TCase *tcase = tcase_create("delivery");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_an_hour_without_carbon, 0, 2);
    tcase_add_test(tcase, test_peers);
    tcase_add_test(tcase, test_peers_that_count);
    tcase_add_test(tcase, test_replay);
    tcase_add_test(tcase, test_name_that_moves);
    tcase_add_test(tcase, test_news_while_sending);
    tcase_add_test(tcase, test_damaged_in_memory);
    tcase_add_test(tcase, test_stop);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
