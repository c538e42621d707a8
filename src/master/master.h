/*
 * master: the process that holds every socket and both ends of the pipe, and keeps the two others
 * running. The only one that is ever root.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include "base/buf.h"
#include "master/config.h"

/* The process's whole life: serves until it is asked to stop, in the background where args say so.
 * warnings is what config_load had to say. What keeps it from starting ends the process with
 * EX_CONFIG and one line in the log, and so does a child that cannot serve, with EX_CONFIG where it
 * said that it never can, else with 1. Returns the exit status, 0. Borrows all three; config
 * changes with a reload. */
int master_run(const struct args *args, struct config *config, const struct buf *warnings);

#endif
