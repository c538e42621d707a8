/*
 * check_reply: the first line of an answer, and when it is said.
 */
#include "worker/reply.h"

#include "estrade.h"

static unsigned n_steps;

/* Has nothing to say at first, then something, in two pieces. */
static enum reply_progress
step_slowly(struct reply *reply)
{
    n_steps++;
    if (n_steps == 1)
        return REPLY_LATER;
    reply_say(reply, "piece %u\n", n_steps);
    return n_steps == 2 ? REPLY_MORE : REPLY_DONE;
}

static enum reply_progress
step_badly(struct reply *reply)
{
    return reply_fail(reply, "it cannot be");
}

static void
check_said(struct reply *reply, const char *text)
{
    ck_assert_uint_eq(reply->out.len, strlen(text));
    if (text[0] != '\0')
        ck_assert_mem_eq(reply->out.data, text, strlen(text));
    reply->out.len = 0;
}

START_TEST(test_pieces)
{
    struct reply reply;

    for (int plain = 0; plain <= 1; plain++) {
        n_steps = 0;
        reply_init(&reply, NULL, plain != 0);
        reply.step = step_slowly;
        ck_assert_int_eq(reply_step(&reply), REPLY_LATER);
        check_said(&reply, "");
        ck_assert_int_eq(reply_step(&reply), REPLY_MORE);
        check_said(&reply, plain ? "piece 2\n" : "ok\npiece 2\n");
        ck_assert_int_eq(reply_step(&reply), REPLY_DONE);
        check_said(&reply, "piece 3\n");
        reply_release(&reply);
    }
}
END_TEST

START_TEST(test_failure)
{
    struct reply reply;

    reply_init(&reply, NULL, false);
    reply.step = step_badly;
    ck_assert_int_eq(reply_step(&reply), REPLY_DONE);
    check_said(&reply, "error it cannot be\n");
    ck_assert_int_eq(reply_step(&reply), REPLY_DONE);
    check_said(&reply, "");
    reply_release(&reply);
}
END_TEST

START_TEST(test_nothing_but_good)
{
    struct reply reply;

    reply_init(&reply, NULL, false);
    reply.state = malloc(10);
    reply.release = free;
    ck_assert_int_eq(reply_step(&reply), REPLY_DONE);
    check_said(&reply, "ok\n");
    reply_release(&reply);
    reply_release(&reply);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_pieces, test_failure, test_nothing_but_good};

    return estrade_run("reply", tests, sizeof(tests) / sizeof(tests[0]));
}
