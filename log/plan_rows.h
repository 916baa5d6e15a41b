/* The rows that a stretch of foreign entries has written: each once, with the place of
 * its last change there that won, in the order in which a database takes them best.
 * Private to log/. */
#ifndef LOG_PLAN_ROWS_H
#define LOG_PLAN_ROWS_H

#include "log/log_reader.h"

/* As many as the largest batch of entries that are not large themselves. */
enum { PLAN_ROWS_MAX = 1 << 17 };

struct plan_item {
    struct table table;
    struct place place;
    struct place previous; /* the row's change before its first one here */
    struct bytes key;      /* a view of the log */
    uint64_t prefix;       /* of the key, to compare by */
    struct bytes bytes;    /* the change's own */
    uint32_t entry;        /* where it stands: place.seq's among the entries */
    uint32_t order;        /* of the row's first change among those that were added */
    bool live;             /* the change was no delete */
    bool has_insert;       /* some change of the row's was an insert */
};

/* What all changes of an entry have in common. */
struct plan_entry {
    uint64_t seq, stamp_us, origin, origin_seq;
};

struct plan_rows {
    struct plan_item *items;    /* owned */
    struct plan_entry *entries; /* owned */
    size_t entry_count;
    size_t entry_capacity;
    size_t count;
    size_t capacity;
    size_t most; /* that there may be */
    uint32_t added;
    bool ascending; /* by key, as they came */
};

/* most: at most PLAN_ROWS_MAX. */
void plan_rows_init(struct plan_rows *rows, size_t most);
void plan_rows_clear(struct plan_rows *rows);
void plan_rows_release(struct plan_rows *rows);
bool plan_rows_are_full(const struct plan_rows *rows);

/* Add a change, in log order; not to full ones. */
MUST_CHECK enum status plan_rows_add(struct plan_rows *rows, const struct table *table,
                                     const struct log_change *change, struct error *err);

/* After the last add. Keep the last change of each row. in_log_order: of the rows, by
 * their first changes; else what was there before by key, so that neighbours in the
 * database are written one after the other, and then what is inserted in log order, so
 * that rowids grow as they did where the rows come from. */
void plan_rows_arrange(struct plan_rows *rows, bool in_log_order);

/* The change that the item is about, as the log has it. Views are the log's. */
MUST_CHECK enum status plan_rows_change(const struct plan_rows *rows,
                                        const struct plan_item *item,
                                        struct log_change *out, struct error *err);

#endif
