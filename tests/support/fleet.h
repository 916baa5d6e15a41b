/* A fleet of real nodes in one temporary folder, for tests: each a SQLite file and a
 * store, with a wall clock of its own, and an application's plain connection beside it.
 *
 * What a test takes for granted is asserted here; the calls that end in _try are for what
 * it wants to see fail. The clocks stand still unless the test moves them. */
#ifndef TESTS_SUPPORT_FLEET_H
#define TESTS_SUPPORT_FLEET_H

#include "node/node.h"

#include <sqlite3.h>

enum { FLEET_NODES_MAX = 5, FLEET_PATH_MAX = 128 };

/* Where every clock begins. */
#define FLEET_EPOCH_US  (UINT64_C(1700000000) * 1000000)
#define FLEET_SECOND_US UINT64_C(1000000)

struct fleet_node {
    char name[8]; /* "a", "b" … */
    char database[FLEET_PATH_MAX];
    char store[FLEET_PATH_MAX];
    struct node *node;
    sqlite3 *application;
    uint64_t now_us;
    struct wall_clock clock;
    uint64_t id;
    uint64_t written_us; /* when the application last committed, by its clock */
};

struct fleet {
    char folder[FLEET_PATH_MAX];
    char shared[FLEET_PATH_MAX]; /* the folder where all may meet */
    struct fleet_node nodes[FLEET_NODES_MAX];
    size_t count;
    uint64_t segments; /* files made so far, for their names */
};

/* In the stores that are opened from now on, rows of a transaction that become a sorted
 * run (log/layered.h) and steps of a walk that is kept (log/walks.h); 0, the default: as
 * everywhere. */
extern uint32_t fleet_run_rows_min, fleet_walk_steps_min;

/* Make node 0 found a fleet with what schema makes (tables and rows), and the others join
 * it; all then hold the same, and their clocks say FLEET_EPOCH_US. skews_us: NULL, or
 * what each clock is ahead. fleet must not move afterwards. */
void fleet_open(struct fleet *fleet, size_t count, const char *schema,
                const int64_t *skews_us);
void fleet_close(struct fleet *fleet);

/* Open the node anew, with these lines as its rowferry.ini. */
void fleet_set_rules(struct fleet_node *node, const char *lines);

/* Let time pass on every clock. */
void fleet_pass_time(struct fleet *fleet, uint64_t us);

/* Run an application's statements, and set the database's modification time by the node's
 * clock. try: SQLite's code; what failed is rolled back. */
void fleet_write(struct fleet_node *node, const char *sql);
int fleet_write_try(struct fleet_node *node, const char *sql);

void fleet_capture(struct fleet_node *node);
void fleet_apply(struct fleet_node *node);

/* Visit the shared folder. */
void fleet_sync(struct fleet *fleet, struct fleet_node *node);
enum status fleet_sync_try(struct fleet *fleet, struct fleet_node *node,
                           struct visit_report *report, struct error *why);

/* Write what from holds and base does not cover (NULL: everything) to a file of its own;
 * to (initialised) becomes what a reader then has. entries_max 0: all. False: there is
 * nothing. */
bool fleet_export(struct fleet *fleet, struct fleet_node *from,
                  const struct version_vector *base, uint64_t entries_max,
                  char path[FLEET_PATH_MAX], struct version_vector *to);
enum status fleet_import_try(struct fleet_node *node, const char *path,
                             struct error *why);

/* One way: what from has and to lacks goes into to's log, in segments of at most
 * entries_max entries (0: one segment). */
void fleet_send(struct fleet *fleet, struct fleet_node *from, struct fleet_node *to,
                uint64_t entries_max);

/* Both capture, exchange and apply. */
void fleet_meet(struct fleet *fleet, struct fleet_node *a, struct fleet_node *b);

/* What the log holds; vector is initialised by the caller. */
void fleet_vector(struct fleet_node *node, struct version_vector *vector);
uint64_t fleet_conflicts(struct fleet_node *node);
uint64_t fleet_parked(struct fleet_node *node);
uint64_t fleet_last_seq(struct fleet_node *node);
uint64_t fleet_meta(struct fleet_node *node, enum meta_key key);

/* What a query gives on the application's connection: columns joined by '|', rows by ';'.
 * Valid until the next call. */
const char *fleet_text(struct fleet_node *node, const char *sql);

/* Expect a query to give the same text on every node. */
void fleet_expect(struct fleet *fleet, const char *sql, const char *text);

#endif
