/*
 * survey: see survey.h.
 */
#include "base/survey.h"

#include <errno.h>
#include <sys/mman.h>

/* Whether the sizes that the struct has are possible. */
static bool
is_sound(const struct arena *arena, const struct arena_opts *opts)
{
    return (uint32_t)arena->backed == (uint32_t) ~(arena->backed >> 32) &&
           arena_backed(arena) <= arena_whole_pages(opts->size) &&
           arena->reserved == opts->reserved && arena->frontier <= arena_backed(arena) &&
           arena->frontier >= arena->reserved && arena->frontier % ARENA_UNIT == 0;
}

int
survey_begin(struct survey *survey, struct arena *arena, const struct arena_opts *opts)
{
    *survey = (struct survey){.arena = arena};
    if (!is_sound(arena, opts))
        return -EBADMSG;
    arena->base = opts->memory;
    arena->size = opts->size - opts->size % ARENA_UNIT;
    arena->fd = opts->fd;
    arena->offset = opts->offset;
    arena->undo = opts->undo;
    survey->bits_len = arena->frontier / ARENA_UNIT / 8 + 1;
    survey->bits =
        mmap(NULL, survey->bits_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (survey->bits == MAP_FAILED) {
        survey->bits = NULL;
        return -errno;
    }
    for (size_t unit = 0; unit < arena->reserved / ARENA_UNIT + (arena->reserved == 0); unit++)
        survey->bits[unit / 8] |= (uint8_t)(1u << unit % 8);
    return 0;
}

bool
survey_mark(struct survey *survey, arena_ref ref, size_t size)
{
    size_t n_units = survey->arena->frontier / ARENA_UNIT, rounded;

    if (size > survey->arena->size)
        return false;
    rounded = arena_rounded(size);
    if (ref >= n_units || rounded / ARENA_UNIT > n_units - ref)
        return false;
    for (size_t unit = ref; unit < ref + rounded / ARENA_UNIT; unit++) {
        if ((survey->bits[unit / 8] >> unit % 8 & 1) != 0)
            return false;
        survey->bits[unit / 8] |= (uint8_t)(1u << unit % 8);
    }
    survey->used += rounded;
    return true;
}

void
survey_end(struct survey *survey, bool keep)
{
    if (keep && survey->bits != NULL) {
        arena_free_rest(survey->arena, survey->bits);
        survey->arena->used = survey->used;
    }
    if (survey->bits != NULL)
        (void)munmap(survey->bits, survey->bits_len);
    *survey = (struct survey){0};
}
