/* Which of the fleet's tables each table of this database is (DESIGN section 5, "Names").
 *
 * In this order: what this node has logged it as; what its rule says; the fleet's table
 * of exactly this name; the one of this name but for case; the one that another member
 * calls so in its own database. Else it is a table of its own, under its own name. A
 * fleet's table is one table here at most. */
#ifndef ENGINE_TABLE_NAMES_H
#define ENGINE_TABLE_NAMES_H

#include "engine/table_rules.h"
#include "log/tables.h"

struct table_name {
    const char *table;            /* the database's name of it: the caller's */
    char *plain;                  /* owned; the same as people write it */
    const char *name;             /* the fleet's; NULL: more than one could be meant */
    char *why;                    /* owned; with name NULL: which, and what to write */
    const struct definition *own; /* this node's newest of the fleet's table, or NULL */
    const struct definition *others; /* another member's, or NULL */
};

struct table_names {
    struct table_name *list; /* owned; in the order of tables */
    size_t count;
    bool postgres; /* the database is */
};

/* tables: their local names. They, rules and the store outlive out. rules, txn: may be
 * NULL; rules say whether the database is Postgres. On success the caller
 * releases out. REFUSED: two tables would be one to the fleet, or a rule renames what was
 * logged; says which line to change. */
MUST_CHECK enum status table_names_match(struct table_names *out,
                                         const char *const *tables, size_t count,
                                         const struct table_rules *rules,
                                         struct store_txn *txn, struct error *err);
void table_names_release(struct table_names *names);

/* What the fleet calls a table of this database that may not be among those that were
 * matched, as parents are; plain: its name as people write it. NULL: nothing; the fleet
 * knows another table by its name. */
const char *table_names_of(const struct table_names *names, const char *table,
                           const char *plain);

/* What this database would call a table that the fleet calls so, as far as rules say. */
const char *table_names_here(const struct table_rules *rules, const char *name);

#endif
