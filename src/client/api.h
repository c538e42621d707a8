/*
 * api: what the shared library shows to the world, which is what pystatsd.h declares; everything
 * else in it is hidden. Files that define a public call include this instead of pystatsd.h.
 */
#ifndef CLIENT_API_H
#define CLIENT_API_H

#pragma GCC visibility push(default)
#include "client/pystatsd.h"
#pragma GCC visibility pop

#endif
