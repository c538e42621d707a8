/*
 * folder: a directory of a test's own, what is in it, and batches to spool there.
 */
#ifndef SENDER_FOLDER_H
#define SENDER_FOLDER_H

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sender/batch.h"

#define FOLDER_LIST_MAX 8192

static char folder_path[PATH_MAX];
static int folder = -1;

/* Removes all entries of a directory, and of those in it. */
static inline void
folder_empty(int fd)
{
    DIR *directory = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY));
    struct dirent *entry;

    ck_assert_ptr_nonnull(directory);
    while ((entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlinkat(fd, entry->d_name, 0) != 0)
            ck_assert_int_eq(unlinkat(fd, entry->d_name, AT_REMOVEDIR), 0);
    }
    closedir(directory);
}

static inline void
folder_make(void)
{
    const char *base = getenv("TMPDIR");

    snprintf(folder_path, sizeof(folder_path), "%s/spool-XXXXXX", base != NULL ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder_path));
    folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(folder, 0);
}

static inline void
folder_remove(void)
{
    folder_empty(folder);
    close(folder);
    ck_assert_int_eq(rmdir(folder_path), 0);
}

static inline int
folder_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The sorted names in it, each with a blank behind it. */
static inline const char *
folder_list(void)
{
    static char list[FOLDER_LIST_MAX];
    DIR *directory = opendir(folder_path);
    struct dirent *entry;
    char *names[256];
    size_t n = 0;

    while ((entry = readdir(directory)) != NULL) {
        ck_assert_uint_lt(n, 256);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            names[n++] = strdup(entry->d_name);
    }
    closedir(directory);
    qsort(names, n, sizeof(names[0]), folder_compare);
    list[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_lt(strlen(list) + strlen(names[i]) + 2, sizeof(list));
        strcat(strcat(list, names[i]), " ");
        free(names[i]);
    }
    return list;
}

static inline void
folder_write(const char *name, const void *bytes, size_t len)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);

    ck_assert_int_ge(fd, 0);
    for (size_t at = 0; at < len;) {
        ssize_t n = write(fd, (const char *)bytes + at, len - at);

        ck_assert_int_gt((int)n, 0);
        at += (size_t)n;
    }
    close(fd);
}

/* All of a file of at most size bytes. */
static inline size_t
folder_read(const char *name, void *out, size_t size)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW);
    size_t len = 0;
    ssize_t n;

    ck_assert_int_ge(fd, 0);
    while ((n = read(fd, (char *)out + len, size - len)) > 0)
        len += (size_t)n;
    close(fd);
    return len;
}

/* A sealed batch whose records take exactly len bytes (0, or from 40 on), made of seed. */
static inline struct batch *
folder_batch(uint64_t timestamp_s, uint64_t id, size_t len, unsigned seed)
{
    struct batch *batch = batch_new(id, timestamp_s * 1000, 2 * len + 2 * BATCH_OWN_ROOM);
    char name[64] = {0};

    ck_assert_ptr_nonnull(batch);
    memset(name, 'a' + (int)(seed % 26), sizeof(name));
    while (len > 0) {
        struct record record = {.source = METRIC_COUNTER, .name = name};
        size_t rest = len >= 80 ? 40 : len; /* of two, each has the shortest name at least */

        record_add(&record, STATISTIC_RATE, 0, seed++);
        record.name_len = (uint16_t)(rest - RECORD_HEADER_LEN - RECORD_POINT_LEN);
        ck_assert_uint_le(record.name_len, 79);
        if (record.name_len > sizeof(name)) {
            record_add(&record, STATISTIC_RATE, 1, seed);
            record_add(&record, STATISTIC_RATE, 2, seed);
            record.name_len = (uint16_t)(record.name_len - 2 * RECORD_POINT_LEN);
        }
        ck_assert_int_eq(record_encode(&record, &batch->records), 0);
        batch->n_lines += record.n_points;
        len -= rest;
    }
    batch_seal(batch);
    return batch;
}

static inline void
folder_assert_same(const struct batch *a, const struct batch *b)
{
    ck_assert_uint_eq(a->id, b->id);
    ck_assert_uint_eq(a->timestamp_s, b->timestamp_s);
    ck_assert_uint_eq(a->n_lines, b->n_lines);
    ck_assert_uint_eq(a->records.len, b->records.len);
    if (a->records.len > 0)
        ck_assert_int_eq(memcmp(a->records.data, b->records.data, a->records.len), 0);
    ck_assert(batch_is_intact(a) && batch_is_intact(b));
}

#endif
