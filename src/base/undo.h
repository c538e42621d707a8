/*
 * undo: what memory that outlives a process held before each change, so that a successor can take
 * back a change that its predecessor died within.
 *
 * Before a word is changed it is noted here; a commit then forgets all notes with one store, and
 * moves a mark on with the same one: how far the work is whose parts are these changes. A process
 * that is killed has done all of its stores up to some instruction and none behind it, so an order
 * that the compiler keeps is all that this needs.
 */
#ifndef BASE_UNDO_H
#define BASE_UNDO_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define UNDO_LOG 4080

/* Zeroed: nothing is noted. Lies in the same mapping as what it is for, and may be mapped elsewhere
 * than it was. No one bit that turns over in the word, or in where a note is from, goes unseen. */
struct undo {
    uint64_t
        word; /* the mark twice, then twice how many bytes of the log are in use, 16 bits each */
    /* Notes, one behind the other: the bytes, filled up to eight, then where they are from, as
     * three times (the distance from this struct << 16 | how many). */
    uint8_t log[UNDO_LOG];
};

#define UNDO_TWICE UINT64_C(0x10001)

/* Notes the len bytes at at, which are about to change. NULL: nothing is to be noted. There must be
 * room. */
static inline void
undo_note(struct undo *undo, const void *at, size_t len)
{
    size_t padded = (len + 7) & ~(size_t)7;
    uint64_t origin, used;

    if (undo == NULL)
        return;
    used = (uint16_t)undo->word;
    assert(used + padded + sizeof(origin) <= UNDO_LOG);
    memcpy(undo->log + used, at, len);
    origin = 3 * ((uint64_t)((const uint8_t *)at - (const uint8_t *)undo) << 16 | len);
    memcpy(undo->log + used + padded, &origin, sizeof(origin));
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&undo->word, undo->word + UNDO_TWICE * (padded + sizeof(origin)),
                     __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline uint32_t
undo_mark(const struct undo *undo)
{
    return (uint16_t)(undo->word >> 32);
}

/* What was changed since the last commit is for good, and the mark is what is given here, at most
 * UINT16_MAX. */
static inline void
undo_commit_to(struct undo *undo, uint32_t mark)
{
    assert(mark <= UINT16_MAX);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&undo->word, UNDO_TWICE * mark << 32, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* The same, and the mark stays. NULL is fine. */
static inline void
undo_commit(struct undo *undo)
{
    if (undo != NULL)
        undo_commit_to(undo, undo_mark(undo));
}

/* Takes back what was changed since the last commit. The log is not trusted: every note must be of
 * the size bytes at memory, and not of the log. Returns 0, or -1 where one is not; those behind it
 * are then taken back already. */
int undo_roll_back(struct undo *undo, void *memory, size_t size);

#endif
