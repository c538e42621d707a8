/*
 * hooks: what a daemon is linked with for the tests that cannot wait or want memory to run out.
 * Each does nothing unless the environment asks for it:
 *
 *   HOOK_HASTY=1      a child that died is replaced after 1 ms, however often it did
 *   HOOK_NO_MEMORY=K  the K-th time that any process of the daemon asks for memory it gets none,
 *                     and a line on stderr says so
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/backoff.h"

/* Of all back-offs the children's alone begins this low. */
#define CHILDS_FIRST_MS 100

uint32_t __real_backoff_fail(struct backoff *backoff, uint32_t chance);
uint32_t __wrap_backoff_fail(struct backoff *backoff, uint32_t chance);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__real_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);

static const char refusal[] = "hooks: no memory\n";
static bool is_hasty;
static uint64_t failing;
static uint64_t *n_asked; /* shared by all processes */

static uint64_t
number_of(const char *variable)
{
    const char *text = getenv(variable);

    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

static void __attribute__((constructor)) init(void)
{
    is_hasty = number_of("HOOK_HASTY") != 0;
    failing = number_of("HOOK_NO_MEMORY");
    n_asked = __real_mmap(NULL, sizeof(*n_asked), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (n_asked == MAP_FAILED)
        abort();
}

uint32_t
__wrap_backoff_fail(struct backoff *backoff, uint32_t chance)
{
    uint32_t wait_ms = __real_backoff_fail(backoff, chance);

    return is_hasty && backoff->first_ms == CHILDS_FIRST_MS ? 1 : wait_ms;
}

static bool
is_refused(void)
{
    if (failing == 0 || __atomic_add_fetch(n_asked, 1, __ATOMIC_RELAXED) != failing)
        return false;
    (void)!write(STDERR_FILENO, refusal, sizeof(refusal) - 1);
    errno = ENOMEM;
    return true;
}

void *
__wrap_malloc(size_t size)
{
    return is_refused() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
    return is_refused() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *old, size_t size)
{
    return is_refused() ? NULL : __real_realloc(old, size);
}

void *
__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
    return is_refused() ? MAP_FAILED : __real_mmap(at, len, protection, flags, fd, offset);
}
