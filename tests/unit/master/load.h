/*
 * load: a configuration from text and flags, for the checks of the files that take part in it.
 */
#ifndef TESTS_MASTER_LOAD_H
#define TESTS_MASTER_LOAD_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/config.h"

#define LOAD_FLAGS_MAX 15

struct loaded {
    char path[256]; /* of the file, removed again */
    struct args args;
    struct config config;
    struct buf error, warnings; /* with a final NUL */
    int result;
};

/* Makes a file of text and puts its path into path. */
static inline void
load_make_file(char path[256], const char *text, size_t len)
{
    const char *folder = getenv("TMPDIR");

    snprintf(path, 256, "%s/pystatsd-check-XXXXXX", folder != NULL ? folder : "/tmp");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
    close(fd);
}

/* Loads what is in loaded->path, under flags, which end with NULL. */
static inline void
load_path(struct loaded *loaded, const char *const *flags)
{
    char *argv[LOAD_FLAGS_MAX + 4] = {strdup("check"), strdup("--config"), strdup(loaded->path)};
    int argc = 3;

    for (; flags != NULL && *flags != NULL; flags++) {
        ck_assert_int_lt(argc, LOAD_FLAGS_MAX + 3);
        argv[argc++] = strdup(*flags);
    }
    buf_init(&loaded->error, 4096);
    buf_init(&loaded->warnings, 4096);
    ck_assert_int_eq(args_parse(argc, argv, &loaded->args), 0);
    loaded->result = config_load(&loaded->args, &loaded->config, &loaded->error, &loaded->warnings);
    ck_assert_int_eq(buf_append(&loaded->error, "", 1), 0);
    ck_assert_int_eq(buf_append(&loaded->warnings, "", 1), 0);
    args_release(&loaded->args);
    /* A flag's text that the configuration kept without copying would be found by the sanitizer. */
    while (argc > 0)
        free(argv[--argc]);
}

/* Loads text as a file, under flags, which end with NULL; NULL for none. */
static inline void
load_text(struct loaded *loaded, const char *text, const char *const *flags)
{
    load_make_file(loaded->path, text, strlen(text));
    load_path(loaded, flags);
    unlink(loaded->path);
}

static inline void
load_release(struct loaded *loaded)
{
    buf_release(&loaded->error);
    buf_release(&loaded->warnings);
}

/* The error without the file's path: ":18: …", or "--port: …". */
static inline const char *
load_error(const struct loaded *loaded)
{
    const char *error = (const char *)loaded->error.data;
    size_t len = strlen(loaded->path);

    return strncmp(error, loaded->path, len) == 0 ? error + len : error;
}

static inline const char *
load_warnings(const struct loaded *loaded)
{
    return (const char *)loaded->warnings.data;
}

static inline const struct config_entry *
load_entry(const struct loaded *loaded, const char *key)
{
    for (size_t i = 0; i < loaded->config.n_entries; i++) {
        if (strcmp(loaded->config.entries[i].key, key) == 0)
            return &loaded->config.entries[i];
    }
    ck_abort_msg("no entry for %s", key);
}

/* One setting and what becomes of it: its normalised text, or NULL where it is refused. */
struct load_row {
    const char *key;
    const char *text; /* in double quotes */
    const char *value;
};

static inline void
load_check_row(const struct load_row *row)
{
    char text[700], expected[128];
    struct loaded loaded;

    snprintf(text, sizeof(text), "\n%s=\"%s\"\n", row->key, row->text);
    load_text(&loaded, text, NULL);
    if (row->value != NULL) {
        ck_assert_msg(loaded.result == 0, "%s: %s", text, load_error(&loaded));
        ck_assert_str_eq(config_entry_text(load_entry(&loaded, row->key)), row->value);
    } else {
        ck_assert_msg(loaded.result == -1, "%s is not refused", text);
        snprintf(expected, sizeof(expected), ":2: %s: ", row->key);
        ck_assert_msg(strncmp(load_error(&loaded), expected, strlen(expected)) == 0, "%s: %s", text,
                      load_error(&loaded));
    }
    load_release(&loaded);
}

static inline int
load_run(const char *name, const TTest *const *tests, size_t n)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);

    for (size_t i = 0; i < n; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}

#endif
