/* A node's database where it is one of Postgres: a connection for questions; the stream
 * of changes has its own. The slot's name says whose database it is. */
#include "node/database_postgres_private.h"

#include "apply/postgres_target.h"
#include "capture/postgres_source.h"
#include "engine/postgres_catalog.h"
#include "engine/postgres_check.h"
#include "engine/postgres_publication.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct postgres_house *postgres_house_of(struct database *database)
{
    return (struct postgres_house *)database; /* its first member */
}

static void close_house(struct database *database)
{
    struct postgres_house *house = postgres_house_of(database);

    postgres_close(house->asked);
    postgres_close(house->postgres);
    free(house);
}

/* ---- whose it is */

static void name_slot(char out[POSTGRES_NAME_SIZE], uint64_t node)
{
    (void)snprintf(out, POSTGRES_NAME_SIZE, "rowferry_%016" PRIx64, node);
}

static void adopt(struct database *database, const struct config *config)
{
    struct postgres_house *house = postgres_house_of(database);

    house->own_numbers = config->ids == IDS_RANGE;
    if (config->slot != NULL)
        (void)snprintf(house->given_slot, sizeof house->given_slot, "%s", config->slot);
    if (config->publication != NULL)
        (void)snprintf(house->given_publication, sizeof house->given_publication, "%s",
                       config->publication);
}

static enum status owner(struct database *database, uint64_t *node, struct error *err)
{
    PGresult *found = NULL;
    enum status status = postgres_query(
        postgres_house_of(database)->postgres,
        "SELECT substr(slot_name, 10) FROM pg_replication_slots WHERE database ="
        " current_database() AND slot_name ~ '^rowferry_[0-9a-f]{16}$' ORDER BY 1",
        0, NULL, &found, err);

    *node = 0;
    if (status == STATUS_OK && PQntuples(found) > 0)
        *node = strtoull(PQgetvalue(found, 0, 0), NULL, 16);
    PQclear(found);
    return status;
}

/* Slot and publication; neither is there: that is fine. */
static enum status drop(struct postgres_house *house, const char *name, struct error *err)
{
    enum status status = postgres_slot_drop(house->postgres, name, err);

    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        status = postgres_publication_drop(house->postgres, name, err);
    return status;
}

/* An init that died had made its own, and now its administrator's are used. */
static enum status drop_unused(struct postgres_house *house, const char *name,
                               struct error *err)
{
    enum status status = STATUS_OK;

    if (house->given_slot[0] != '\0')
        status = postgres_slot_drop(house->postgres, name, err);
    if (status == STATUS_NOT_FOUND)
        status = STATUS_OK;
    if (status == STATUS_OK && house->given_publication[0] != '\0')
        status = postgres_publication_drop(house->postgres, name, err);
    return status;
}

/* The slot, made with the first copy, says it; that of a store that is given up would
 * keep WAL for ever. */
enum status postgres_house_claim(struct database *database, struct store *store,
                                 struct error *err)
{
    struct postgres_house *house = postgres_house_of(database);
    uint64_t id = store_identity(store)->node;
    char name[POSTGRES_NAME_SIZE];

    name_slot(name, house->before);
    if (house->before == 0)
        return STATUS_OK;
    return house->before == id ? drop_unused(house, name, err) : drop(house, name, err);
}

static enum status unclaim(struct database *database, struct error *err)
{
    struct postgres_house *house = postgres_house_of(database);

    return house->slot[0] == '\0' ? STATUS_OK : drop(house, house->slot, err);
}

/* ---- what it holds */

static enum status begin_read(struct database *database, struct error *err)
{
    return postgres_execute(postgres_house_of(database)->postgres,
                            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);
}

static void rollback(struct database *database)
{
    postgres_rollback(postgres_house_of(database)->postgres);
}

static enum status read_catalog(struct database *database,
                                const struct table_rules *rules, struct store_txn *txn,
                                struct catalog *out, struct error *err)
{
    return postgres_catalog_read(postgres_house_of(database)->postgres, rules, txn, out,
                                 err);
}

/* Postgres itself runs the foreign keys' actions of a table that is not replicated. */
static enum status read_outsiders(struct database *database,
                                  const struct catalog *catalog, struct outsiders *out,
                                  struct error *err)
{
    (void)database, (void)catalog, (void)err;
    *out = (struct outsiders){0};
    return STATUS_OK;
}

static enum status find_broken(struct database *database, const struct catalog *catalog,
                               char **why, struct error *err)
{
    (void)database;
    return postgres_foreign_keys_broken(catalog, why, err);
}

static enum status find_silent(struct database *database, const struct catalog *catalog,
                               enum trigger_mode mode, bool *silent, struct error *err)
{
    (void)database, (void)mode, (void)err;
    memset(silent, 0, catalog->count * sizeof *silent);
    return STATUS_OK;
}

/* What its administrator has made, as one more finding. */
static enum status check_given(struct postgres_house *house,
                               const struct catalog *catalog,
                               const struct table_rules *rules, struct findings *out,
                               struct error *err)
{
    const char **names = (const char **)calloc(catalog->count + 1, sizeof(char *));
    size_t count = 0;
    struct error why = {{0}};
    enum status status = STATUS_OK;

    if (names == NULL)
        return error_set(err, STATUS_NO_MEMORY, "check: out of memory");
    for (size_t i = 0; i < catalog->count; i++) {
        const char *name = catalog->definitions[i]->local_name;

        if (table_rules_direction(rules, name) != TABLE_IN)
            names[count++] = name;
    }
    if (house->given_slot[0] != '\0' &&
        postgres_slot_check(house->postgres, house->given_slot, &why) != STATUS_OK)
        status = findings_add(out, FINDING_REFUSAL, strdup(why.text), NULL, err);
    if (status == STATUS_OK && house->given_publication[0] != '\0' &&
        postgres_publication_check(house->postgres, house->given_publication, names,
                                   count, &why) != STATUS_OK)
        status = findings_add(out, FINDING_REFUSAL, strdup(why.text), NULL, err);
    free((void *)names);
    return status;
}

static enum status check(struct database *database, uint64_t node,
                         const struct catalog *catalog, const struct table_rules *rules,
                         struct findings *out, struct error *err)
{
    char name[POSTGRES_NAME_SIZE];
    struct postgres_house *house = postgres_house_of(database);
    struct postgres_needs needs = {
        .slot = house->given_slot[0] != '\0' ? NULL : name,
        .publication = house->given_publication[0] != '\0' ? NULL : name,
        .takes = true,
        .own_numbers = house->own_numbers,
    };
    enum status status;

    name_slot(name, node);
    status = postgres_check(house->postgres, catalog, rules, &needs, out, err);
    return status == STATUS_OK ? check_given(house, catalog, rules, out, err) : status;
}

static enum status take_tables(struct database *database, struct source *source,
                               database_notice_cb notice, void *data,
                               struct capture_counts *counts, struct error *err)
{
    (void)database;
    return postgres_source_take_tables(source, notice, data, counts, err);
}

static enum status has_table(struct database *database, const char *table, bool views,
                             bool *has, struct error *err)
{
    return postgres_has_table(postgres_house_of(database)->postgres, table, views, has,
                              err);
}

static enum status count_rows(struct database *database,
                              const struct definition *definition, uint64_t *count,
                              struct error *err)
{
    int64_t rows = 0;
    enum status status = postgres_count_rows(postgres_house_of(database)->postgres,
                                             definition->local_name, false, &rows, err);

    *count = (uint64_t)rows;
    return status;
}

/* It grows with whatever is written on the server. */
static enum status version(struct database *database, int64_t *out, struct error *err)
{
    return postgres_number(postgres_house_of(database)->postgres,
                           "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn", out,
                           err);
}

/* ---- source and target */

static enum status open_source(struct database *database, const struct database_use *use,
                               struct source **out, struct error *err)
{
    struct postgres_house *house = postgres_house_of(database);
    struct postgres_source_options options = {
        .slot = house->given_slot[0] != '\0' ? house->given_slot : house->slot,
        .publication =
            house->given_publication[0] != '\0' ? house->given_publication : house->slot,
        .slot_is_given = house->given_slot[0] != '\0',
        .publication_is_given = house->given_publication[0] != '\0',
        .rules = &use->config->rules,
        .rows = use->rows,
    };

    name_slot(house->slot, store_identity(use->store)->node);
    return postgres_source_open(out, house->postgres, use->store, &options, err);
}

/* The applier's view of capture: apply/ and capture/ do not know each other. */
static enum status capture_for_target(void *data, bool *logged, struct error *err)
{
    struct postgres_house *house = data;
    struct capture_counts counts = {0};
    enum status status;

    assert(house->source != NULL);
    status = house->source->ops->capture(house->source, &counts, err);
    *logged = counts.entries > 0;
    return status;
}

static enum status open_target(struct database *database, const struct database_use *use,
                               struct source *source, struct target **out,
                               struct error *err)
{
    struct postgres_house *house = postgres_house_of(database);
    struct postgres_target_options options = {
        .url = postgres_url(house->postgres),
        .capture = capture_for_target,
        .capture_data = house,
        .foreign_keys = use->foreign_keys,
        .batch_changes_max = use->config->batch,
        .rules = &use->config->rules,
        .slot = use->slot,
    };

    house->source = source;
    return postgres_target_open(out, use->store, &options, err);
}

static const struct database_ops postgres_ops = {
    .close = close_house,
    .adopt = adopt,
    .owner = owner,
    .claim = postgres_house_claim,
    .unclaim = unclaim,
    .begin_read = begin_read,
    .rollback = rollback,
    .read_catalog = read_catalog,
    .read_outsiders = read_outsiders,
    .find_broken = find_broken,
    .find_silent = find_silent,
    .check = check,
    .has_table = has_table,
    .count_rows = count_rows,
    .create_table = postgres_house_create_table,
    .finish_tables = postgres_house_finish_tables,
    .begin_enter = postgres_house_begin_enter,
    .end_enter = postgres_house_end_enter,
    .take_tables = take_tables,
    .version = version,
    .open_source = open_source,
    .open_target = open_target,
};

enum status database_postgres_open(struct database **out, const char *url,
                                   enum database_mode mode, struct error *err)
{
    struct postgres_house *house = calloc(1, sizeof *house);
    struct error ignored;
    enum status status;

    *out = NULL;
    if (house == NULL)
        return error_set(err, STATUS_NO_MEMORY, "open database: out of memory");
    house->database.ops = &postgres_ops;
    house->database.kind = DATABASE_POSTGRES;
    status = postgres_open(&house->postgres, url,
                           mode == DATABASE_READ ? POSTGRES_READ : POSTGRES_WRITE, err);
    if (status != STATUS_OK) {
        free(house);
        return status;
    }
    house->database.name = postgres_url(house->postgres);
    if (owner(&house->database, &house->before, &ignored) != STATUS_OK)
        house->before = 0;
    *out = &house->database;
    return STATUS_OK;
}
