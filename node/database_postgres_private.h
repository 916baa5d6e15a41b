/* What database_postgres.c and database_postgres_enter.c share. */
#ifndef NODE_DATABASE_POSTGRES_PRIVATE_H
#define NODE_DATABASE_POSTGRES_PRIVATE_H

#include "engine/postgres_connection.h"
#include "engine/postgres_slot.h"
#include "node/database.h"

struct postgres_house {
    struct database database;
    struct postgres *postgres;
    struct postgres *asked;        /* see database_postgres_asked(); NULL: not yet */
    char slot[POSTGRES_NAME_SIZE]; /* and publication: rowferry_<node id> */
    char given_slot[POSTGRES_NAME_SIZE], given_publication[POSTGRES_NAME_SIZE]; /* the
                                      administrator's instead; "": none */
    bool own_numbers;      /* ids = range */
    struct source *source; /* that the target asks; not owned */
    uint64_t before;       /* whose it was when it was claimed; 0: nobody's */
};

struct postgres_house *postgres_house_of(struct database *database);

/* database_ops. */
enum status postgres_house_claim(struct database *database, struct store *store,
                                 struct error *err);
enum status postgres_house_create_table(struct database *database,
                                        const struct definition *definition,
                                        struct error *err);
enum status postgres_house_finish_tables(struct database *database,
                                         const struct definition *const *definitions,
                                         uint32_t count, database_notice_cb notice,
                                         void *data, struct error *err);
enum status postgres_house_begin_enter(struct database *database, struct store *store,
                                       bool take_over, bool *entered, struct error *err);
enum status postgres_house_end_enter(struct database *database, struct store *store,
                                     struct error *err);

#endif
