/*
 * reload: the configuration, read again while the daemon runs.
 */
#ifndef MASTER_RELOAD_H
#define MASTER_RELOAD_H

#include <stdbool.h>

#include "base/buf.h"
#include "master/config.h"

/* Logs each line of what config_load had to say as a warning. */
void reload_log_warnings(const struct buf *warnings);

/* Reads the configuration again into fresh (whose content before is of no interest) and takes over
 * into config what can change while the daemon runs: where to send to. Of the rest it logs what
 * takes a restart. A configuration that is wrong changes nothing. Returns true
 * where the destination changed. */
bool reload(const struct args *args, struct config *config, struct config *fresh);

#endif
