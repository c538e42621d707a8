/*
 * command: one command run within a check, with what it prints, and a daemon that answers once.
 */
#ifndef TESTS_CLI_COMMAND_H
#define TESTS_CLI_COMMAND_H

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"

#define COMMAND_WORDS_MAX 16

struct said {
    int status;
    char out[16384], err[2048];
};

static inline int
command_divert(int fd, int to)
{
    int saved = dup(fd);

    ck_assert_int_ge(saved, 0);
    ck_assert_int_eq(dup2(to, fd), fd);
    return saved;
}

static inline void
command_restore(int fd, int saved, int from, char *out, size_t size)
{
    ssize_t n;

    dup2(saved, fd);
    close(saved);
    n = pread(from, out, size - 1, 0);
    ck_assert_int_ge(n, 0);
    out[n] = '\0';
    close(from);
}

/* Runs the words, which end with NULL, behind the program's name. */
static inline void
command_run(const char *const words[], struct said *out)
{
    char *argv[COMMAND_WORDS_MAX + 2] = {strdup("pystatsd")}, *owned[COMMAND_WORDS_MAX + 1];
    int outputs[2] = {memfd_create("out", 0), memfd_create("err", 0)}, saved[2], argc = 1;
    struct options options;

    owned[0] = argv[0];
    for (; words[argc - 1] != NULL; argc++)
        owned[argc] = argv[argc] = strdup(words[argc - 1]);
    fflush(stdout);
    saved[0] = command_divert(STDOUT_FILENO, outputs[0]);
    saved[1] = command_divert(STDERR_FILENO, outputs[1]);
    if (options_read(argc, argv, &options) == 0)
        out->status = options.command->run(&options);
    else
        out->status = EXIT_USAGE;
    fflush(stdout);
    clearerr(stdout);
    command_restore(STDOUT_FILENO, saved[0], outputs[0], out->out, sizeof(out->out));
    command_restore(STDERR_FILENO, saved[1], outputs[1], out->err, sizeof(out->err));
    options_release(&options);
    for (int i = 0; i < argc; i++)
        free(owned[i]);
}

/* A UDP socket of 127.0.0.1, and its port as text. */
static inline int
command_receiver(char port[8])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(port, 8, "%u", ntohs(address.sin_port));
    return fd;
}

/* What has come, NUL-terminated; "" where nothing has. */
static inline void
command_receive(int fd, char out[2048])
{
    ssize_t n = recv(fd, out, 2047, MSG_DONTWAIT);

    out[n < 0 ? 0 : n] = '\0';
}

/* The daemon of a check: a process that answers n questions, each with the next of the answers,
 * and prints what it was asked into asked. */
struct daemon {
    char folder[64], path[96];
    int asked[2];
    pid_t pid;
};

static inline void
daemon_answer(int listener, int asked, const char *answer)
{
    char request[1024];
    size_t len = 0;
    int fd = accept(listener, NULL, NULL);

    while (len < sizeof(request) && (len == 0 || request[len - 1] != '\n')) {
        ssize_t n = read(fd, request + len, sizeof(request) - len);

        if (n <= 0)
            break;
        len += (size_t)n;
    }
    if (write(asked, request, len) < 0 || send(fd, answer, strlen(answer), MSG_NOSIGNAL) < 0)
        _exit(1);
    close(fd);
}

/* answers end with NULL. */
static inline void
daemon_start(struct daemon *daemon, const char *const answers[])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(daemon->folder, "/tmp/pystatsd-check-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(daemon->folder));
    snprintf(daemon->path, sizeof(daemon->path), "%s/admin", daemon->folder);
    strcpy(address.sun_path, daemon->path);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(listener, 4), 0);
    ck_assert_int_eq(pipe(daemon->asked), 0);
    fflush(NULL);
    daemon->pid = fork();
    ck_assert_int_ge(daemon->pid, 0);
    if (daemon->pid == 0) {
        for (; *answers != NULL; answers++)
            daemon_answer(listener, daemon->asked[1], *answers);
        _exit(0);
    }
    close(listener);
    close(daemon->asked[1]);
}

/* Waits for its end; out is all that it was asked. */
static inline void
daemon_end(struct daemon *daemon, char out[4096])
{
    size_t len = 0;
    ssize_t n;

    while ((n = read(daemon->asked[0], out + len, 4095 - len)) > 0)
        len += (size_t)n;
    out[len] = '\0';
    close(daemon->asked[0]);
    ck_assert_int_eq(waitpid(daemon->pid, NULL, 0), daemon->pid);
    unlink(daemon->path);
    rmdir(daemon->folder);
}

#endif
