/* One node with a real SQLite database, for tests of capture/: made as init makes a
 * founder, with an application's own connection beside it. What a test takes for granted
 * is asserted. */
#ifndef TESTS_SUPPORT_SCAN_FIXTURE_H
#define TESTS_SUPPORT_SCAN_FIXTURE_H

#include "capture/sqlite_scan.h"
#include "log/log_reader.h"

enum { SCAN_PATH_MAX = 128 };

struct scan_node {
    char folder[SCAN_PATH_MAX];
    char path[SCAN_PATH_MAX];  /* the database */
    char place[SCAN_PATH_MAX]; /* the store */
    struct identity identity;
    struct store *store;
    struct sqlite_database *database;
    const struct table_rules *rules; /* of sources opened from now on; NULL: none */
    struct source *source;
    sqlite3 *application;
    uint64_t now_us;
    struct wall_clock clock;
    struct capture_counts base;
};

/* Make the database by schema (tables and rows) and a founder's store of it. node must
 * not move afterwards. open_file: the database is a file that is there already. */
void scan_node_open(struct scan_node *node, const char *schema);
void scan_node_open_file(struct scan_node *node, const char *file);
void scan_node_close(struct scan_node *node);

/* As another process would: a new connection, a new source. */
void scan_node_restart(struct scan_node *node);

/* Run the application's statements. */
void scan_write(struct scan_node *node, const char *sql);

/* Capture: how many changes it logged; or with its status. */
uint64_t scan_capture(struct scan_node *node);
enum status scan_capture_try(struct scan_node *node, struct capture_counts *counts,
                             struct error *err);

/* Expect one capture to log exactly one entry of changes that reads so, and the next one
 * to log nothing. Changes, one a line, as insert t(1): 1,'x',NULL update t(1): 1,'y',NULL
 * was 1='x' delete t(1) was 0=key,1='y',2=NULL (places in the image before =; "key": as
 * in the key; "unseen NODE.SEQ" at the end). */
void scan_expect(struct scan_node *node, const char *changes);

/* The same text of an entry. Valid until the next call. */
const char *scan_text(struct scan_node *node, uint64_t seq);

/* Expect the row index to hold exactly what the database holds, bit for bit: tables of
 * the catalog, rows with a key. Returns how many rows. */
uint64_t scan_expect_same(struct scan_node *node);

uint64_t scan_last_seq(struct scan_node *node);
uint64_t scan_meta(struct scan_node *node, enum meta_key key);
void scan_set_meta(struct scan_node *node, enum meta_key key, uint64_t value);
struct sqlite_state scan_state(struct scan_node *node);
void scan_set_state(struct scan_node *node, const struct sqlite_state *state);

#endif
