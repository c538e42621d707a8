/*
 * places: where in a row of pages there is room. Pure: it knows what is taken, and nothing else.
 */
#ifndef SENDER_PLACES_H
#define SENDER_PLACES_H

#include <stddef.h>
#include <stdint.h>

/* A stretch of pages that is taken; they do not overlap. */
struct place {
    uint32_t page, n_pages;
};

/* Brings n places into the order that they lie in. */
void places_sort(struct place *places, size_t n);

/* The first page of the first gap before, between or behind n sorted places that holds n_pages, of
 * so many pages in all; UINT32_MAX: there is none. */
uint32_t places_find(const struct place *places, size_t n, size_t n_pages, size_t n_all);

#endif
