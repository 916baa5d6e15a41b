/* What the files of the Postgres target share; nobody else includes this. */
#ifndef APPLY_POSTGRES_TARGET_PRIVATE_H
#define APPLY_POSTGRES_TARGET_PRIVATE_H

#include "apply/postgres_batch.h"
#include "apply/postgres_target.h"

struct postgres_target {
    struct target base;
    struct store *store;
    struct postgres_target_options options;
    struct postgres *postgres; /* NULL: to be opened */
    struct postgres_guard guard;
    struct sqlite_database *scratch;
    struct items *items;
    struct moved *moved;
    struct postgres_schema schema;
    uint64_t rules;      /* by which schema was read: META_SCHEMA_VERSION */
    uint64_t generation; /* of the store's definitions, when it was read */
    uint64_t changes_max;
    bool unseen; /* a batch was committed that capture has yet to meet */
    bool insist; /* try quarantined rows again, whether anything changed or not */
    uint64_t only;
    struct progress_step progress;
    uint64_t watched_to;
};

/* Have a connection, one that is this node's only writer. A failure leaves none. BUSY:
 * there is another. */
MUST_CHECK enum status postgres_target_connect(struct postgres_target *target,
                                               struct error *err);
void postgres_target_disconnect(struct postgres_target *target);

#endif
