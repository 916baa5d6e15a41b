/* What a Postgres database lacks, or brings along, for taking part: findings for `init`,
 * each with what its administrator may run. Nothing is changed. */
#ifndef ENGINE_POSTGRES_CHECK_H
#define ENGINE_POSTGRES_CHECK_H

#include "engine/catalog.h"
#include "engine/findings.h"
#include "engine/postgres_connection.h"
#include "engine/table_rules.h"

/* What rowferry is to do here. */
struct postgres_needs {
    const char *slot;        /* of this name, which is to be made; NULL: it is there */
    const char *publication; /* the same */
    bool takes;              /* whatever comes is written, too */
    bool own_numbers;        /* sequences are to give numbers of the node's own */
};

/* Look at the server, at the connection's role, and at the catalog's tables, in a
 * transaction of the caller's. Release out also after a failure. */
MUST_CHECK enum status postgres_check(struct postgres *postgres,
                                      const struct catalog *catalog,
                                      const struct table_rules *rules,
                                      const struct postgres_needs *needs,
                                      struct findings *out, struct error *err);

/* The part of it that looks at tables; role: the connection's, quoted; replica: whether
 * it may set session_replication_role. */
MUST_CHECK enum status postgres_check_tables(struct postgres *postgres,
                                             const struct catalog *catalog,
                                             const struct table_rules *rules,
                                             const struct postgres_needs *needs,
                                             const char *role, bool replica,
                                             struct findings *out, struct error *err);

#endif
