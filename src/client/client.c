/*
 * client: owns a client from pystatsd_client_new to pystatsd_client_free.
 */
#include "client/api.h"

const char *
pystatsd_version(void)
{
    return PYSTATSD_VERSION;
}
