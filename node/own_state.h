/* Writing rowferry_state outside of capture and apply: at init, at joining, at resync. */
#ifndef NODE_OWN_STATE_H
#define NODE_OWN_STATE_H

#include "engine/sqlite_own_write.h"

/* Begin a write transaction of our own on the database. */
MUST_CHECK enum status own_state_begin(struct sqlite_database *database,
                                       struct store *store, struct sqlite_own_write *own,
                                       struct error *err);

/* Set rowferry_state, commit, and let the store remember counter and modification time.
 * After a failure of either the caller rolls back. */
MUST_CHECK enum status own_state_commit(struct sqlite_database *database,
                                        struct store *store,
                                        const struct sqlite_own_write *own,
                                        const struct sqlite_state *state,
                                        struct error *err);

#endif
