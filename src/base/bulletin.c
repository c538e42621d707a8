/*
 * bulletin: see bulletin.h. A count that is odd while the text is written tells a reader that it
 * must read again.
 */
#include "base/bulletin.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define TRIES 1000

struct bulletin {
    uint64_t edition; /* odd: being written */
    uint64_t len;
    char text[BULLETIN_MAX];
};

struct bulletin *
bulletin_new(void)
{
    void *memory = mmap(NULL, sizeof(struct bulletin), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

void
bulletin_post(struct bulletin *bulletin, const char *text, size_t len)
{
    uint64_t edition = bulletin->edition + 1;

    __atomic_store_n(&bulletin->edition, edition, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    bulletin->len = len < BULLETIN_MAX ? len : BULLETIN_MAX;
    memcpy(bulletin->text, text, bulletin->len);
    __atomic_store_n(&bulletin->edition, edition + 1, __ATOMIC_RELEASE);
}

int
bulletin_read(const struct bulletin *bulletin, struct buf *out)
{
    size_t before = out->len;

    for (int i = 0; i < TRIES; i++) {
        uint64_t edition = __atomic_load_n(&bulletin->edition, __ATOMIC_ACQUIRE);
        uint64_t len = bulletin->len;

        if (edition % 2 != 0 || len > BULLETIN_MAX)
            continue;
        if (buf_append(out, bulletin->text, len) != 0)
            return -1;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (__atomic_load_n(&bulletin->edition, __ATOMIC_RELAXED) == edition)
            return 0;
        out->len = before;
    }
    return -1;
}
