/*
 * board: see board.h.
 */
#include "base/board.h"

#include <stddef.h>
#include <sys/mman.h>

struct board *
board_new(void)
{
    void *board =
        mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return board == MAP_FAILED ? NULL : board;
}
