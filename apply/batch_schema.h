/* The user's tables as a batch sees them, whatever the engine: definitions, what they are
 * called in the store, who refers to whom. An engine's own tables and foreign keys begin
 * with these structs. */
#ifndef APPLY_BATCH_SCHEMA_H
#define APPLY_BATCH_SCHEMA_H

#include "engine/catalog.h"
#include "engine/table_names.h"
#include "log/tables.h"

/* A foreign key between two replicated tables. */
struct batch_foreign {
    const struct foreign_key *key;
    struct batch_table *child;
    struct batch_table *parent;
    uint32_t number;
    bool inner;      /* both in one group */
    bool beyond_key; /* it refers to columns that are not the parent's key */
    bool inexact;    /* values of other bytes may be the parent's key to the engine */
    uint64_t gone;   /* parents noted as gone (batch_ops.note_gone) */
    struct batch_foreign *next_of_child;
    struct batch_foreign *next_of_parent;
};

struct batch_table {
    const struct definition *definition;
    const char *lacks; /* as in the catalog: then no row of it is parked; or NULL */
    uint32_t index;    /* in the schema */
    uint32_t id;       /* the store's; 0: nobody has logged it yet */
    uint32_t number;   /* that this node logged a definition with these columns under; 0:
                          none */
    uint32_t group;    /* parents have smaller ones */
    enum table_direction direction;
    bool fires;              /* its triggers fire */
    bool left;               /* this batch touches no row of it: others hold it */
    const char **exclusions; /* constraints that forbid pairs of rows, beyond the unique
                                ones: their names; the engine's */
    uint32_t exclusion_count;
    struct batch_foreign *as_child; /* lists of the foreign keys that count */
    struct batch_foreign *as_parent;
};

struct batch_schema {
    const struct table_rules *rules; /* NULL: none */
    struct batch_table **tables;     /* as the catalog has them: by name */
    size_t count;
    struct batch_table **by_id; /* NULL: no such table here */
    uint32_t id_count;          /* of by_id, ids 0 .. id_count - 1 */
    struct batch_foreign **foreigns;
    uint32_t foreign_count;
    uint32_t group_count;
    struct batch_table **by_group;       /* the tables, group by group */
    uint32_t *group_start;               /* where each begins; one more at the end */
    bool any_in;                         /* some table only takes */
    void *table_memory, *foreign_memory; /* owned: the engine's structs, as arrays */
};

/* What batch_schema_load() goes by. */
struct batch_schema_source {
    const struct catalog *catalog;   /* outlives the schema, as do rules */
    const struct table_rules *rules; /* NULL: none */
    size_t table_size;               /* of the engine's structs, that begin with */
    size_t foreign_size;             /* batch_table and batch_foreign */
};

/* Make the tables, groups and those foreign keys that count by the catalog. What the
 * engine's structs have beyond these is zero, as are fires, beyond_key and inexact, which
 * are the engine's to find. A table that lacks something is nobody's child. schema is all
 * zero; release it also after a failure. */
MUST_CHECK enum status batch_schema_load(struct batch_schema *schema,
                                         struct store_txn *txn,
                                         const struct batch_schema_source *source,
                                         struct error *err);
void batch_schema_release(struct batch_schema *schema);

/* NULL: the database has no such table, or does not replicate it. */
struct batch_table *batch_schema_find(const struct batch_schema *schema, uint32_t id);

#endif
