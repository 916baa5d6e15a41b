/* Nodes with real SQLite databases whose entries go from store to store by hand, for
 * tests of apply/: a scan fixture each, and a target on the same connection. What a test
 * takes for granted is asserted. */
#ifndef TESTS_SUPPORT_APPLY_FIXTURE_H
#define TESTS_SUPPORT_APPLY_FIXTURE_H

#include "apply/applier.h"
#include "apply/sqlite_target.h"
#include "tests/support/scan_fixture.h"

struct apply_node {
    struct scan_node scan;
    struct sqlite_target_options
        options; /* set before the first apply_run(); capture is set */
    struct target *target;
    struct apply_counts counts; /* of all apply_run() */
};

/* A node whose database the schema makes. foreign_keys: they count. It must not move. */
void apply_node_open(struct apply_node *node, const char *schema, bool foreign_keys);
void apply_node_close(struct apply_node *node);

/* As another process would: new connections, a new target. */
void apply_node_restart(struct apply_node *node);

/* Let the database look as if it was written now, by the node's clock. */
void apply_touch(struct apply_node *node);

/* The application writes, a second passes, and capture logs it. */
void apply_write(struct apply_node *node, const char *sql);

/* Import what from has and to lacks, at most so many entries (0: all). How many it was.
 */
uint64_t apply_carry(struct apply_node *from, struct apply_node *to, uint64_t most);

/* Apply all there is; or with its status. */
void apply_run(struct apply_node *node);
enum status apply_try(struct apply_node *node, struct error *err);

/* What the first column of a query gives on the application's connection, rows joined by
 * ';', NULL as "NULL". Valid until the next call. */
const char *apply_text(struct apply_node *node, const char *sql);

/* Expect a query's text; and that nothing is left to capture or to apply afterwards. */
void apply_expect(struct apply_node *node, const char *sql, const char *text);
void apply_expect_same(struct apply_node *node, struct apply_node *other,
                       const char *sql);
void apply_expect_quiet(struct apply_node *node);

/* The parked and the quarantined rows: "t(1) unique ix of t(2);…", "t(1): message;…".
 * Valid until the next call. */
const char *apply_parked(struct apply_node *node);
const char *apply_quarantine(struct apply_node *node);

/* Expect that a scan of everything finds nothing to log: the store knows what the
 * database holds. */
void apply_expect_known(struct apply_node *node);

#endif
