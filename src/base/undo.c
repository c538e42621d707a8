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
    uint64_t origin;

    if (used < sizeof(origin))
        return false;
    memcpy(&origin, undo->log + used - sizeof(origin), sizeof(origin));
    out->len = origin & 0xffff;
    out->padded = (out->len + 7) & ~(size_t)7;
    if (out->padded > used - sizeof(origin))
        return false;
    /* The distance is signed, and may lead out of any object, so it is no pointer yet. */
    out->at = (uint8_t *)((uintptr_t)undo + (uintptr_t)((int64_t)origin >> 16));
    return true;
}

int
undo_roll_back(struct undo *undo, void *memory, size_t size)
{
    uintptr_t from = (uintptr_t)memory;

    for (uint32_t used = (uint32_t)undo->word; used > 0; used = (uint32_t)undo->word) {
        struct note note;

        if (used > UNDO_LOG || !read_note(undo, used, &note) || (uintptr_t)note.at < from ||
            (uintptr_t)note.at - from > size || size - ((uintptr_t)note.at - from) < note.len)
            return -1;
        used -= (uint32_t)(note.padded + sizeof(uint64_t));
        memcpy(note.at, undo->log + used, note.len);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        __atomic_store_n(&undo->word, (uint64_t)undo_mark(undo) << 32 | used, __ATOMIC_RELAXED);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
    }
    return 0;
}
