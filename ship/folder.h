/* The folder transport: any directory that all sides see sooner or later. Each node
 * writes immutable segments (temporary name, fsync, rename, fsync of the directory) and
 * one small state file with what it holds and what its segments contain. Layout in
 * docs/FORMAT.md. */
#ifndef SHIP_FOLDER_H
#define SHIP_FOLDER_H

#include "ship/transport.h"

/* path must exist and be a directory. store outlives the transport.
 * UNAVAILABLE: missing, not a directory, not readable. */
MUST_CHECK enum status folder_open(struct transport **out, const char *path,
                                   struct store *store, struct error *err);

#endif
