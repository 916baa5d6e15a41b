/* The statements that make a Postgres table again (a definition's ddl), and their
 * running.
 *
 * They come in this order: schemas, types, sequences, CREATE TABLE with its constraints,
 * indexes, partitions; last those that begin with ALTER TABLE, which need other tables to
 * be there: foreign keys, inheritance, replica identity. Triggers, functions, extensions,
 * comments, owners and privileges are not among them. */
#ifndef ENGINE_POSTGRES_DDL_H
#define ENGINE_POSTGRES_DDL_H

#include "engine/postgres_connection.h"
#include "log/definition.h"

/* Of a query about tables ($1): (place, statement without its semicolon). */
extern const char postgres_ddl_sql[];

enum postgres_phase {
    POSTGRES_TABLES,    /* the table itself */
    POSTGRES_REFERENCES /* what begins with ALTER TABLE: when all tables are there */
};

/* Run the statements of a phase in the caller's transaction; for a definition of SQLite's
 * they are engine/schema.h's, under the fleet's name of the table. A definition's own
 * come from another node: whatever else they ask for is not carried out. Schemas, types
 * and sequences that are there stay as they are. *left, for free(), is NULL, or names the
 * references that were left out since their table is not here ("t_p_fkey: relation \"p\"
 * does not exist"), or is no such key's. NOT_FOUND: it needs a type, a function or a
 * collation that is not here, err says which; REFUSED: they do more than make it, or a
 * name is too long. After a failure ROLLBACK is the caller's. */
MUST_CHECK enum status postgres_create_table(struct postgres *postgres,
                                             const struct definition *definition,
                                             enum postgres_phase phase, char **left,
                                             struct error *err);

/* The size of the first statement of sql with its semicolon; 0: it has no end. Strings,
 * quoted names, comments and $tags$ are skipped as Postgres reads them. Pure. */
size_t postgres_statement_size(const char *sql);

#endif
