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
             uint64_t end_ms, unsigned flags)
{
    uint8_t packet[FRAME_MAX];
    struct frame_header header;
    ssize_t n = read(fd, packet, sizeof(packet));

    ck_assert_int_eq(n, (ssize_t)(sizeof(header) + len));
    ck_assert_int_eq(frame_check(packet, (size_t)n, &header), FRAME_OK);
    ck_assert_uint_eq(header.sequence, sequence);
    ck_assert_uint_eq(header.flush_id, flush_id);
    ck_assert_uint_eq(header.end_ms, end_ms);
    ck_assert_uint_eq(header.flags, flags);
    ck_assert_int_eq(memcmp(packet + sizeof(header), payload, len), 0);
}

START_TEST(test_frames_in_order)
{
    struct outlet outlet;
    int fds[2];

    open_pipe(fds);
    outlet_init(&outlet, fds[1]);
    outlet_begin(&outlet, 41, 1000);
    ck_assert_int_eq(buf_append_str(&outlet.payload, "first"), 0);
    ck_assert_int_eq(outlet_send(&outlet, 0), 0);
    ck_assert_uint_eq(outlet.payload.len, 0);
    ck_assert_int_eq(outlet_send(&outlet, FRAME_LAST), 0); /* an empty one */
    outlet_begin(&outlet, 42, 1000);
    ck_assert_int_eq(buf_append_str(&outlet.payload, "second"), 0);
    ck_assert_int_eq(outlet_send(&outlet, FRAME_LAST), 0);
    expect_frame(fds[0], "first", 5, 0, 41, 1000, 0);
    expect_frame(fds[0], "", 0, 1, 41, 1000, FRAME_LAST);
    expect_frame(fds[0], "second", 6, 0, 42, 1000, FRAME_LAST);
    close_pipe(fds);
}
END_TEST

START_TEST(test_begin_drops_what_was_gathered)
{
    struct outlet outlet;
    int fds[2];

    open_pipe(fds);
    outlet_init(&outlet, fds[1]);
    ck_assert_int_eq(buf_append_str(&outlet.payload, "half a flush"), 0);
    outlet_begin(&outlet, 5, 50);
    ck_assert_int_eq(buf_append_str(&outlet.payload, "all"), 0);
    ck_assert_int_eq(outlet_send(&outlet, FRAME_LAST), 0);
    expect_frame(fds[0], "all", 3, 0, 5, 50, FRAME_LAST);
    close_pipe(fds);
}
END_TEST

/* Sent a second time, a flush is the same, packet by packet. */
START_TEST(test_begun_anew)
{
    struct outlet outlet;
    int fds[2];

    open_pipe(fds);
    outlet_init(&outlet, fds[1]);
    for (int i = 0; i < 2; i++) {
        outlet_begin(&outlet, UINT64_MAX, 9);
        ck_assert_int_eq(buf_append_str(&outlet.payload, "a"), 0);
        ck_assert_int_eq(outlet_send(&outlet, 0), 0);
        ck_assert_int_eq(buf_append_str(&outlet.payload, "b"), 0);
        ck_assert_int_eq(outlet_send(&outlet, (uint16_t)(i == 0 ? 0 : FRAME_LAST)), 0);
    }
    for (int i = 0; i < 2; i++) {
        expect_frame(fds[0], "a", 1, 0, UINT64_MAX, 9, 0);
        expect_frame(fds[0], "b", 1, 1, UINT64_MAX, 9, i == 0 ? 0 : FRAME_LAST);
    }
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
    outlet_init(&outlet, fds[1]);
    ck_assert_int_eq(buf_append(&outlet.payload, bytes, sizeof(bytes)), 0);
    ck_assert_int_eq(buf_append(&outlet.payload, bytes, 1), -1);
    ck_assert_int_eq(outlet_send(&outlet, 0), 0);
    expect_frame(fds[0], bytes, sizeof(bytes), 0, 0, 0, 0);
    close_pipe(fds);
}
END_TEST

START_TEST(test_full_pipe_keeps_the_payload)
{
    struct outlet outlet;
    uint64_t n = 0;
    int fds[2], error;

    open_pipe(fds);
    outlet_init(&outlet, fds[1]);
    outlet_begin(&outlet, 7, 70);
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
        expect_frame(fds[0], &i, sizeof(i), i, 7, 70, 0);
    ck_assert_int_eq(outlet_send(&outlet, FRAME_LAST), 0);
    expect_frame(fds[0], &n, sizeof(n), n, 7, 70, FRAME_LAST);
    close_pipe(fds);
}
END_TEST

START_TEST(test_reader_is_gone)
{
    struct outlet outlet;
    int fds[2];

    ck_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    open_pipe(fds);
    outlet_init(&outlet, fds[1]);
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

int
main(void)
{
    Suite *suite = suite_create("outlet");
    TCase *tcase = tcase_create("outlet");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_frames_in_order);
    tcase_add_test(tcase, test_begin_drops_what_was_gathered);
    tcase_add_test(tcase, test_begun_anew);
    tcase_add_test(tcase, test_largest_frame);
    tcase_add_test(tcase, test_full_pipe_keeps_the_payload);
    tcase_add_test(tcase, test_reader_is_gone);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
