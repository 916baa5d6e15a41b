/* Where capture of a Postgres database begins: publication, slot, and the snapshot that
 * the slot begins with.
 *
 * The order is what loses nothing. The publication comes first, of tables that are there:
 * what is written before a table is in it is never told. Then the slot, which begins only
 * when all transactions that had begun before it have ended, so that none of those that
 * it tells has missed the publication. Then the rows, as the slot's own snapshot shows
 * them: what committed before it is among them, what comes after it is told. */
#include "capture/postgres_order.h"
#include "capture/postgres_source_private.h"

#include "engine/postgres_publication.h"
#include "engine/postgres_slot.h"
#include "engine/postgres_stored.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DROP_TRIES_MAX = 100 }; /* of a slot, each 50 ms */

static enum status publish(struct postgres_source *self, struct error *err)
{
    const char **names = (const char **)calloc(self->catalog.count + 1, sizeof(char *));
    size_t count = 0;
    enum status status;

    if (names == NULL)
        return error_set(err, STATUS_NO_MEMORY, "publication: out of memory");
    for (size_t i = 0; i < self->catalog.count; i++) {
        const char *name = self->catalog.definitions[i]->local_name;

        if (table_rules_direction(self->options.rules, name) != TABLE_IN)
            names[count++] = name;
    }
    status = self->options.publication_is_given
                 ? postgres_publication_check(self->postgres, self->options.publication,
                                              names, count, err)
                 : postgres_publication_create(self->postgres, self->options.publication,
                                               names, count, true, err);
    free((void *)names);
    return status;
}

static enum status see_snapshot(struct postgres *postgres, const char *snapshot,
                                struct error *err)
{
    struct buffer sql = {0};

    buffer_put_bytes(&sql,
                     bytes_of_text("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                                   "SET TRANSACTION SNAPSHOT "));
    postgres_put_literal(&sql, snapshot);
    return postgres_execute_buffer(postgres, &sql, err);
}

static bool is_sent(const struct postgres_source *self, const char *name)
{
    return catalog_find_local(&self->catalog, name) != NULL &&
           table_rules_direction(self->options.rules, name) != TABLE_IN;
}

static enum status order_taken(struct postgres_source *self, struct error *err)
{
    struct postgres_order order = {0};
    enum status status = postgres_order_open(&order, &self->catalog, err);

    for (size_t i = 0; status == STATUS_OK && i < self->taken.count; i++)
        self->taken.list[i].order = postgres_order_of(&order, self->taken.list[i].name);
    postgres_order_close(&order);
    postgres_taken_sort(&self->taken);
    return status;
}

/* The tables that the stream tells of as they were in the snapshot. They do not count
 * before the rows are in the log. */
static enum status find_taken(struct postgres_source *self, struct error *err)
{
    static const char sql[] =
        "SELECT c.oid, format('%I.%I', n.nspname, c.relname) FROM pg_publication_tables p"
        " JOIN pg_namespace n ON n.nspname = p.schemaname"
        " JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename"
        " WHERE p.pubname = $1 ORDER BY 1";
    PGresult *found = NULL;
    enum status status =
        postgres_query(self->postgres, sql, 1, &self->options.publication, &found, err);

    postgres_taken_release(&self->taken);
    for (int i = 0; status == STATUS_OK && i < PQntuples(found); i++) {
        uint32_t oid = (uint32_t)strtoul(PQgetvalue(found, i, 0), NULL, 10);
        const char *name = PQgetvalue(found, i, 1);

        if (is_sent(self, name))
            status = postgres_taken_add(&self->taken, oid, name, err);
    }
    PQclear(found);
    if (status == STATUS_OK)
        status = order_taken(self, err);
    return status == STATUS_OK ? postgres_run_keep_taken(self, 0, err) : status;
}

enum status postgres_source_server(struct postgres_source *self,
                                   struct postgres_server *out, struct error *err)
{
    PGresult *found = NULL;
    enum status status = postgres_query(
        self->postgres,
        "SELECT system_identifier,"
        " ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint,"
        " pg_current_wal_insert_lsn() - '0/0'::pg_lsn FROM pg_control_system()",
        0, NULL, &found, err);

    if (status != STATUS_OK)
        return status;
    /* The identifier is printed as a signed number. */
    out->system = (uint64_t)strtoll(PQgetvalue(found, 0, 0), NULL, 10);
    out->timeline = strtoull(PQgetvalue(found, 0, 1), NULL, 10);
    out->end_lsn = strtoull(PQgetvalue(found, 0, 2), NULL, 10);
    PQclear(found);
    return STATUS_OK;
}

/* The server may take a moment to see that the slot's last reader has gone. */
static enum status drop_slot(struct postgres_source *self, struct error *err)
{
    struct error ignored;
    enum status status = STATUS_BUSY;

    if (self->options.slot_is_given)
        return STATUS_OK;
    for (int i = 0; i < DROP_TRIES_MAX && status == STATUS_BUSY; i++) {
        status = postgres_slot_drop(self->postgres, self->options.slot, err);
        if (status == STATUS_BUSY &&
            postgres_execute(self->postgres, "SELECT pg_sleep(0.05)", &ignored) !=
                STATUS_OK)
            break;
    }
    return status;
}

/* Whoever is killed from here on has no slot that the position would fit. */
static enum status forget_position(struct postgres_source *self, struct error *err)
{
    struct meta_update update = {META_LSN, 0};

    return self->kept == 0 ? STATUS_OK : postgres_run_keep(self, &update, 1, err);
}

enum status postgres_source_forsake(struct postgres_source *self, struct error *err)
{
    enum status status = drop_slot(self, err);

    if (self->options.publication_is_given)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        status =
            postgres_publication_drop(self->postgres, self->options.publication, err);
    return status;
}

/* A given slot has no snapshot: another one, that lasts as long as the snapshot is
 * wanted, has; what committed before that is not to be told. */
static enum status begin_slot(struct postgres_source *self, struct postgres *walsender,
                              struct postgres_slot_start *start, struct error *err)
{
    const char *slot = self->options.slot;
    char name[POSTGRES_NAME_SIZE];
    enum status status;

    if (!self->options.slot_is_given)
        return postgres_slot_create(walsender, slot, start, err);
    (void)snprintf(name, sizeof name, "rowferry_%016" PRIx64 "_copy",
                   store_identity(self->store)->node);
    status = postgres_slot_create_temporary(walsender, name, start, err);
    return status == STATUS_OK
               ? postgres_slot_advance(self->postgres, slot, start->lsn, err)
               : status;
}

/* What has the slot's name is an earlier try's that died, or can't be gone on with. */
static enum status make_slot(struct postgres_source *self, struct postgres *walsender,
                             struct postgres_start *out, struct error *err)
{
    struct postgres_slot_start start;
    struct postgres_server server;
    enum status status = postgres_source_server(self, &server, err);

    if (status == STATUS_OK)
        status = postgres_source_schema(self, err);
    if (status == STATUS_OK && self->options.slot_is_given)
        status = postgres_slot_check(self->postgres, self->options.slot, err);
    if (status == STATUS_OK)
        status = forget_position(self, err);
    if (status == STATUS_OK)
        status = postgres_source_forsake(self, err);
    if (status == STATUS_OK)
        status = publish(self, err);
    if (status == STATUS_OK)
        status = begin_slot(self, walsender, &start, err);
    if (status == STATUS_OK)
        status = see_snapshot(self->postgres, start.snapshot, err);
    if (status == STATUS_OK)
        status = find_taken(self, err);
    if (status == STATUS_OK)
        *out = (struct postgres_start){start.lsn, server};
    return status;
}

enum status postgres_source_start(struct postgres_source *self,
                                  struct postgres_start *out, struct error *err)
{
    struct postgres *walsender = NULL;
    enum status status = postgres_open(&walsender, postgres_url(self->postgres),
                                       POSTGRES_REPLICATION, err);

    if (status == STATUS_OK)
        status = make_slot(self, walsender, out, err);
    postgres_close(walsender); /* who sees the snapshot keeps it */
    return status;
}
