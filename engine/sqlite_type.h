/* What a column's declared type means to the fleet. Pure. */
#ifndef ENGINE_SQLITE_TYPE_H
#define ENGINE_SQLITE_TYPE_H

#include "log/value.h"

#include <stdbool.h>

/* By SQLite's rules of affinity, and by the names that people give to dates, truth
 * values, uuids and json. strict: of a STRICT table, where ANY is a type. */
enum fleet_type sqlite_fleet_type(const char *declared, bool strict);

/* A collation's name as SQLite itself spells it, when it is one of its own; else as it
 * is. */
const char *sqlite_collation(const char *name);

#endif
