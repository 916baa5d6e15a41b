/* What may be overwritten in Postgres without waiting for capture (DESIGN section 6, "The
 * race"): a row whose last writer had committed before what capture has passed.
 *
 * A snapshot taken before the WAL position up to which capture has read since: whatever
 * is older than its xmin is known. pg_visible_in_snapshot() can't be asked of the rest: a
 * snapshot knows no subtransactions, so the row of one whose parent was still running
 * would pass. Those that stand in the way are learned one by one instead: what
 * pg_xact_status() says has committed is known once capture has passed that moment. */
#ifndef APPLY_POSTGRES_GUARD_H
#define APPLY_POSTGRES_GUARD_H

#include "engine/postgres_connection.h"
#include "log/buffer.h"

enum { GUARD_KNOWN_MAX = 4096 };

struct postgres_guard {
    uint64_t floor;                  /* the snapshot's xmin, a full transaction id */
    uint64_t known[GUARD_KNOWN_MAX]; /* not below floor; ascending is not promised */
    uint32_t known_count;
    uint64_t learned[GUARD_KNOWN_MAX]; /* known when capture has passed this moment */
    uint32_t learned_count;
    char floor_text[24];
    char window_text[24];
    struct buffer known_text; /* an array's text with a NUL; owned */
};

/* All zeroes begins one. */
void postgres_guard_release(struct postgres_guard *guard);

/* Take a snapshot; what was learned before becomes known. To be called before capture
 * reads up to the present, and used after that. */
MUST_CHECK enum status postgres_guard_take(struct postgres_guard *guard,
                                           struct postgres *postgres, struct error *err);

/* The transaction that is open is our own: its rows may be overwritten, from now on. */
MUST_CHECK enum status postgres_guard_own(struct postgres_guard *guard,
                                          struct postgres *postgres, struct error *err);

/* A row stands as xmin (its 32 bits) has left it, and was not overwritten: find out
 * whether that is committed. *learned: it is, and was not known. */
MUST_CHECK enum status postgres_guard_learn(struct postgres_guard *guard,
                                            struct postgres *postgres, uint32_t xmin,
                                            bool *learned, struct error *err);

/* Whether it lets a row be overwritten that xmin has left: the condition below. */
bool postgres_guard_lets(const struct postgres_guard *guard, uint32_t xmin);

/* The condition on a table's xmin, with three parameters from $first on: floor, window
 * and known. */
void postgres_guard_put(struct buffer *sql, const char *table, uint32_t first);
void postgres_guard_bind(const struct postgres_guard *guard, const char *parameters[3]);

#endif
