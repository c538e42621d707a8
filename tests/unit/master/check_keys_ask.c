/*
 * check_keys_ask: each setting of where the daemon can be asked, with a good and a bad value, and
 * where it ends up.
 */
#include "load.h"

START_TEST(test_values)
{
    static const struct load_row rows[] = {
        {"ADMIN_SOCKET", "", ""},
        {"ADMIN_SOCKET", "/run/pystatsd/admin.sock", "/run/pystatsd/admin.sock"},
        {"ADMIN_SOCKET", "admin.sock", NULL},
        {"ADMIN_SOCKET",
         "/123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789/"
         "123456789/123456789/123456",
         "/123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789/"
         "123456789/123456789/123456"},
        {"ADMIN_SOCKET",
         "/123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789/"
         "123456789/123456789/1234567",
         NULL},
        {"ADMIN_SOCKET_MODE", "0660", "0660"},
        {"ADMIN_SOCKET_MODE", "666", "666"},
        {"ADMIN_SOCKET_MODE", "1660", NULL},
        {"ADMIN_SOCKET_MODE", "0680", NULL},
        {"ADMIN_SOCKET_MODE", "60", NULL},
        {"ADMIN_SOCKET_MODE", "u=rw", NULL},
        {"CONSOLE", "", ""},
        {"CONSOLE", "8126", "8126"},
        {"CONSOLE", "127.0.0.1:8126", "127.0.0.1:8126"},
        {"CONSOLE", "console.example.org:1", "console.example.org:1"},
        {"CONSOLE", "[::1]:65535", "[::1]:65535"},
        {"CONSOLE", "0", NULL},
        {"CONSOLE", "65536", NULL},
        {"CONSOLE", "localhost", NULL},
        {"CONSOLE", ":8126", NULL},
        {"CONSOLE", "localhost:", NULL},
        {"CONSOLE", "::1:8126", NULL},
        {"CONSOLE", "[::1]", NULL},
        {"CONSOLE", "[]:8126", NULL},
        {"CONSOLE", "a b:8126", NULL},
        {"CONSOLE", "http://a:8126", NULL},
        {"CONSOLE_WRITE", "yes", "yes"},
        {"CONSOLE_WRITE", "maybe", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        load_check_row(&rows[i]);
}
END_TEST

START_TEST(test_where_they_end_up)
{
    struct loaded loaded;
    const struct master_opts *opts = &loaded.config.master;

    load_text(
        &loaded,
        "ADMIN_SOCKET=/a/b\nADMIN_SOCKET_MODE=0640\nCONSOLE=\"[::1]:8126\"\nCONSOLE_WRITE=yes\n"
        "DOWNSTREAM=aggregator\n",
        NULL);
    ck_assert_int_eq(loaded.result, 0);
    ck_assert_str_eq(opts->admin_socket, "/a/b");
    ck_assert_uint_eq(opts->admin_mode, 0640);
    ck_assert_str_eq(opts->console_host, "::1");
    ck_assert_uint_eq(opts->console_port, 8126);
    ck_assert(opts->console_write);
    ck_assert(loaded.config.worker.never_twice);
    load_release(&loaded);
    load_text(&loaded, "CONSOLE=8126\n", NULL);
    ck_assert_str_eq(opts->console_host, "127.0.0.1");
    ck_assert(!opts->console_write && !loaded.config.worker.never_twice);
    load_release(&loaded);
    load_text(&loaded, "", NULL);
    ck_assert_str_eq(opts->console_host, "");
    ck_assert_str_eq(opts->admin_socket, "");
    ck_assert_uint_eq(opts->admin_mode, 0600);
    load_release(&loaded);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_values, test_where_they_end_up};

    return load_run("keys_ask", tests, sizeof(tests) / sizeof(tests[0]));
}
