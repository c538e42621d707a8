/*
 * fault: see fault.h. Owns the list of what is to fail and the count of what has been passed. Knows
 * nothing of what the places are.
 */
#include "base/fault.h"

#ifdef FAULTS

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#define PARTS_MAX 64
#define TEXT_MAX  4096

struct part {
    const char *name;
    size_t name_len;
    char how;     /* one of "!~-", or 0 */
    uint32_t hit; /* from 1 on */
};

static struct part parts[PARTS_MAX];
static uint32_t n_parts;
static char list[TEXT_MAX], poison[TEXT_MAX];

/* What all processes share: the part that is waited for in the upper half, and how often its place
 * has been passed in the lower one. One word, so that exactly one process is struck. */
static uint64_t *progress;

/* A list that is not understood would test nothing. */
static _Noreturn void
refuse(const char *what)
{
    fprintf(stderr, "PYSTATSD_FAULTS: %s\n", what);
    exit(EX_USAGE);
}

/* Reads "NAME:HIT", with a mark behind NAME or without. */
static void
add_part(const char *text)
{
    size_t len = strcspn(text, ":,");
    struct part *part = &parts[n_parts];
    char *end;
    unsigned long hit;

    if (n_parts == PARTS_MAX)
        refuse("too many parts");
    if (len == 0 || text[len] != ':')
        refuse(text);
    hit = strtoul(text + len + 1, &end, 10);
    if (end == text + len + 1 || (*end != ',' && *end != '\0') || hit == 0 || hit > UINT32_MAX)
        refuse(text);
    *part = (struct part){.name = text, .name_len = len, .hit = (uint32_t)hit};
    if (strchr("!~-", text[len - 1]) != NULL) {
        part->how = text[len - 1];
        part->name_len--;
    }
    n_parts++;
}

/* A copy: what a title takes of the environment's place must not matter. */
static void
read_env(const char *name, char out[TEXT_MAX])
{
    const char *value = getenv(name);

    if (value != NULL && strlen(value) >= TEXT_MAX)
        refuse("too long");
    strcpy(out, value != NULL ? value : "");
}

void
fault_init(void)
{
    const char *at = list;

    read_env("PYSTATSD_FAULTS", list);
    read_env("PYSTATSD_POISON", poison);
    n_parts = 0;
    if (*at == '\0')
        return;
    add_part(at);
    while ((at = strchr(at, ',')) != NULL)
        add_part(++at);
    progress =
        mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (progress == MAP_FAILED)
        refuse("no memory");
}

static void
strike(char how)
{
    volatile bool for_ever = true;

    if (how == '!')
        abort();
    if (how == '-')
        _exit(EXIT_FAILURE);
    while (how == '~' && for_ever)
        continue;
    raise(SIGKILL);
}

void
fault_point(const char *name)
{
    uint64_t before, after;
    uint32_t at;

    if (n_parts == 0)
        return;
    before = __atomic_load_n(progress, __ATOMIC_ACQUIRE);
    do {
        at = (uint32_t)(before >> 32);
        if (at >= n_parts || strlen(name) != parts[at].name_len ||
            memcmp(name, parts[at].name, parts[at].name_len) != 0)
            return;
        after = (uint32_t)before + 1 < parts[at].hit ? before + 1 : (uint64_t)(at + 1) << 32;
    } while (!__atomic_compare_exchange_n(progress, &before, after, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    if ((uint32_t)after == 0)
        strike(parts[at].how);
}

void
fault_poison(const char *text, unsigned long len)
{
    if (len > 0 && strlen(poison) == len && memcmp(poison, text, len) == 0)
        abort();
}

#endif
