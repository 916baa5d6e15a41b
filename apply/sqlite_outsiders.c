#include "apply/sqlite_outsiders.h"

#include "engine/sqlite_catalog.h"

#include <stdlib.h>

static struct sqlite_table *find_parent(const struct sqlite_schema *schema,
                                        const char *name)
{
    for (size_t i = 0; i < schema->base.count; i++)
        if (sqlite3_stricmp(schema->tables[i].base.definition->local_name, name) == 0)
            return &schema->tables[i];
    return NULL;
}

static enum status add(struct sqlite_schema *schema, struct sqlite_table *child,
                       const struct foreign_key *key, struct error *err)
{
    struct sqlite_foreign *foreign = &schema->outer[schema->outer_count];
    struct sqlite_table *parent = find_parent(schema, key->parent);
    enum status status;

    if (parent == NULL)
        return STATUS_OK;
    *foreign = (struct sqlite_foreign){
        .base = {.key = key,
                 .child = &child->base,
                 .parent = &parent->base,
                 .number = schema->base.foreign_count + schema->outer_count,
                 .next_of_child = child->base.as_child,
                 .next_of_parent = parent->base.as_parent},
        .database = schema->database,
    };
    status = sqlite_foreign_open(foreign, err);
    if (status != STATUS_OK) {
        sqlite_foreign_release(foreign);
        return status == STATUS_CORRUPT ? STATUS_OK : status; /* no such column */
    }
    schema->outer_count++;
    child->base.as_child = &foreign->base;
    parent->base.as_parent = &foreign->base;
    return STATUS_OK;
}

enum status sqlite_outsiders_open(struct sqlite_schema *schema, struct error *err)
{
    struct outsiders *outsiders = &schema->outsiders;
    size_t keys = 0;
    enum status status =
        sqlite_outsiders_read(schema->database, &schema->catalog, outsiders, err);

    if (status != STATUS_OK || outsiders->count == 0)
        return status;
    for (size_t i = 0; i < outsiders->count; i++)
        keys += outsiders->tables[i].foreign_key_count;
    schema->outer = calloc(keys, sizeof *schema->outer);
    schema->outer_tables = calloc(outsiders->count, sizeof *schema->outer_tables);
    if (schema->outer == NULL || schema->outer_tables == NULL)
        return error_set(err, STATUS_NO_MEMORY, "schema: out of memory");
    for (size_t i = 0; i < outsiders->count; i++) {
        const struct definition *definition = &outsiders->tables[i];

        schema->outer_tables[i].base.definition = definition;
        for (uint32_t k = 0; k < definition->foreign_key_count && status == STATUS_OK;
             k++)
            status =
                add(schema, &schema->outer_tables[i], &definition->foreign_keys[k], err);
    }
    return status;
}

void sqlite_outsiders_close(struct sqlite_schema *schema)
{
    for (uint32_t i = 0; i < schema->outer_count; i++)
        sqlite_foreign_release(&schema->outer[i]);
    free(schema->outer);
    free(schema->outer_tables);
    outsiders_release(&schema->outsiders);
}

/* A table that is nobody's business here may need a function or collation that only its
 * application has, or hold what a function of its columns refuses: then its rows are not
 * counted, and nothing else suffers. */
static enum status count_one(struct sqlite_batch *batch, struct sqlite_foreign *foreign,
                             struct error *err)
{
    enum status status =
        sqlite_foreign_count_orphans(foreign, &batch->base.counts->orphaned, err);

    if (status == STATUS_IO &&
        (sqlite3_errcode(sqlite_database_handle(batch->database)) & 0xff) == SQLITE_ERROR)
        return STATUS_OK;
    return status;
}

enum status sqlite_outsiders_count(struct sqlite_batch *batch, struct error *err)
{
    struct sqlite_schema *schema = batch->schema;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < schema->outer_count && status == STATUS_OK; i++) {
        if (schema->outer[i].base.gone > 0)
            status = count_one(batch, &schema->outer[i], err);
    }
    for (uint32_t i = 0; i < schema->outer_count && status == STATUS_OK; i++) {
        if (schema->outer[i].base.gone > 0)
            status = sqlite_foreign_forget_gone(&schema->outer[i], err);
    }
    return status;
}
