/* Stores without databases, for tests of log/: two or more nodes of one fleet whose
 * entries a test makes by hand and carries from one to the other.
 *
 * Every store knows one table, "item": id (integer key), a, b; definition 1 of each node.
 */
#ifndef TESTS_SUPPORT_LOG_FIXTURE_H
#define TESTS_SUPPORT_LOG_FIXTURE_H

#include "log/appender.h"
#include "log/log_reader.h"

enum { LOG_NODES_MAX = 4, LOG_PATH_MAX = 128 };

struct log_node {
    struct store *store;
    char folder[LOG_PATH_MAX];
    struct identity identity;
    uint64_t now_us;
    struct wall_clock clock;
};

struct log_fixture {
    char folder[LOG_PATH_MAX];
    struct log_node nodes[LOG_NODES_MAX];
    size_t count;
};

/* Make count nodes; node ids are 1, 2, 3 …; each has logged a member entry and definition
 * 1 (its entries 1 and 2), and nobody else's. Clocks say 1,000,000. */
void log_fixture_open(struct log_fixture *fixture, size_t count);
void log_fixture_close(struct log_fixture *fixture);
void log_node_reopen(struct log_node *node);

/* The key and the image of a row of "item". b: NULL for SQL NULL. */
void item_key(struct buffer *out, int64_t id);
void item_image(struct buffer *out, int64_t id, const char *a, const char *b);

/* Log one local change of the row: a == NULL deletes. The op, born and unseen follow from
 * what the store says the database holds, as capture does it. Returns its seq. */
uint64_t log_write(struct log_node *node, int64_t id, const char *a, const char *b);

/* Carry over what from has and to lacks, at most so many entries (0: all). */
void log_carry(struct log_node *from, struct log_node *to, uint64_t most);

/* Say that the database has taken all of the log: held images go, the applied position
 * and vector are the log's. */
void log_take_all(struct log_node *node);

/* What the row index and the holding say of a row, as text: "a=x b=y", "deleted",
 * "nothing". */
const char *log_winner(struct log_node *node, int64_t id);
const char *log_holding(struct log_node *node, int64_t id);
uint64_t log_conflicts(struct log_node *node);
uint64_t log_last(struct log_node *node);

#endif
