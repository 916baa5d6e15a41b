/* The tables of a scan: the catalog as it is, logged as definitions where it is new. */
#ifndef CAPTURE_SCAN_SCHEMA_H
#define CAPTURE_SCAN_SCHEMA_H

#include "capture/scan_table.h"
#include "engine/sqlite_catalog.h"

/* All zeroes is one that nothing was read into. */
struct scan_schema {
    struct catalog catalog;
    struct scan_table **tables; /* one a definition of the catalog; NULL: sends nothing */
    size_t count;
    uint32_t *old_columns; /* by definition: how many of its columns, from the first, are
                              those of the last capture; 0: it is new, or they are not */
    uint64_t generation;   /* of the store's definitions, when it was read */
    bool known;            /* tables are those of catalog, as it is logged */
};

void scan_schema_release(struct scan_schema *schema);

/* Read the catalog in the transaction that is open on the database, unless it is as it
 * was, and so are the fleet's tables; add each definition that is new or changed to the
 * appender's entry, numbered. foreign_keys: whether they count here. */
MUST_CHECK enum status scan_schema_read(struct scan_schema *schema,
                                        struct sqlite_database *database,
                                        const struct table_rules *rules,
                                        bool foreign_keys, struct appender *appender,
                                        struct error *err);

/* Open the tables under their logged definitions, after the entry was ended. */
MUST_CHECK enum status scan_schema_open(struct scan_schema *schema,
                                        struct sqlite_database *database,
                                        const struct table_rules *rules,
                                        struct appender *appender, struct error *err);

#endif
