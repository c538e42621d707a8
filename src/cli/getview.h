/*
 * getview: what `get` shows on a terminal.
 */
#ifndef CLI_GETVIEW_H
#define CLI_GETVIEW_H

#include <stdio.h>

/* Prints text, lines "TYPE NAME KEY VALUE", under one heading a metric. A line of another form is
 * printed as it is. */
void getview_print(FILE *out, const char *text);

#endif
