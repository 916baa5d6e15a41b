#include "apply/sqlite_writer_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void sqlite_variant_close(struct variant *variant)
{
    (void)sqlite3_finalize(variant->statement);
    free(variant->columns);
    free(variant);
}

/* ---- stepping */

/* What a failed step means for the row; the message goes to err. */
static enum status classify(struct sqlite_writer *writer, int rc, const char *what,
                            enum write_result *result, struct error *err)
{
    sqlite3 *handle = sqlite_database_handle(writer->database);

    switch (rc) {
    case SQLITE_CONSTRAINT_UNIQUE:
        *result = WRITE_UNIQUE;
        break;
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        /* Under triggers it may be a row of theirs. */
        if (!writer->primary_is_unique && !writer->guarded)
            return error_set(err, STATUS_IO, "%s: %s", what, sqlite3_errmsg(handle));
        *result = writer->primary_is_unique ? WRITE_UNIQUE : WRITE_REFUSED;
        break;
    default:
        /* SQLITE_ERROR: what a CHECK, a generated column or a trigger calls and can't. */
        if ((rc & 0xff) != SQLITE_CONSTRAINT && (rc & 0xff) != SQLITE_MISMATCH &&
            (rc & 0xff) != SQLITE_TOOBIG && (rc & 0xff) != SQLITE_ERROR)
            return sqlite_failed(writer->database, sqlite_database_path(writer->database),
                                 err);
        *result = WRITE_REFUSED;
        break;
    }
    (void)error_set(err, STATUS_CONSTRAINT, "%s", sqlite3_errmsg(handle));
    if (sqlite3_get_autocommit(handle) != 0)
        *result = WRITE_ENDED;
    return STATUS_OK;
}

static enum status run_savepoint(struct sqlite_writer *writer, sqlite3_stmt **statement,
                                 const char *sql, struct error *err)
{
    enum status status = sql_prepare_once(writer->database, sql, statement, err);

    return status == STATUS_OK ? sql_run(writer->database, *statement, sql, err) : status;
}

/* Take back what a failed row's triggers had done already. */
static enum status undo(struct sqlite_writer *writer, struct error *err)
{
    struct error message = *err;
    enum status status =
        run_savepoint(writer, &writer->undo, "ROLLBACK TO rowferry_row", err);

    if (status == STATUS_OK)
        status = run_savepoint(writer, &writer->release, "RELEASE rowferry_row", err);
    if (status == STATUS_OK)
        *err = message;
    return status;
}

static bool triggers_fire(struct sqlite_writer *writer)
{
    int fire = 0;

    (void)sqlite3_db_config(sqlite_database_handle(writer->database),
                            SQLITE_DBCONFIG_ENABLE_TRIGGER, -1, &fire);
    return fire != 0;
}

enum status sqlite_writer_step(struct sqlite_writer *writer, sqlite3_stmt *statement,
                               const char *what, enum write_result *result,
                               struct error *err)
{
    enum status status = STATUS_OK;
    int64_t rows;
    int rc;

    *result = WRITE_DONE;
    if (writer->guarded)
        status = run_savepoint(writer, &writer->savepoint, "SAVEPOINT rowferry_row", err);
    if (status != STATUS_OK)
        return status;
    rc = sqlite3_step(statement);
    rows = sqlite3_changes64(sqlite_database_handle(writer->database));
    if (rc != SQLITE_DONE)
        status = classify(writer, rc, what, result, err);
    (void)sqlite3_reset(statement);
    if (status == STATUS_OK && rc == SQLITE_DONE && rows == 0 && triggers_fire(writer)) {
        (void)error_set(err, STATUS_CONSTRAINT, "a trigger of %s left the row out",
                        writer->definition->local_name);
        *result = WRITE_REFUSED;
    } else if (status == STATUS_OK && rc == SQLITE_DONE && rows != 1) {
        status = error_set(err, STATUS_IO,
                           "%s %s: %lld rows instead of 1: the database is "
                           "not what the store says it holds",
                           what, writer->definition->local_name, (long long)rows);
    }
    if (!writer->guarded || status != STATUS_OK || *result == WRITE_ENDED)
        return status;
    return *result == WRITE_DONE
               ? run_savepoint(writer, &writer->release, "RELEASE rowferry_row", err)
               : undo(writer, err);
}

/* ---- statements for the columns that are present */

static void put_insert(struct sqlite_writer *writer, enum sql_schema schema)
{
    struct buffer *sql = &writer->sql;
    const char *between = " (";

    sql_put(sql, sqlite_writer_verb(writer));
    sql_put_table(sql, schema, writer->definition);
    for (uint32_t i = 0; i < writer->definition->stored_count; i++) {
        if (!writer->present[i])
            continue;
        sql_put(sql, between);
        sqlite_put_quoted(sql, writer->columns[i]->name);
        between = ", ";
    }
    between = ") VALUES (?";
    for (uint32_t i = 0; i < writer->definition->stored_count; i++) {
        if (!writer->present[i])
            continue;
        sql_put(sql, between);
        between = ", ?";
    }
    sql_put(sql, ")");
}

/* Prepare; what SQLite can't even prepare for this table (a CHECK that calls a function
 * which is not there) refuses the row. */
static enum status prepare_refusable(struct sqlite_writer *writer,
                                     sqlite3_stmt **statement, enum write_result *result,
                                     struct error *err)
{
    enum status status = sql_prepare(writer->database, &writer->sql, statement, err);
    sqlite3 *handle = sqlite_database_handle(writer->database);

    if (status == STATUS_OK || (sqlite3_errcode(handle) & 0xff) != SQLITE_ERROR)
        return status;
    *result = WRITE_REFUSED;
    (void)error_set(err, STATUS_CONSTRAINT, "%s", sqlite3_errmsg(handle));
    return STATUS_OK;
}

/* Give back the one that was not used for longest. */
static void drop_variant(struct sqlite_writer *writer)
{
    struct variant **at = &writer->variants;

    while ((*at)->next != NULL)
        at = &(*at)->next;
    sqlite_variant_close(*at);
    *at = NULL;
    writer->variant_count--;
}

static enum status make_variant(struct sqlite_writer *writer, enum variant_kind kind,
                                const bool *columns, struct variant **out,
                                enum write_result *result, struct error *err)
{
    size_t size = writer->definition->stored_count * sizeof *columns;
    struct variant *variant = calloc(1, sizeof *variant);
    enum status status;

    assert(writer->definition->stored_count > 0);
    *out = NULL;
    if (variant != NULL)
        variant->columns = calloc(writer->definition->stored_count, sizeof(bool));
    if (variant == NULL || variant->columns == NULL) {
        free(variant);
        return error_set(err, STATUS_NO_MEMORY, "write rows: out of memory");
    }
    memcpy(variant->columns, columns, size);
    variant->kind = kind;
    if (kind == VARIANT_UPDATE)
        sqlite_writer_put_update(writer, columns);
    else
        put_insert(writer, kind == VARIANT_INSERT ? SCHEMA_MAIN : SCHEMA_SCRATCH);
    status = prepare_refusable(writer, &variant->statement, result, err);
    if (status != STATUS_OK || *result != WRITE_DONE) {
        sqlite_variant_close(variant);
        return status;
    }
    if (writer->variant_count == VARIANTS_MAX)
        drop_variant(writer);
    variant->next = writer->variants;
    writer->variants = variant;
    writer->variant_count++;
    *out = variant;
    return STATUS_OK;
}

struct variant *sqlite_variant_known(struct sqlite_writer *writer, enum variant_kind kind,
                                     const bool *columns)
{
    size_t size = writer->definition->stored_count * sizeof *columns;

    for (struct variant **at = &writer->variants; *at != NULL; at = &(*at)->next) {
        struct variant *variant = *at;

        if (variant->kind != kind || memcmp(variant->columns, columns, size) != 0)
            continue;
        *at = variant->next;
        variant->next = writer->variants;
        writer->variants = variant;
        return variant;
    }
    return NULL;
}

enum status sqlite_variant_find(struct sqlite_writer *writer, enum variant_kind kind,
                                const bool *columns, struct variant **out,
                                enum write_result *result, struct error *err)
{
    *result = WRITE_DONE;
    *out = sqlite_variant_known(writer, kind, columns);
    return *out != NULL ? STATUS_OK
                        : make_variant(writer, kind, columns, out, result, err);
}

/* ---- writing */

enum status sqlite_writer_insert(struct sqlite_writer *writer, enum sql_schema schema,
                                 enum write_result *result, struct error *err)
{
    struct variant *variant;
    int parameter = 0;
    enum status status;

    for (uint32_t i = 0; i < writer->definition->stored_count; i++)
        writer->present[i] = writer->values[i].type != VALUE_ABSENT;
    status = sqlite_variant_find(
        writer, schema == SCHEMA_MAIN ? VARIANT_INSERT : VARIANT_INSERT_SCRATCH,
        writer->present, &variant, result, err);
    if (status != STATUS_OK || variant == NULL)
        return status;
    for (uint32_t i = 0; i < writer->definition->stored_count && status == STATUS_OK;
         i++) {
        if (writer->present[i])
            status = sqlite_bind_value(writer->database, variant->statement, ++parameter,
                                       &writer->values[i], err);
    }
    if (status == STATUS_CONSTRAINT) { /* too large to bind */
        *result = WRITE_REFUSED;
        return STATUS_OK;
    }
    return status == STATUS_OK ? sqlite_writer_step(writer, variant->statement,
                                                    "insert into", result, err)
                               : status;
}

enum status sqlite_writer_bind_key(struct sqlite_writer *writer, sqlite3_stmt *statement,
                                   int first, struct error *err)
{
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < writer->definition->key_count && status == STATUS_OK; i++)
        status = sqlite_bind_value(writer->database, statement, first + (int)i,
                                   &writer->values[writer->key_places[i]], err);
    return status;
}

enum status sqlite_writer_delete(struct sqlite_writer *writer, enum write_result *result,
                                 struct error *err)
{
    enum status status = STATUS_OK;

    *result = WRITE_DONE;
    if (writer->remove == NULL) {
        sql_put(&writer->sql, "DELETE FROM ");
        sql_put_table(&writer->sql, SCHEMA_MAIN, writer->definition);
        sql_put_key_condition(&writer->sql, writer->definition, NULL, 1);
        status = prepare_refusable(writer, &writer->remove, result, err);
        if (status != STATUS_OK || *result != WRITE_DONE)
            return status;
    }
    status = sqlite_writer_bind_key(writer, writer->remove, 1, err);
    return status == STATUS_OK
               ? sqlite_writer_step(writer, writer->remove, "delete from", result, err)
               : status;
}

/* ---- reading */

enum status sqlite_writer_find(struct sqlite_writer *writer, bool *found,
                               struct error *err)
{
    enum status status = STATUS_OK;
    int rc;

    if (writer->find == NULL) {
        sql_put(&writer->sql, "SELECT 1 FROM ");
        sql_put_table(&writer->sql, SCHEMA_MAIN, writer->definition);
        sql_put_key_condition(&writer->sql, writer->definition, NULL, 1);
        status = sql_prepare(writer->database, &writer->sql, &writer->find, err);
    }
    if (status == STATUS_OK)
        status = sqlite_writer_bind_key(writer, writer->find, 1, err);
    if (status != STATUS_OK)
        return status;
    rc = sqlite3_step(writer->find);
    *found = rc == SQLITE_ROW;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        status = sqlite_failed(writer->database, writer->definition->local_name, err);
    (void)sqlite3_reset(writer->find);
    return status;
}

enum status sqlite_writer_read(struct sqlite_writer *writer, struct error *err)
{
    enum status status = STATUS_OK;
    int rc;

    if (writer->read == NULL) {
        sql_put(&writer->sql, "SELECT ");
        sql_put_stored_columns(&writer->sql, writer->definition);
        sql_put(&writer->sql, " FROM ");
        sql_put_table(&writer->sql, SCHEMA_MAIN, writer->definition);
        sql_put_key_condition(&writer->sql, writer->definition, NULL, 1);
        status = sql_prepare(writer->database, &writer->sql, &writer->read, err);
    }
    if (status == STATUS_OK)
        status = sqlite_writer_bind_key(writer, writer->read, 1, err);
    if (status != STATUS_OK)
        return status;
    rc = sqlite3_step(writer->read);
    if (rc == SQLITE_ROW)
        return STATUS_OK;
    if (rc == SQLITE_DONE)
        return error_set(err, STATUS_IO, "%s: a row that was written is not there",
                         writer->definition->local_name);
    return sqlite_failed(writer->database, writer->definition->local_name, err);
}

enum status sqlite_writer_complete(struct sqlite_writer *writer, struct buffer *image,
                                   struct error *err)
{
    enum status status = sqlite_writer_read(writer, err);

    for (uint32_t i = 0; i < writer->definition->stored_count && status == STATUS_OK; i++)
        if (writer->values[i].type == VALUE_ABSENT)
            status = sqlite_column_value(writer->read, (int)i, &writer->values[i], err);
    if (status == STATUS_OK) {
        image_encode(image, writer->values, writer->definition);
        status = buffer_check(image, err);
    }
    (void)sqlite3_reset(writer->read);
    return status;
}

enum status sqlite_writer_volatile(struct sqlite_writer *writer, bool *is_volatile,
                                   struct error *err)
{
    enum status status = STATUS_OK;

    *is_volatile = false;
    for (uint32_t i = 0; i < writer->definition->stored_count && !*is_volatile; i++) {
        struct value ignored;

        if (writer->values[i].type != VALUE_ABSENT ||
            writer->columns[i]->default_sql == NULL)
            continue;
        status = sqlite_writer_stored(writer, err);
        if (status == STATUS_OK)
            status = writer->stored->ops->default_value(writer->stored, i, &ignored, err);
        *is_volatile = status == STATUS_NOT_FOUND;
        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            return status;
    }
    return STATUS_OK;
}
