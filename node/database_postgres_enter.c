/* A Postgres database joins a fleet: its tables are made and its rows meet the fleet's in
 * one transaction that sees one state; nothing of it is captured before that, and no slot
 * is there.
 *
 * What is written after that state, while nobody captures, is not lost: the source's
 * enter (capture/source.h) makes the publication, of the tables that were made too, and
 * the slot, and compares all rows once more as the slot's snapshot shows them with what
 * the meeting found, as a scan does. A difference is a write of this node's. Killed
 * anywhere before that has been logged, the next call makes another slot and compares
 * again. */
#include "node/database_postgres_private.h"

#include "engine/postgres_ddl.h"

#include <stdio.h>
#include <stdlib.h>

struct postgres *database_postgres(struct database *database)
{
    return database != NULL && database->kind == DATABASE_POSTGRES
               ? postgres_house_of(database)->postgres
               : NULL;
}

enum status database_postgres_asked(struct database *database, struct postgres **out,
                                    struct error *err)
{
    struct postgres_house *house = postgres_house_of(database);
    enum status status = STATUS_OK;

    if (house->asked == NULL)
        status = postgres_open(&house->asked, postgres_url(house->postgres),
                               POSTGRES_READ, err);
    *out = house->asked;
    return status;
}

/* ---- tables */

enum status postgres_house_create_table(struct database *database,
                                        const struct definition *definition,
                                        struct error *err)
{
    struct postgres *postgres = postgres_house_of(database)->postgres;
    struct error why;
    char *left = NULL;
    enum status made, status = postgres_execute(postgres, "SAVEPOINT making", err);

    if (status != STATUS_OK)
        return status;
    made = postgres_create_table(postgres, definition, POSTGRES_TABLES, &left, err);
    free(left);
    if (made != STATUS_OK && made != STATUS_NOT_FOUND)
        return made;
    why = *err;
    if (made == STATUS_NOT_FOUND)
        status = postgres_execute(postgres, "ROLLBACK TO making", err);
    if (status == STATUS_OK)
        status = postgres_execute(postgres, "RELEASE making", err);
    if (status != STATUS_OK)
        return status;
    *err = why;
    return made;
}

static enum status say_references(const struct definition *definition, const char *left,
                                  database_notice_cb notice, void *data,
                                  struct error *err)
{
    char *line = NULL;

    if (notice == NULL)
        return STATUS_OK;
    if (asprintf(&line, "table %s is without what can't be made here: %s",
                 definition->name, left) < 0)
        return error_set(err, STATUS_NO_MEMORY, "join: out of memory");
    notice(data, line);
    free(line);
    return STATUS_OK;
}

enum status postgres_house_finish_tables(struct database *database,
                                         const struct definition *const *definitions,
                                         uint32_t count, database_notice_cb notice,
                                         void *data, struct error *err)
{
    struct postgres *postgres = postgres_house_of(database)->postgres;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        char *left = NULL;

        status = postgres_create_table(postgres, definitions[i], POSTGRES_REFERENCES,
                                       &left, err);
        if (status == STATUS_OK && left != NULL)
            status = say_references(definitions[i], left, notice, data, err);
        free(left);
    }
    return status;
}

/* ---- the transaction */

enum status postgres_house_begin_enter(struct database *database, struct store *store,
                                       bool take_over, bool *entered, struct error *err)
{
    (void)store, (void)take_over; /* whose it is was asked when it was opened */
    if (*entered)
        return STATUS_OK;
    *entered = false;
    return postgres_execute(postgres_house_of(database)->postgres,
                            "BEGIN ISOLATION LEVEL REPEATABLE READ", err);
}

enum status postgres_house_end_enter(struct database *database, struct store *store,
                                     struct error *err)
{
    enum status status = postgres_commit(postgres_house_of(database)->postgres, err);

    return status == STATUS_OK ? postgres_house_claim(database, store, err) : status;
}
