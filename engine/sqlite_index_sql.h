/* The text of a CREATE INDEX statement, taken apart: what PRAGMA index_xinfo does not
 * tell. Pure. */
#ifndef ENGINE_SQLITE_INDEX_SQL_H
#define ENGINE_SQLITE_INDEX_SQL_H

#include "log/arena.h"
#include "log/error.h"

#include <stdint.h>

struct sqlite_index_sql {
    const char **terms; /* without ASC and DESC, without comments */
    uint32_t term_count;
    const char *where; /* NULL when the index is not partial */
};

/* Split sql, which SQLite has accepted. The texts live in arena. CORRUPT: it is no such
 * statement. NO_MEMORY. */
MUST_CHECK enum status sqlite_index_split(struct arena *arena, const char *sql,
                                          struct sqlite_index_sql *out,
                                          struct error *err);

#endif
