/* The rows that the resolution of constraints has in hand, in TEMP tables of a SQLite
 * connection, the batch's own or one beside it: those kept out of their tables for the
 * time being or for good (parked), a queue of those yet to be decided, by birth, and
 * suspects: rows in their tables whose parents are to be looked for. */
#ifndef APPLY_MOVED_H
#define APPLY_MOVED_H

#include "engine/sqlite_database.h"
#include "log/rows.h"

/* What the row is to the batch. */
enum moved_origin {
    MOVED_PLANNED = 1, /* the plan writes it */
    MOVED_BEYOND = 2,  /* parked or quarantined before, tried again */
    MOVED_EVICTED = 3, /* as the database had it; came out for others' sake */
};

/* What the database had of it before the batch. */
enum moved_was { WAS_NOTHING = 0, WAS_SHOWN = 1, WAS_PARKED = 2 };

enum moved_state {
    MOVED_QUEUED = 0,
    MOVED_PLACED = 1, /* in its table */
    MOVED_PARKED = 2,
    MOVED_REFUSED = 3,   /* quarantined; noted among the items */
    MOVED_AS_BEFORE = 4, /* parked, and nothing about that is new */
};

struct moved_row {
    int64_t id;
    uint32_t table; /* the store's id */
    uint32_t group;
    struct bytes key;
    struct version born;
    enum moved_origin origin;
    enum moved_was was;
    enum moved_state state;
    struct parked parked; /* with its kind 0 unless state is PARKED */
    struct parked before; /* with its kind 0 unless was is PARKED */
};

struct moved;

/* Make the tables, outside of a transaction. On success the caller closes it. */
MUST_CHECK enum status moved_open(struct moved **out, struct sqlite_database *database,
                                  struct error *err);
void moved_close(struct moved *moved);
MUST_CHECK enum status moved_clear(struct moved *moved, struct error *err);

/* Add a row that is not there yet, queued; row->id is set. */
MUST_CHECK enum status moved_add(struct moved *moved, struct moved_row *row,
                                 struct error *err);
/* Set state and parked of the row with this id. */
MUST_CHECK enum status moved_set(struct moved *moved, int64_t id, enum moved_state state,
                                 const struct parked *parked, struct error *err);

/* Each of these gives a row whose views live until the next call of any of them.
 * NOT_FOUND is a plain answer. find: by key. queued: the one of the group that was born
 * first. after: the next one by id. */
MUST_CHECK enum status moved_find(struct moved *moved, uint32_t table, struct bytes key,
                                  struct moved_row *out, struct error *err);
MUST_CHECK enum status moved_queued(struct moved *moved, uint32_t group,
                                    struct moved_row *out, struct error *err);
MUST_CHECK enum status moved_after(struct moved *moved, int64_t id, struct moved_row *out,
                                   struct error *err);
bool moved_any(const struct moved *moved);

/* ---- suspects */

struct suspect {
    uint32_t table;
    struct bytes key; /* a view until the next call */
};

MUST_CHECK enum status suspects_add(struct moved *moved, uint32_t group,
                                    const struct suspect *suspect, struct error *err);
/* The group's next one after a table and key (0 and empty: the first). NOT_FOUND. */
MUST_CHECK enum status suspects_after(struct moved *moved, uint32_t group,
                                      const struct suspect *after, struct suspect *out,
                                      struct error *err);
MUST_CHECK enum status suspects_remove(struct moved *moved, uint32_t group,
                                       const struct suspect *suspect, struct error *err);
bool suspects_any(const struct moved *moved);

#endif
