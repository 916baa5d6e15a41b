/* A node's database, whatever its kind: what init, a visit and a round ask of it. A new
 * kind is one more file like database_sqlite.c. What only SQLite can do so far is done
 * with database_sqlite(), and refused of the others.
 *
 * One thread at a time; calls block. */
#ifndef NODE_DATABASE_H
#define NODE_DATABASE_H

#include "apply/target.h"
#include "capture/source.h"
#include "engine/catalog.h"
#include "engine/findings.h"
#include "engine/postgres_connection.h"
#include "engine/sqlite_database.h"
#include "node/config.h"
#include "node/database_url.h"

struct database {
    const struct database_ops *ops;
    enum database_kind kind;
    const char *name; /* for messages: a file's path, or a URL */
};

enum database_mode { DATABASE_READ, DATABASE_WRITE, DATABASE_CREATE };

/* Whose database it is to be, and how. All outlive source and target. */
struct database_use {
    struct store *store;
    const struct config *config;
    bool foreign_keys;    /* whether they count */
    uint64_t rows;        /* that there are, for progress; 0: unknown */
    const uint32_t *slot; /* see sqlite_target_options; NULL: no such thing */
};

/* One line for the user. */
typedef void (*database_notice_cb)(void *data, const char *line);

struct database_ops {
    void (*close)(struct database *database);

    /* Use what the settings name; once, before anything else. NULL: nothing is. */
    void (*adopt)(struct database *database, const struct config *config);

    /* The node whose store the database says it belongs to; 0: none. */
    enum status (*owner)(struct database *database, uint64_t *node, struct error *err);

    /* Make it say, in a transaction of its own, that it belongs to this store, whose
     * position is that of its founding; and take that back, where it was begun: say
     * again what it said before. */
    enum status (*claim)(struct database *database, struct store *store,
                         struct error *err);
    enum status (*unclaim)(struct database *database, struct error *err);

    /* Begin a transaction that reads one state, for the calls below; rollback ends it,
     * and any other. It may be called when nothing is open. */
    enum status (*begin_read)(struct database *database, struct error *err);
    void (*rollback)(struct database *database);

    /* As sqlite_catalog_read(), sqlite_outsiders_read(), sqlite_foreign_keys_broken(),
     * sqlite_triggers_silent(), sqlite_has_table(). */
    enum status (*read_catalog)(struct database *database,
                                const struct table_rules *rules, struct store_txn *txn,
                                struct catalog *out, struct error *err);
    enum status (*read_outsiders)(struct database *database,
                                  const struct catalog *catalog, struct outsiders *out,
                                  struct error *err);
    enum status (*find_broken)(struct database *database, const struct catalog *catalog,
                               char **why, struct error *err);
    enum status (*find_silent)(struct database *database, const struct catalog *catalog,
                               enum trigger_mode mode, bool *silent, struct error *err);
    /* What it lacks for this node to be founded on it, and what its owner should know; in
     * the read transaction that is open. NULL: nothing ever. */
    enum status (*check)(struct database *database, uint64_t node,
                         const struct catalog *catalog, const struct table_rules *rules,
                         struct findings *out, struct error *err);
    enum status (*has_table)(struct database *database, const char *table, bool views,
                             bool *has, struct error *err);

    /* How many rows of a table have a key without NULL. */
    enum status (*count_rows)(struct database *database,
                              const struct definition *definition, uint64_t *count,
                              struct error *err);

    /* Make the definition's table in the write transaction that is open, all of it or
     * nothing. NOT_FOUND: nothing, err says what it needs that is not here. */
    enum status (*create_table)(struct database *database,
                                const struct definition *definition, struct error *err);
    /* After the last of them, in the same transaction: make what needs all of them to be
     * there, and take out what would fail; each that is left out is told. */
    enum status (*finish_tables)(struct database *database,
                                 const struct definition *const *definitions,
                                 uint32_t count, database_notice_cb notice, void *data,
                                 struct error *err);

    /* Begin the transaction in which a joining node makes its tables and its rows meet
     * the fleet's; nobody's write changes what it sees. *entered, by which the caller
     * says whether an earlier one has ended: what the database says of that, if it says
     * anything; with true nothing is begun. REFUSED: it belongs to another store (unless
     * take_over). */
    enum status (*begin_enter)(struct database *database, struct store *store,
                               bool take_over, bool *entered, struct error *err);
    /* End it: the database is this store's. */
    enum status (*end_enter)(struct database *database, struct store *store,
                             struct error *err);

    /* Before a capture: let tables take part that were made since the last, say what
     * can't be taken now, and which are gone; after a source was opened, and while no
     * target of this process works. NULL: the capture does that itself. */
    enum status (*take_tables)(struct database *database, struct source *source,
                               database_notice_cb notice, void *data,
                               struct capture_counts *counts, struct error *err);

    /* A number that changes when others may have written; own writes need not count. */
    enum status (*version)(struct database *database, int64_t *version,
                           struct error *err);

    /* On success *out is the caller's, to be closed before the database. A target asks
     * the source what was written locally, so it comes after it. */
    enum status (*open_source)(struct database *database, const struct database_use *use,
                               struct source **out, struct error *err);
    enum status (*open_target)(struct database *database, const struct database_use *use,
                               struct source *source, struct target **out,
                               struct error *err);
};

/* Open the database that a URL names. *out is the caller's on success, for
 * database_close(); url need not outlive it. UNAVAILABLE, BUSY: it is not there, or not
 * now. USAGE: no database of this kind can be used yet. */
MUST_CHECK enum status database_open(struct database **out,
                                     const struct database_url *url,
                                     enum database_mode mode, struct error *err);
void database_close(struct database *database); /* NULL is allowed */

/* The same database where it is one of SQLite's; else NULL. */
struct sqlite_database *database_sqlite(struct database *database);

/* The same for Postgres: the connection for questions. asked: another one, outside of the
 * transaction, for what values become there while rows are read by the first; it is the
 * database's, opened when it is first wanted. */
struct postgres *database_postgres(struct database *database);
MUST_CHECK enum status database_postgres_asked(struct database *database,
                                               struct postgres **out, struct error *err);

/* Whether it is a file that is not there. */
bool database_is_missing(const struct database_url *url);

/* Open for database_open(): of a kind each. */
MUST_CHECK enum status database_sqlite_open(struct database **out, const char *path,
                                            enum database_mode mode, struct error *err);
MUST_CHECK enum status database_postgres_open(struct database **out, const char *url,
                                              enum database_mode mode, struct error *err);

#endif
