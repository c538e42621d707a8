/*
 * journal: see journal.h. A process may be killed at any instruction; what it wrote stays.
 */
#include "sender/journal.h"

#include <stddef.h>
#include <string.h>

#include "base/fault.h"
#include "base/hash.h"

_Static_assert(offsetof(struct journal, crc) + 2 * sizeof(uint32_t) == sizeof(struct journal),
               "the checksum is of all before it");

static uint32_t
checksum(const struct journal *journal)
{
    return hash_crc32c(0, journal, offsetof(struct journal, crc));
}

int
journal_load(const struct journal_pair *pair, struct journal *out)
{
    const struct journal *copy = &pair->copies[pair->serial & 1];

    if (copy->serial != pair->serial || copy->crc != checksum(copy))
        return -1;
    *out = *copy;
    return 0;
}

void
journal_save(struct journal_pair *pair, struct journal *journal)
{
    journal->serial = pair->serial + 1;
    journal->crc = checksum(journal);
    memcpy(&pair->copies[journal->serial & 1], journal, sizeof(*journal));
    fault_point("sender_publish");
    __atomic_store_n(&pair->serial, journal->serial, __ATOMIC_RELEASE);
}
