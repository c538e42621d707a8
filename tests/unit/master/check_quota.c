/*
 * check_quota: what groups allow, the least of them first, and what is lowered for it.
 */
#include "master/quota.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "load.h"

#define MIB_OF(n) ((uint64_t)(n) << 20)

static char mount[] = "/tmp/check_quota-XXXXXX";

/* With what its file of the limit says, NULL: it has none; those above first. */
static const struct {
    const char *name, *limit;
} groups[] = {
    {"", NULL},
    {"/free", "max\n"},
    {"/free/tight", "4096\n"},
    {"/tight", "8192\n"},
    {"/tight/free", NULL},
    {"/tight/tighter", "4096\n"},
    {"/tight/wider", "16384\n"},
    {"/odd", ""},
};

#define N_GROUPS (sizeof(groups) / sizeof(groups[0]))

static void
name_file(char *out, size_t size, size_t group, const char *file)
{
    ck_assert_int_lt(snprintf(out, size, "%s%s%s", mount, groups[group].name, file), (int)size);
}

static void
make_groups(void)
{
    char path[256];

    ck_assert_ptr_nonnull(mkdtemp(mount));
    for (size_t i = 0; i < N_GROUPS; i++) {
        FILE *file;

        name_file(path, sizeof(path), i, "");
        ck_assert(mkdir(path, S_IRWXU) == 0 || i == 0);
        if (groups[i].limit == NULL)
            continue;
        name_file(path, sizeof(path), i, "/memory.max");
        file = fopen(path, "w");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_ge(fputs(groups[i].limit, file), 0);
        ck_assert_int_eq(fclose(file), 0);
    }
}

static void
remove_groups(void)
{
    char path[256];

    for (size_t i = N_GROUPS; i-- > 0;) {
        name_file(path, sizeof(path), i, "/memory.max");
        ck_assert_int_eq(unlink(path), groups[i].limit == NULL ? -1 : 0);
        name_file(path, sizeof(path), i, "");
        ck_assert_int_eq(rmdir(path), 0);
    }
}

START_TEST(test_least_of_all)
{
    static const struct {
        const char *group;
        uint64_t bytes;
    } rows[] = {
        {"/", UINT64_MAX},         {"", UINT64_MAX},         {"/absent", UINT64_MAX},
        {"/free", UINT64_MAX},     {"/free/tight", 4096},    {"/tight", 8192},
        {"/tight/free", 8192},     {"/tight/tighter", 4096}, {"/tight/wider", 8192},
        {"/tight/absent/x", 8192}, {"/odd", UINT64_MAX},
    };

    make_groups();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ck_assert_msg(quota_of(mount, rows[i].group) == rows[i].bytes, "%s", rows[i].group);
    remove_groups();
}
END_TEST

START_TEST(test_lowered)
{
    struct loaded loaded;
    const struct config *config = &loaded.config;

    load_text(&loaded, "MEMORY_LIMIT=512M\nQUEUE_MEMORY=64M\nRECEIVE_BUFFER=16M\n", NULL);
    ck_assert_int_eq(loaded.result, 0);
    ck_assert(!quota_fit(&loaded.config, 0, UINT64_MAX));
    ck_assert(!quota_fit(&loaded.config, 0, MIB_OF(1024)));
    ck_assert_uint_eq(config->worker.memory_limit, MIB_OF(512));
    ck_assert(quota_fit(&loaded.config, 0, MIB_OF(1023)));
    ck_assert_uint_eq(config->worker.memory_limit, MIB_OF(1023) / 2);
    ck_assert_uint_eq(config->sender.queue_memory, MIB_OF(64));
    ck_assert(quota_fit(&loaded.config, 0, MIB_OF(64)));
    ck_assert_uint_eq(config->worker.memory_limit, MIB_OF(32));
    ck_assert_uint_eq(config->sender.queue_memory, MIB_OF(8));
    ck_assert_uint_eq(config->master.receive_buffer, MIB_OF(2));
    load_release(&loaded);
}
END_TEST

START_TEST(test_sockets_of_all_threads)
{
    struct loaded loaded;

    load_text(&loaded, "THREADS=4\n", NULL);
    ck_assert_int_eq(loaded.result, 0);
    ck_assert(quota_fit(&loaded.config, 0, MIB_OF(64)));
    ck_assert_uint_eq(loaded.config.master.receive_buffer, MIB_OF(2) / 4);
    load_release(&loaded);
}
END_TEST

/* Each thread has a socket for each address: of a name as many as it may have. */
START_TEST(test_sockets_of_all_addresses)
{
    static const struct {
        const char *text;
        size_t n_given, n_addresses;
    } rows[] = {
        {"LISTEN_ADDRESS=127.0.0.1\n", 0, 2},
        {"LISTEN_ADDRESS=::1\n", 0, 2},
        {"LISTEN_ADDRESS=some.name\n", 0, 16},
        {"LISTEN_ADDRESS=some.name\n", 1, 2},
        {"", 5, 5},
        {"", 100, 16},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct loaded loaded;

        load_text(&loaded, rows[i].text, NULL);
        ck_assert_int_eq(loaded.result, 0);
        loaded.config.worker.n_threads = 3;
        ck_assert(quota_fit(&loaded.config, rows[i].n_given, MIB_OF(64)));
        ck_assert_uint_eq(loaded.config.master.receive_buffer,
                          MIB_OF(4) / (3 * rows[i].n_addresses));
        load_release(&loaded);
    }
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_least_of_all, test_lowered, test_sockets_of_all_threads,
                                  test_sockets_of_all_addresses};

    return load_run("quota", tests, sizeof(tests) / sizeof(tests[0]));
}
