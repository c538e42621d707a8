/*
 * check_inlet: whatever comes out of a real pipe is a frame or is counted.
 */
#include "pipe/inlet.h"

#include <check.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A pipe with an inlet at its end. */
struct line {
    struct inlet inlet;
    int write_fd;
};

static void
line_open(struct line *line)
{
    int fds[2];

    ck_assert_int_eq(pipe2(fds, O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0);
    inlet_init(&line->inlet, fds[0]);
    line->write_fd = fds[1];
}

static void
line_close(struct line *line)
{
    close(line->inlet.fd);
    close(line->write_fd);
}

static size_t
seal_of(uint8_t packet[FRAME_MAX], uint64_t flush_id, uint64_t sequence, const char *payload)
{
    struct frame_header header = {
        .len = (uint16_t)strlen(payload), .sequence = sequence, .flush_id = flush_id};

    memcpy(packet + sizeof(header), payload, header.len);
    return frame_seal(packet, &header);
}

static size_t
seal(uint8_t packet[FRAME_MAX], uint64_t sequence, const char *payload)
{
    return seal_of(packet, 9, sequence, payload);
}

static void
put(struct line *line, const uint8_t *packet, size_t len)
{
    if (write(line->write_fd, packet, len) != (ssize_t)len)
        ck_abort_msg("the pipe does not take %zu bytes", len);
}

static void
put_frame(struct line *line, uint64_t sequence, const char *payload)
{
    uint8_t packet[FRAME_MAX];

    put(line, packet, seal(packet, sequence, payload));
}

static void
expect_frame(struct line *line, uint64_t sequence, const char *payload)
{
    struct frame frame;

    ck_assert_int_eq(inlet_read(&line->inlet, &frame), INLET_FRAME);
    ck_assert_uint_eq(frame.header.sequence, sequence);
    ck_assert_uint_eq(frame.header.flush_id, 9);
    ck_assert_uint_eq(frame.header.len, strlen(payload));
    ck_assert_int_eq(memcmp(frame.payload, payload, frame.header.len), 0);
}

static void
expect_nothing(struct line *line, enum inlet_result result)
{
    struct frame frame;

    ck_assert_int_eq(inlet_read(&line->inlet, &frame), result);
}

START_TEST(test_frames_in_order)
{
    struct line line;

    line_open(&line);
    expect_nothing(&line, INLET_EMPTY);
    put_frame(&line, 0, "first");
    put_frame(&line, 1, "");
    put_frame(&line, 2, "third");
    expect_frame(&line, 0, "first");
    expect_frame(&line, 1, "");
    expect_frame(&line, 2, "third");
    expect_nothing(&line, INLET_EMPTY);
    ck_assert_uint_eq(line.inlet.n_bad, 0);
    ck_assert_uint_eq(line.inlet.n_stale, 0);
    line_close(&line);
}
END_TEST

START_TEST(test_end)
{
    struct line line;

    line_open(&line);
    put_frame(&line, 0, "what is left comes first");
    ck_assert_int_eq(close(line.write_fd), 0);
    expect_frame(&line, 0, "what is left comes first");
    expect_nothing(&line, INLET_END);
    expect_nothing(&line, INLET_END);
    ck_assert_int_eq(close(line.inlet.fd), 0);
    expect_nothing(&line, INLET_END);
}
END_TEST

/* The next frame is whole after every one that is not. */
START_TEST(test_every_byte_changed)
{
    uint8_t packet[FRAME_MAX];
    size_t len = seal(packet, 0, "payload");
    struct line line;

    line_open(&line);
    for (size_t i = 0; i < len; i++) {
        packet[i] ^= 0x5a;
        put(&line, packet, len);
        packet[i] ^= 0x5a;
        put(&line, packet, len);
        expect_nothing(&line, INLET_BAD);
        ck_assert_int_eq(line.inlet.last_error, i == 4 || i == 5 ? FRAME_LENGTH : FRAME_CHECKSUM);
        expect_frame(&line, 0, "payload");
    }
    ck_assert_uint_eq(line.inlet.n_bad, len);
    ck_assert_uint_eq(line.inlet.n_stale, 0);
    line_close(&line);
}
END_TEST

START_TEST(test_every_truncation)
{
    uint8_t packet[FRAME_MAX];
    size_t len = seal(packet, 0, "payload");
    struct line line;

    line_open(&line);
    for (size_t n = 1; n < len; n++) {
        put(&line, packet, n);
        put(&line, packet, len);
        expect_nothing(&line, INLET_BAD);
        ck_assert_int_eq(line.inlet.last_error,
                         n < sizeof(struct frame_header) ? FRAME_SHORT : FRAME_LENGTH);
        expect_frame(&line, 0, "payload");
    }
    ck_assert_uint_eq(line.inlet.n_bad, len - 1);
    line_close(&line);
}
END_TEST

/* A pipe cuts it into packets of 4,096 bytes. */
START_TEST(test_too_long)
{
    static uint8_t bytes[FRAME_MAX + 100];
    struct line line;

    line_open(&line);
    put(&line, bytes, sizeof(bytes));
    put_frame(&line, 0, "good");
    expect_nothing(&line, INLET_BAD);
    expect_nothing(&line, INLET_BAD);
    expect_frame(&line, 0, "good");
    ck_assert_uint_eq(line.inlet.n_bad, 2);
    line_close(&line);
}
END_TEST

/* What comes, by flush and sequence, and whether it follows. */
static const struct {
    uint64_t flush_id, sequence;
    bool follows;
} rows[] = {
    {5, 4, false}, /* a flush that began before this process */
    {5, 0, true},          {5, 1, true},
    {5, 1, false},         {5, 2, true},
    {5, 4, false},                        /* one is missing */
    {5, 3, true},                         /* what does not follow changes nothing */
    {6, 1, false},         {6, 4, false}, /* another flush without its beginning */
    {5, 4, true},          {6, 0, true},
    {5, 5, false},         {6, 1, true},
    {6, 0, true}, /* anew */
    {6, 2, false},         {6, 0, true},
    {6, 1, true},          {6, 2, true},
    {7, 0, true},          {6, 0, true}, /* an older one is for others to judge */
    {UINT64_MAX, 0, true}, {UINT64_MAX, UINT64_MAX, false},
    {UINT64_MAX, 1, true},
};

START_TEST(test_what_follows)
{
    struct line line;
    uint64_t n_stale = 0;

    line_open(&line);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t packet[FRAME_MAX];
        struct frame frame;
        enum inlet_result result;

        put(&line, packet, seal_of(packet, rows[i].flush_id, rows[i].sequence, "x"));
        result = inlet_read(&line.inlet, &frame);
        n_stale += !rows[i].follows;
        ck_assert_msg(result == (rows[i].follows ? INLET_FRAME : INLET_STALE), "row %zu: %d", i,
                      result);
        ck_assert_uint_eq(line.inlet.n_stale, n_stale);
    }
    line_close(&line);
}
END_TEST

/* What comes behind a frame that is not one does not follow: its flush is to come anew. */
START_TEST(test_behind_a_bad_frame)
{
    uint8_t packet[FRAME_MAX];
    size_t len = seal(packet, 1, "x");
    struct line line;

    line_open(&line);
    put_frame(&line, 0, "x");
    packet[len - 1] ^= 1;
    put(&line, packet, len);
    put_frame(&line, 2, "x");
    put_frame(&line, 0, "x");
    expect_frame(&line, 0, "x");
    expect_nothing(&line, INLET_BAD);
    expect_nothing(&line, INLET_STALE);
    expect_frame(&line, 0, "x");
    ck_assert_uint_eq(line.inlet.n_bad, 1);
    ck_assert_uint_eq(line.inlet.n_stale, 1);
    line_close(&line);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("inlet");
    TCase *tcase = tcase_create("inlet");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_frames_in_order);
    tcase_add_test(tcase, test_end);
    tcase_add_test(tcase, test_every_byte_changed);
    tcase_add_test(tcase, test_every_truncation);
    tcase_add_test(tcase, test_too_long);
    tcase_add_test(tcase, test_what_follows);
    tcase_add_test(tcase, test_behind_a_bad_frame);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
