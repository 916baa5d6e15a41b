/* A table's statements in either dialect, from a definition of either (`schema --for`,
 * `--create-tables`). Pure.
 *
 * In SQLite a Postgres table is STRICT: whole numbers and truth values INTEGER, floating
 * point REAL, bytes BLOB, and everything else TEXT, as Postgres prints it, so that no
 * digit is lost. In Postgres a SQLite table has the widest type of each declared one:
 * bigint, double precision, text, bytea, numeric, boolean; dates stay text. */
#ifndef ENGINE_SCHEMA_H
#define ENGINE_SCHEMA_H

#include "log/definition.h"

struct schema_text {
    struct buffer tables; /* statements, each ended by ";\n" */
    struct buffer links;  /* foreign keys that need every table to be there; the same */
    struct buffer notes;  /* lines: of which column or constraint what is not carried over
                           */
};

void schema_text_release(struct schema_text *text);

/* Append the table's statements in dialect `to`. From its own dialect they are
 * definition->ddl. REFUSED: a name that `to` can't have. NO_MEMORY. */
MUST_CHECK enum status schema_put(struct schema_text *text,
                                  const struct definition *definition, enum dialect to,
                                  struct error *err);

#endif
