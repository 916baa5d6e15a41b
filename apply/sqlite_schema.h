/* The user's tables as apply sees them: definitions, what they are called in the store,
 * who refers to whom (apply/batch_schema.h), and the statements for each. Read when the
 * schema has changed. */
#ifndef APPLY_SQLITE_SCHEMA_H
#define APPLY_SQLITE_SCHEMA_H

#include "apply/batch_schema.h"
#include "apply/sqlite_foreign.h"
#include "apply/sqlite_target.h"
#include "apply/sqlite_writer.h"

struct sqlite_table {
    struct batch_table base;
    const struct column *counter;  /* AUTOINCREMENT; NULL: none is */
    int64_t counted;               /* largest number that this batch has met; 0: none */
    bool other_made;               /* apply/sqlite_other.h has made its tables */
    bool other_used;               /* and put something there */
    struct sqlite_writer *writer;  /* opened when first needed */
    struct sqlite_unique *uniques; /* owned: one for each of the definition's, or NULL */
    struct sqlite_other_statements *other; /* owned by apply/sqlite_other.h */
};

struct sqlite_schema {
    struct batch_schema base;
    struct sqlite_database *database;
    struct catalog catalog;
    const uint32_t *slot;            /* as in the options */
    struct sqlite_table *tables;     /* base's, as an array */
    struct sqlite_foreign *foreigns; /* the same */
    struct outsiders outsiders;      /* owned, like the next two, by sqlite_outsiders.h */
    struct sqlite_table *outer_tables; /* of each: only its definition */
    struct sqlite_foreign *outer;      /* their foreign keys */
    uint32_t outer_count;
    bool any_fires;
    bool triggers_write; /* those that fire may write replicated tables */
    bool loaded;
};

/* What neutral parts hand back is SQLite's own. */
static inline struct sqlite_table *sqlite_table_of(struct batch_table *table)
{
    return (struct sqlite_table *)table;
}

/* Read it within the caller's write transaction. schema is all zero, or was unloaded. */
MUST_CHECK enum status sqlite_schema_load(struct sqlite_schema *schema,
                                          struct sqlite_database *database,
                                          struct store_txn *txn,
                                          const struct sqlite_target_options *options,
                                          struct error *err);
void sqlite_schema_unload(struct sqlite_schema *schema);

/* What was made in the transaction may have gone with it. */
void sqlite_schema_rolled_back(struct sqlite_schema *schema);

/* NULL: the database has no such table, or does not replicate it. */
struct sqlite_table *sqlite_schema_find(const struct sqlite_schema *schema, uint32_t id);

/* table->writer, opened. */
MUST_CHECK enum status sqlite_schema_writer(struct sqlite_schema *schema,
                                            struct sqlite_table *table,
                                            struct error *err);

/* Let the triggers of the statements that follow fire, or not. Changes nothing when they
 * do already; else every prepared statement is prepared anew. */
void sqlite_schema_fire(struct sqlite_schema *schema, bool fire);

/* Why rows of a table of the fleet's can't be written at all, in the database's words. */
void sqlite_schema_refuse(const struct sqlite_schema *schema, const char *fleet,
                          struct error *err);

#endif
