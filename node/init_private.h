/* What the files of init share: init.c, init_store.c; nobody else includes this. */
#ifndef NODE_INIT_PRIVATE_H
#define NODE_INIT_PRIVATE_H

#include "node/cradle.h"
#include "node/database_url.h"
#include "node/node_private.h"

struct making {
    const struct init_options *options;
    struct init_report *report;
    char *place; /* of the store, without slashes at the end */
    struct database_url url;
    struct identity identity;
    struct config config;
    struct database *database; /* NULL: a file that is not there, and a check */
    uint64_t owner;            /* whose store it was found to belong to; 0: nobody's */
    bool made_database;
    uint64_t left_id; /* of a dead init's cradle; 0: none */
    struct cradle *cradle;
    enum cradle_end end; /* of the cradle */
    struct store *store;
    bool begun; /* a dead init had copied some of the rows into it */
};

/* Make the store in its cradle, with what it has to know from the beginning; or go on
 * with one that a dead init left there with rows in it. */
MUST_CHECK enum status making_store(struct making *making, struct error *err);

/* The founder's log: member, definitions, base rows. */
MUST_CHECK enum status making_found(struct making *making, struct error *err);

/* Move the store into place, and let the database say whose it is. */
MUST_CHECK enum status making_place(struct making *making, struct error *err);

#endif
