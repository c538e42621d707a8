/*
 * check_client: what options can be, what is collected into a datagram and when it goes, and that
 * threads and processes share a client without losing a sample or sending one twice.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "client/client.h"
#include "stand.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LONG_MS      1000000
#define N_THREADS    4
#define N_EACH       5000

static int fd;
static unsigned port;
static struct pystatsd_client *client;

static void
setup(void)
{
    stand_setup();
    port = 0;
    client = NULL;
    fd = stand_receiver("127.0.0.1", &port);
}

static void
teardown(void)
{
    pystatsd_client_free(client);
    close(fd);
    stand_teardown();
}

/* In libc's place: what a network refuses that takes no datagram of that length, and how the last
 * one was sent. */
static bool is_too_long;
static _Thread_local int last_flags;
static _Thread_local bool was_locked;

ssize_t
sendto(int socket, const void *data, size_t len, int flags, __CONST_SOCKADDR_ARG address,
       socklen_t address_len)
{
    last_flags = flags;
    was_locked = client != NULL && pthread_mutex_trylock(&client->mutex) != 0;
    if (client != NULL && !was_locked)
        pthread_mutex_unlock(&client->mutex);
    if (is_too_long) {
        errno = EMSGSIZE;
        return -1;
    }
    return syscall(SYS_sendto, socket, data, len, flags, address.__sockaddr__, address_len);
}

static void
make(unsigned buffer_bytes, unsigned buffer_ms)
{
    struct pystatsd_options options = {
        .host = "127.0.0.1", .port = port, .buffer_bytes = buffer_bytes, .buffer_ms = buffer_ms};

    ck_assert_int_eq(pystatsd_client_new(&options, &client), 0);
}

static void
count(const char *name)
{
    ck_assert_int_eq(pystatsd_increment(client, name, 1), 0);
}

/* Reads all that is there; returns the samples. */
static int
drain(void)
{
    int n = 0;

    while (!stand_is_empty(fd)) {
        const char *text = stand_receive(fd);
        ck_assert_uint_le(strlen(text), PYSTATSD_DATAGRAM_MAX);
        for (n++; *text != '\0'; text++)
            n += *text == '\n';
    }
    return n;
}

static const struct {
    struct pystatsd_options options;
    int error;
} refused[] = {
    {{.port = 65536}, -EINVAL},
    {{.buffer_bytes = PYSTATSD_DATAGRAM_MAX + 1}, -EINVAL},
    {{.reserved = {[3] = &port}}, -EINVAL},
    {{.host = "127.0.0.1", .prefix = "::"}, -EINVAL},
    {{.unix_path = ""}, -EINVAL},
    {{.host = ""}, -EHOSTUNREACH},
    {{.host = "no.such.example"}, -EHOSTUNREACH},
    {{.unix_path =
          "/a/path/that/is/longer/than/the/hundred/and/eight/bytes/that/the/kernel/has/for/"
          "the/address/of/a/unix/socket"},
     -ENAMETOOLONG},
};

START_TEST(test_refused)
{
    ck_assert_int_eq(pystatsd_client_new(&refused[_i].options, &client), refused[_i].error);
    ck_assert_ptr_null(client);
}
END_TEST

START_TEST(test_defaults)
{
    struct pystatsd_options options = {.host = "127.0.0.1"};

    ck_assert_int_eq(pystatsd_client_new(&options, &client), 0);
    ck_assert_uint_eq(ntohs(((struct sockaddr_in *)&client->peer.addresses.at[0])->sin_port),
                      PYSTATSD_PORT);
    ck_assert_uint_eq(client->peer.resolve_ms, 60000);
    ck_assert_uint_eq(client->buffer_bytes, 0);
    ck_assert_int_eq(pystatsd_client_new(NULL, &client), -EHOSTUNREACH); /* asked for localhost */
    ck_assert_int_eq(pystatsd_flush(NULL), -EINVAL);
    ck_assert_int_eq(pystatsd_flush_due(NULL), -EINVAL);
    ck_assert_str_eq(pystatsd_version(), PYSTATSD_VERSION);
}
END_TEST

START_TEST(test_strings_are_copied)
{
    char path[32], prefix[] = "abc", tags[] = "k:v";
    struct pystatsd_options options = {.unix_path = path, .prefix = prefix, .tags = tags};

    snprintf(path, sizeof path, "@check-client-%d", (int)getpid());
    int receiver = stand_unix_receiver(path);
    ck_assert_int_eq(pystatsd_client_new(&options, &client), 0);
    memset(path, 'x', 5);
    memset(prefix, 'x', 2);
    memset(tags, 'x', 2);
    count("n");
    ck_assert_str_eq(stand_receive(receiver), "abc.n:1|c|#k:v");
    close(receiver);
}
END_TEST

START_TEST(test_a_datagram_a_sample)
{
    make(0, 0);
    count("a");
    ck_assert_str_eq(stand_receive(fd), "a:1|c");
    ck_assert_int_eq(last_flags, MSG_DONTWAIT | MSG_NOSIGNAL);
    ck_assert_int_eq(pystatsd_flush(client), 0);
    ck_assert(stand_is_empty(fd));
}
END_TEST

START_TEST(test_flushed_by_call)
{
    make(100, 0);
    count("a");
    count("b");
    ck_assert(stand_is_empty(fd));
    ck_assert_int_eq(pystatsd_flush_due(client), 0);
    ck_assert(stand_is_empty(fd));
    was_locked = false;
    ck_assert_int_eq(pystatsd_flush(client), 0);
    ck_assert(was_locked); /* against other threads */
    ck_assert_str_eq(stand_receive(fd), "a:1|c\nb:1|c");
    ck_assert_int_eq(pystatsd_flush(client), 0);
    ck_assert(stand_is_empty(fd));
}
END_TEST

START_TEST(test_flushed_by_size)
{
    make(17, 0); /* three lines of five bytes and what joins them */
    count("a");
    count("b");
    count("c");
    ck_assert(stand_is_empty(fd));
    count("d");
    ck_assert_str_eq(stand_receive(fd), "a:1|c\nb:1|c\nc:1|c");
    count("longer-than-a-datagram"); /* which it then has for itself */
    ck_assert_str_eq(stand_receive(fd), "d:1|c");
    ck_assert_str_eq(stand_receive(fd), "longer-than-a-datagram:1|c");
    count("e");
    ck_assert(stand_is_empty(fd));
}
END_TEST

START_TEST(test_largest_datagrams)
{
    make(PYSTATSD_DATAGRAM_MAX, 0);
    for (int i = 0; i < 2000; i++)
        count("name.of.some.length");
    ck_assert_int_eq(pystatsd_flush(client), 0);
    ck_assert_uint_gt(strlen(stand_receive(fd)), PYSTATSD_DATAGRAM_MAX - 24);
    ck_assert_int_eq(drain(), 2000 - PYSTATSD_DATAGRAM_MAX / 24);
}
END_TEST

START_TEST(test_flushed_by_age)
{
    make(100, LONG_MS);
    count("a");
    count("b");
    ck_assert_int_eq(pystatsd_flush_due(client), 0);
    ck_assert(stand_is_empty(fd));
    client->since_ms -= LONG_MS;
    count("c");
    ck_assert_str_eq(stand_receive(fd), "a:1|c\nb:1|c\nc:1|c");
    count("d"); /* it is as old as its first sample */
    ck_assert(stand_is_empty(fd));
    client->since_ms -= LONG_MS;
    was_locked = false;
    ck_assert_int_eq(pystatsd_flush_due(client), 0);
    ck_assert(was_locked);
    ck_assert_str_eq(stand_receive(fd), "d:1|c");
}
END_TEST

START_TEST(test_flushed_at_the_end)
{
    pystatsd_client_free(NULL);
    make(100, 0);
    count("a");
    pystatsd_client_free(client);
    client = NULL;
    ck_assert_str_eq(stand_receive(fd), "a:1|c");
}
END_TEST

/* What is buffered waits for the server; what no longer fits is lost, and its caller told. */
START_TEST(test_kept_while_the_server_is_away)
{
    char path[32];
    struct pystatsd_options options = {.unix_path = path, .buffer_bytes = 11};

    snprintf(path, sizeof path, "@check-client-%d", (int)getpid());
    ck_assert_int_eq(pystatsd_client_new(&options, &client), 0);
    count("a");
    count("b");
    ck_assert_int_eq(pystatsd_increment(client, "c", 1), -ECONNREFUSED);
    ck_assert_int_eq(pystatsd_increment(client, "longer.than.it", 1), -ECONNREFUSED);
    ck_assert_int_eq(pystatsd_flush(client), -ECONNREFUSED);
    int receiver = stand_unix_receiver(path);
    count("d");
    ck_assert_str_eq(stand_receive(receiver), "a:1|c\nb:1|c");
    ck_assert_int_eq(pystatsd_flush(client), 0);
    ck_assert_str_eq(stand_receive(receiver), "d:1|c");
    close(receiver);
}
END_TEST

START_TEST(test_udp_server_away_and_back)
{
    make(11, 0);
    close(fd);
    count("a");
    ck_assert_int_eq(pystatsd_flush(client), -ECONNREFUSED); /* known at once, on this machine */
    fd = stand_receiver("127.0.0.1", &port);
    count("b");
    ck_assert_int_eq(pystatsd_flush(client), 0);
    ck_assert_str_eq(stand_receive(fd), "a:1|c\nb:1|c");
    ck_assert(stand_is_empty(fd));
}
END_TEST

/* A datagram that never goes must not be in the way of all that follow. */
START_TEST(test_too_long_for_the_way)
{
    make(11, 0);
    count("a");
    is_too_long = true;
    ck_assert_int_eq(pystatsd_flush(client), -EMSGSIZE);
    ck_assert_int_eq(pystatsd_flush(client), 0);
    count("b");
    count("c");
    count("d"); /* goes into the next one */
    is_too_long = false;
    ck_assert_int_eq(pystatsd_flush(client), 0);
    ck_assert_str_eq(stand_receive(fd), "d:1|c");
    ck_assert(stand_is_empty(fd));
}
END_TEST

static void *
count_many(void *argument)
{
    (void)argument;
    for (int i = 0; i < N_EACH; i++)
        pystatsd_timing(client, "name", i, 1);
    return NULL;
}

static void *
drain_all(void *argument)
{
    for (int *n = argument; *n < N_THREADS * N_EACH;) {
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        if (poll(&poller, 1, 2000) == 0)
            break;
        *n += drain();
    }
    return NULL;
}

START_TEST(test_threads)
{
    pthread_t threads[N_THREADS], reader;
    int n = 0, size = 8 << 20;

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    make((unsigned)_i * PYSTATSD_DATAGRAM_MAX, 0);
    ck_assert_int_eq(pthread_create(&reader, NULL, drain_all, &n), 0);
    for (int i = 0; i < N_THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count_many, NULL), 0);
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(pystatsd_flush(client), 0);
    pthread_join(reader, NULL);
    n += drain();
    if (_i == 1)
        ck_assert_int_eq(n, N_THREADS * N_EACH);
    else /* the kernel may have dropped some of so many datagrams */
        ck_assert(n > 0 && n <= N_THREADS * N_EACH);
}
END_TEST

/* What was buffered is the parent's. */
START_TEST(test_fork)
{
    int status;

    make(100, 0);
    count("parent");
    uint64_t random = client->random;
    pid_t pid = fork();
    if (pid == 0) {
        int error = pystatsd_increment(client, "child", 1);
        bool is_fresh = client->random != random;
        pystatsd_client_free(client);
        _exit(error != 0 || !is_fresh);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(stand_receive(fd), "child:1|c");
    count("again");
    ck_assert_int_eq(pystatsd_flush(client), 0);
    ck_assert_str_eq(stand_receive(fd), "parent:1|c\nagain:1|c");
    ck_assert(stand_is_empty(fd));
}
END_TEST

/* Children of a process whose other threads are sending: none finds a lock that nobody opens. */
START_TEST(test_fork_beside_threads)
{
    pthread_t threads[N_THREADS];

    make(PYSTATSD_DATAGRAM_MAX, 0);
    for (int i = 0; i < N_THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count_many, NULL), 0);
    for (int i = 0; i < 50; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            alarm(30);
            _exit(client->len != 0 || pystatsd_increment(client, "x", 1) != 0);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
    }
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

/* A look-up that is under way is the parent's, too. */
START_TEST(test_fork_beside_a_lookup)
{
    struct pystatsd_options options = {.host = STAND_HOST, .port = port, .resolve_s = 1};
    int status;

    stand.addresses[0] = "127.0.0.1";
    stand.hangs = true;
    ck_assert_int_eq(pystatsd_client_new(&options, &client), 0);
    client->peer.ask_ms = 0;
    count("a");
    ck_assert_ptr_nonnull(client->peer.lookup);
    pid_t pid = fork();
    if (pid == 0) {
        int error = pystatsd_increment(client, "b", 1);
        pystatsd_client_free(client);
        _exit(error != 0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(stand_receive(fd), "a:1|c");
    ck_assert_str_eq(stand_receive(fd), "b:1|c");
    sem_post(&stand.let_go);
}
END_TEST

int
main(void)
{
    TCase *tcase = tcase_create("client");
    Suite *suite = suite_create("client");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, test_refused, 0, COUNT(refused));
    tcase_add_test(tcase, test_defaults);
    tcase_add_test(tcase, test_strings_are_copied);
    tcase_add_test(tcase, test_a_datagram_a_sample);
    tcase_add_test(tcase, test_flushed_by_call);
    tcase_add_test(tcase, test_flushed_by_size);
    tcase_add_test(tcase, test_largest_datagrams);
    tcase_add_test(tcase, test_flushed_by_age);
    tcase_add_test(tcase, test_flushed_at_the_end);
    tcase_add_test(tcase, test_kept_while_the_server_is_away);
    tcase_add_test(tcase, test_udp_server_away_and_back);
    tcase_add_test(tcase, test_too_long_for_the_way);
    tcase_add_loop_test(tcase, test_threads, 0, 2);
    tcase_add_test(tcase, test_fork);
    tcase_add_test(tcase, test_fork_beside_threads);
    tcase_add_test(tcase, test_fork_beside_a_lookup);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
