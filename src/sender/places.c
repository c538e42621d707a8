/*
 * places: see places.h.
 */
#include "sender/places.h"

#include <stdlib.h>

static int
compare(const void *a, const void *b)
{
    const struct place *first = a, *second = b;

    return (first->page > second->page) - (first->page < second->page);
}

void
places_sort(struct place *places, size_t n)
{
    qsort(places, n, sizeof(places[0]), compare);
}

uint32_t
places_find(const struct place *places, size_t n, size_t n_pages, size_t n_all)
{
    size_t page = 0, i = 0;

    for (; i < n && places[i].page < page + n_pages; i++)
        page = (size_t)places[i].page + places[i].n_pages;
    return page + n_pages <= n_all ? (uint32_t)page : UINT32_MAX;
}
