/* The user's tables in Postgres as apply sees them. Read when the schema has changed. */
#ifndef APPLY_POSTGRES_SCHEMA_H
#define APPLY_POSTGRES_SCHEMA_H

#include "apply/batch_schema.h"
#include "apply/postgres_set.h"

/* Of a component, at the table with its number. */
enum postgres_hold { HOLD_UNKNOWN, HOLD_OURS, HOLD_OTHERS };

struct postgres_table {
    struct batch_table base;
    struct postgres_writer *writer; /* opened when first needed */
    struct postgres_set *sets;      /* the last used first */
    uint32_t set_count;
    uint32_t component; /* tables that foreign keys connect have one number: an index */
    enum postgres_hold hold; /* of this batch (apply/postgres_held.h) */
    bool other_made; /* apply/postgres_other.h has made its tables, in this transaction */
    struct postgres_claims *claims; /* owned by apply/postgres_unique.h */
    bool own_path; /* what runs for its rows finds names as the role's own sessions do */
    bool probed; /* it has unique constraints that the server may not check in the role of
                    a replica: deferrable ones, exclusions */
};

struct postgres_foreign {
    struct batch_foreign base;
    struct postgres_foreign_checks *checks; /* owned by apply/postgres_checks.h */
    struct postgres_reference *reference;   /* owned by apply/postgres_foreign.h */
    bool suspect; /* of this batch: some child may lack its parent, */
    bool unsure;  /* which somebody else holds */
};

struct postgres_schema {
    struct batch_schema base;
    struct postgres *postgres;
    const uint32_t *slot; /* see postgres_target_options; set after a load; NULL: none */
    struct catalog catalog;
    struct postgres_table *tables; /* the base's memory, by index */
    struct postgres_foreign *foreigns;
    bool loaded;
    bool own_paths; /* some table's */
};

/* Read it within the caller's transaction. schema is all zero, or was unloaded. Foreign
 * keys count when foreign_keys says so and the server has validated them. */
MUST_CHECK enum status postgres_schema_load(struct postgres_schema *schema,
                                            struct postgres *postgres,
                                            struct store_txn *txn,
                                            const struct table_rules *rules,
                                            bool foreign_keys, struct error *err);
void postgres_schema_unload(struct postgres_schema *schema);

static inline struct postgres_table *postgres_table_of(struct batch_table *table)
{
    return (struct postgres_table *)table; /* its first member */
}

/* Its local writes are not captured: nobody tells what it holds, nor that a batch wrote
 * it. */
static inline bool postgres_table_takes_only(const struct postgres_table *table)
{
    return table->base.direction == TABLE_IN;
}

static inline struct postgres_foreign *postgres_foreign_of(struct batch_foreign *foreign)
{
    return (struct postgres_foreign *)foreign; /* its first member */
}

/* A transaction begins or has ended: what others made for it alone (postgres_other.h,
 * postgres_foreign.h) is not there. */
void postgres_schema_forget(struct postgres_schema *schema);

/* NULL: the database has no such table, or does not replicate it. */
struct postgres_table *postgres_schema_find(const struct postgres_schema *schema,
                                            uint32_t id);

/* table->writer, opened. BUSY: the table is not as the schema says any more. */
MUST_CHECK enum status postgres_schema_writer(struct postgres_schema *schema,
                                              struct postgres_table *table,
                                              struct error *err);

/* The table's set for such rows, empty or begun; it is the schema's. NOT_FOUND, a plain
 * answer: there are too many sets: run what is in them, and shrink. */
MUST_CHECK enum status postgres_schema_set(struct postgres_table *table,
                                           enum set_kind kind, const bool *columns,
                                           const struct postgres_guard *guard,
                                           struct postgres_set **out, struct error *err);
void postgres_schema_shrink(struct postgres_table *table);

#endif
