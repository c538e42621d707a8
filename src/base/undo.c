/*
 * undo: see undo.h. Owns the reading of the log, which a process does once in its life.
 */
#include "base/undo.h"

#include <stdbool.h>

/* The last note of a log of used bytes. */
struct note {
    uint8_t *at;
    size_t len, padded;
};

static bool
read_note(struct undo *undo, uint32_t used, struct note *out)
{
    int64_t origin;

    if (used < sizeof(origin))
        return false;
    memcpy(&origin, undo->log + used - sizeof(origin), sizeof(origin));
    if (origin % 3 != 0)
        return false;
    origin /= 3;
    out->len = origin & 0xffff;
    out->padded = (out->len + 7) & ~(size_t)7;
    if (out->padded > used - sizeof(origin))
        return false;
    /* The distance is signed, and may lead out of any object, so it is no pointer yet. */
    out->at = (uint8_t *)((uintptr_t)undo + (uintptr_t)(origin >> 16));
    return true;
}

/* Whether all that a note is of lies within the size bytes from from on. */
static bool
is_within(const struct note *note, uintptr_t from, size_t size)
{
    uintptr_t at = (uintptr_t)note->at;

    return at >= from && at - from <= size && size - (at - from) >= note->len;
}

static bool
is_apart(const struct note *note, const struct undo *undo)
{
    uintptr_t at = (uintptr_t)note->at, from = (uintptr_t)undo;

    return at >= from + sizeof(*undo) || at + note->len <= from;
}

int
undo_roll_back(struct undo *undo, void *memory, size_t size)
{
    uint32_t mark = undo_mark(undo), used = (uint16_t)undo->word;

    if (undo->word != (UNDO_TWICE * mark << 32 | UNDO_TWICE * used) || used > UNDO_LOG)
        return -1;
    while (used > 0) {
        struct note note;

        if (!read_note(undo, used, &note) || !is_within(&note, (uintptr_t)memory, size) ||
            !is_apart(&note, undo))
            return -1;
        used -= (uint32_t)(note.padded + sizeof(uint64_t));
        memcpy(note.at, undo->log + used, note.len);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        __atomic_store_n(&undo->word, UNDO_TWICE * mark << 32 | UNDO_TWICE * used,
                         __ATOMIC_RELAXED);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
    }
    return 0;
}
