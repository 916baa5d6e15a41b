/* What a database holds: its tables as definitions, and those that rowferry can't
 * replicate, with the reason. Plain data, whatever the engine: sqlite_catalog_read()
 * fills one. */
#ifndef ENGINE_CATALOG_H
#define ENGINE_CATALOG_H

#include "log/definition.h"

struct catalog_skipped {
    char *name;     /* the database's */
    bool ambiguous; /* which of the fleet's tables it is must be said */
    char *why; /* "no primary key", "virtual table", "the key column x may be NULL and is
                  in 3 rows" */
};

/* All zeroes is an empty one. */
struct catalog {
    struct definition **definitions; /* owned; ascending by name; number 0 */
    size_t count;
    char **lacks; /* owned; of each definition: what the table needs and the engine has
                     not here ("no such function: f"); NULL: nothing */
    struct catalog_skipped *skipped; /* owned */
    size_t skipped_count;
    int64_t schema_version; /* another one when the schema may be another */
};

/* Make room for one more in an array that has room for a power of two, as those of a
 * catalog and of who reads one. NULL: there is no memory, items are as they were. */
void *catalog_grow(void *items, size_t count, size_t size);

void catalog_release(struct catalog *catalog);

/* Add a definition, which is the catalog's from now on, also after a failure. */
MUST_CHECK enum status catalog_add(struct catalog *catalog, struct definition *definition,
                                   struct error *err);

/* The definition of a table by the database's name of it; NULL: there is none. */
const struct definition *catalog_find_local(const struct catalog *catalog,
                                            const char *local_name);

/* Add a table that is not replicated. why is the catalog's from now on, also after a
 * failure; NULL is NO_MEMORY. */
MUST_CHECK enum status catalog_add_skipped(struct catalog *catalog, const char *name,
                                           char *why, struct error *err);

/* Bring the definitions into the order of their names' bytes. Before lacks is filled. */
void catalog_sort(struct catalog *catalog);

/* Make each foreign key of the catalog say whether it counts here. */
void catalog_count_foreign_keys(struct catalog *catalog, bool count);

/* Tables that are not replicated and refer to some that are: nobody deletes their rows
 * when a parent is deleted elsewhere. All zeroes is none. */
struct outsiders {
    struct definition *tables; /* columns, and the foreign keys to replicated tables */
    size_t count;
    void *memory; /* Private: an arena's. */
};

void outsiders_release(struct outsiders *outsiders);

/* Groups of tables for parking: order[i] is the group number of definitions[i]; parents
 * have smaller numbers than children; tables in a circle of references share one. */
MUST_CHECK enum status foreign_key_groups(const struct definition *const *definitions,
                                          size_t count, uint32_t *group,
                                          struct error *err);

#endif
