/*
 * check_outlet: frames into a real pipe, read back packet by packet.
 */
#include "pipe/outlet.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
open_pipe(int fds[2])
{
    ck_assert_int_eq(pipe2(fds, O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0);
}

static void
close_pipe(const int fds[2])
{
    ck_assert_int_eq(close(fds[0]), 0);
    ck_assert_int_eq(close(fds[1]), 0);
}

/* Reads one packet, which must be a frame with this payload and place. */
static void
expect_frame(int fd, const void *payload, size_t len, uint64_t sequence, uint64_t flush_id,
             unsigned flags)
{
    uint8_t packet[FRAME_MAX];
    struct frame_header header;
    ssize_t n = read(fd, packet, sizeof(packet));

    ck_assert_int_eq(n, (ssize_t)(sizeof(header) + len));
    ck_assert_int_eq(frame_check(packet, (size_t)n, &header), FRAME_OK);
    ck_assert_uint_eq(header.sequence, sequence);
    ck_assert_uint_eq(header.flush_id, flush_id);
    ck_assert_uint_eq(header.flags, flags);
    ck_assert_int_eq(memcmp(packet + sizeof(header), payload, len), 0);
}

START_TEST(test_frames_in_order)
{
    struct outlet outlet;
    int fds[2];

    open_pipe(fds);
    ck_assert_int_eq(outlet_init(&outlet, fds[1], 0), 0);
    outlet_begin(&outlet, 1000);
    ck_assert_int_eq(buf_append_str(&outlet.payload, "first"), 0);
    ck_assert_int_eq(outlet_send(&outlet, 0), 0);
    ck_assert_uint_eq(outlet.payload.len, 0);
    ck_assert_int_eq(outlet_send(&outlet, FRAME_LAST), 0); /* an empty one */
    outlet_begin(&outlet, 2000);
    ck_assert_int_eq(buf_append_str(&outlet.payload, "second"), 0);
    ck_assert_int_eq(outlet_send(&outlet, FRAME_LAST), 0);
    expect_frame(fds[0], "first", 5, 0, 1000, 0);
    expect_frame(fds[0], "", 0, 1, 1000, FRAME_LAST);
    expect_frame(fds[0], "second", 6, 2, 2000, FRAME_LAST);
    close_pipe(fds);
}
END_TEST

START_TEST(test_begin_drops_what_was_gathered)
{
    struct outlet outlet;
    int fds[2];

    open_pipe(fds);
    ck_assert_int_eq(outlet_init(&outlet, fds[1], 0), 0);
    ck_assert_int_eq(buf_append_str(&outlet.payload, "half a flush"), 0);
    outlet_begin(&outlet, 5);
    ck_assert_int_eq(buf_append_str(&outlet.payload, "all"), 0);
    ck_assert_int_eq(outlet_send(&outlet, FRAME_LAST), 0);
    expect_frame(fds[0], "all", 3, 0, 5, FRAME_LAST);
    close_pipe(fds);
}
END_TEST

START_TEST(test_largest_frame)
{
    uint8_t bytes[FRAME_PAYLOAD_MAX];
    struct outlet outlet;
    int fds[2];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 3);
    open_pipe(fds);
    ck_assert_int_eq(outlet_init(&outlet, fds[1], 0), 0);
    ck_assert_int_eq(buf_append(&outlet.payload, bytes, sizeof(bytes)), 0);
    ck_assert_int_eq(buf_append(&outlet.payload, bytes, 1), -1);
    ck_assert_int_eq(outlet_send(&outlet, 0), 0);
    expect_frame(fds[0], bytes, sizeof(bytes), 0, 0, 0);
    close_pipe(fds);
}
END_TEST

START_TEST(test_full_pipe_keeps_the_payload)
{
    struct outlet outlet;
    uint64_t n = 0;
    int fds[2], error;

    open_pipe(fds);
    ck_assert_int_eq(outlet_init(&outlet, fds[1], 0), 0);
    outlet_begin(&outlet, 7);
    for (;; n++) {
        ck_assert_int_eq(buf_append(&outlet.payload, &n, sizeof(n)), 0);
        if (n == 100000 || (error = outlet_send(&outlet, 0)) != 0)
            break;
    }
    ck_assert_int_eq(error, -EAGAIN);
    ck_assert_int_eq(outlet_send(&outlet, 0), -EAGAIN);
    ck_assert_uint_eq(outlet.payload.len, sizeof(n));
    ck_assert_uint_gt(n, 0);
    for (uint64_t i = 0; i < n; i++)
        expect_frame(fds[0], &i, sizeof(i), i, 7, 0);
    ck_assert_int_eq(outlet_send(&outlet, FRAME_LAST), 0);
    expect_frame(fds[0], &n, sizeof(n), n, 7, FRAME_LAST);
    close_pipe(fds);
}
END_TEST

START_TEST(test_reader_is_gone)
{
    struct outlet outlet;
    int fds[2];

    ck_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    open_pipe(fds);
    ck_assert_int_eq(outlet_init(&outlet, fds[1], 0), 0);
    ck_assert_int_eq(buf_append_str(&outlet.payload, "kept"), 0);
    ck_assert_int_eq(close(fds[0]), 0);
    ck_assert_int_eq(outlet_send(&outlet, 0), -EPIPE);
    ck_assert_uint_eq(outlet.payload.len, 4);
    ck_assert_uint_eq(outlet.sequence, 0);
    ck_assert_int_eq(close(fds[1]), 0);
    ck_assert_int_eq(outlet_send(&outlet, 0), -EBADF);
    ck_assert_uint_eq(outlet.payload.len, 4);
}
END_TEST

/* Sends numbers until neither pipe nor backlog take one. Returns how many were taken. */
static uint64_t
send_until_full(struct outlet *outlet, uint64_t flush_id)
{
    uint64_t n = 0;
    int error;

    outlet_begin(outlet, flush_id);
    for (;; n++) {
        ck_assert_int_eq(buf_append(&outlet->payload, &n, sizeof(n)), 0);
        if (n == 100000 || (error = outlet_send(outlet, 0)) != 0)
            break;
    }
    ck_assert_int_eq(error, -EAGAIN);
    ck_assert_uint_eq(outlet->payload.len, sizeof(n));
    return n;
}

START_TEST(test_backlog)
{
    enum { SLOTS = 10 };
    struct outlet outlet;
    uint64_t n, n_pipe;
    int fds[2];

    open_pipe(fds);
    ck_assert_int_eq(outlet_init(&outlet, fds[1], SLOTS * FRAME_MAX + 100), 0);
    ck_assert_int_eq(outlet_drain(&outlet), 0);
    n = send_until_full(&outlet, 7);
    n_pipe = n - SLOTS;
    ck_assert_uint_eq(outlet.n_waiting, SLOTS);
    ck_assert_int_eq(outlet_send(&outlet, 0), -EAGAIN);
    ck_assert_int_eq(outlet_drain(&outlet), -EAGAIN);
    ck_assert_uint_eq(outlet.sequence, n);
    for (uint64_t i = 0; i < n_pipe; i++)
        expect_frame(fds[0], &i, sizeof(i), i, 7, 0);
    ck_assert_int_eq(outlet_drain(&outlet), 0);
    ck_assert_uint_eq(outlet.n_waiting, 0);
    for (uint64_t i = n_pipe; i < n; i++)
        expect_frame(fds[0], &i, sizeof(i), i, 7, 0);
    ck_assert_int_eq(outlet_send(&outlet, FRAME_LAST), 0);
    expect_frame(fds[0], &n, sizeof(n), n, 7, FRAME_LAST);
    outlet_release(&outlet);
    outlet_release(&outlet);
    close_pipe(fds);
}
END_TEST

/* What is sent while something waits goes behind it, and the ring goes round many times. */
START_TEST(test_backlog_keeps_the_order)
{
    struct outlet outlet;
    uint64_t n_sent, n_read = 0;
    int fds[2];

    open_pipe(fds);
    ck_assert_int_eq(outlet_init(&outlet, fds[1], 3 * FRAME_MAX), 0);
    n_sent = send_until_full(&outlet, 7);
    outlet_begin(&outlet, 7);
    for (int round = 0; round < 500; round++) {
        for (int i = round % 4; i >= 0; i--, n_read++) /* room for some more */
            expect_frame(fds[0], &n_read, sizeof(n_read), n_read, 7, 0);
        for (int i = round % 4; i >= 0; i--) {
            ck_assert_int_eq(buf_append(&outlet.payload, &n_sent, sizeof(n_sent)), 0);
            ck_assert_int_eq(outlet_send(&outlet, 0), 0);
            n_sent++;
        }
        ck_assert_uint_eq(outlet.n_waiting, 3);
    }
    while (n_read < n_sent) {
        for (uint64_t n = n_sent - n_read - outlet.n_waiting; n > 0; n--, n_read++)
            expect_frame(fds[0], &n_read, sizeof(n_read), n_read, 7, 0);
        ck_assert_int_eq(outlet_drain(&outlet), 0);
    }
    outlet_release(&outlet);
    close_pipe(fds);
}
END_TEST

/* A frame in the backlog is of the flush that it was sent for. */
START_TEST(test_backlog_of_several_flushes)
{
    uint8_t bytes[FRAME_PAYLOAD_MAX];
    struct outlet outlet;
    uint64_t n;
    int fds[2];

    memset(bytes, 0x5a, sizeof(bytes));
    open_pipe(fds);
    ck_assert_int_eq(outlet_init(&outlet, fds[1], 4 * FRAME_MAX), 0);
    n = send_until_full(&outlet, 1);
    for (uint64_t i = 0; i < n; i++) {
        expect_frame(fds[0], &i, sizeof(i), i, 1, 0);
        (void)outlet_drain(&outlet);
    }
    (void)send_until_full(&outlet, 2);
    outlet_begin(&outlet, 3);
    for (uint64_t i = 0; outlet.n_waiting > 0; i++) { /* until there is room for all */
        expect_frame(fds[0], &i, sizeof(i), n + i, 2, 0);
        (void)outlet_drain(&outlet);
        if (outlet.n_waiting > 0)
            continue;
        ck_assert_int_eq(buf_append(&outlet.payload, bytes, sizeof(bytes)), 0);
        ck_assert_int_eq(outlet_send(&outlet, FRAME_LAST), 0);
        for (i++; n + i < outlet.sequence - 1; i++)
            expect_frame(fds[0], &i, sizeof(i), n + i, 2, 0);
        (void)outlet_drain(&outlet);
        expect_frame(fds[0], bytes, sizeof(bytes), outlet.sequence - 1, 3, FRAME_LAST);
        break;
    }
    outlet_release(&outlet);
    close_pipe(fds);
}
END_TEST

START_TEST(test_reader_is_gone_with_a_backlog)
{
    struct outlet outlet;
    int fds[2];

    ck_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    open_pipe(fds);
    ck_assert_int_eq(outlet_init(&outlet, fds[1], 4 * FRAME_MAX), 0);
    (void)send_until_full(&outlet, 1);
    ck_assert_int_eq(close(fds[0]), 0);
    ck_assert_int_eq(outlet_drain(&outlet), -EPIPE);
    ck_assert_int_eq(outlet_send(&outlet, 0), -EPIPE);
    ck_assert_uint_eq(outlet.n_waiting, 4);
    outlet_release(&outlet);
    ck_assert_int_eq(close(fds[1]), 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("outlet");
    TCase *tcase = tcase_create("outlet");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_frames_in_order);
    tcase_add_test(tcase, test_begin_drops_what_was_gathered);
    tcase_add_test(tcase, test_largest_frame);
    tcase_add_test(tcase, test_full_pipe_keeps_the_payload);
    tcase_add_test(tcase, test_reader_is_gone);
    tcase_add_test(tcase, test_backlog);
    tcase_add_test(tcase, test_backlog_keeps_the_order);
    tcase_add_test(tcase, test_backlog_of_several_flushes);
    tcase_add_test(tcase, test_reader_is_gone_with_a_backlog);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
