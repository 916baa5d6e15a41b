#include "node/join_tables.h"

#include "engine/schema.h"
#include "log/log_reader.h"

#include <stdlib.h>

/* The founder is who made the first entry: all others have it in their context. */
enum status fleet_tables_find(struct fleet_tables *out, struct store_txn *txn,
                              struct error *err)
{
    struct log_entry first;
    struct table table;
    uint32_t count = 0;
    enum status status = log_get(txn, 1, &first, err);

    *out = (struct fleet_tables){0};
    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_REFUSED, JOIN_NOTHING_YET);
    if (status == STATUS_OK)
        status = tables_count(txn, &count, err);
    if (status != STATUS_OK)
        return status;
    out->founder = first.header.origin;
    out->definitions = calloc((size_t)count + 1, sizeof(const struct definition *));
    if (out->definitions == NULL)
        return error_set(err, STATUS_NO_MEMORY, "join: out of memory");
    for (uint32_t id = 1; id <= count; id++) {
        status = tables_newest(txn, first.header.origin, id, &table, err);
        if (status == STATUS_NOT_FOUND)
            status = tables_any(txn, id, &table, err);
        if (status == STATUS_NOT_FOUND)
            continue;
        if (status != STATUS_OK)
            break;
        out->definitions[out->count++] = table.definition;
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

void fleet_tables_release(struct fleet_tables *tables)
{
    free((void *)tables->definitions);
    *tables = (struct fleet_tables){0};
}

static bool is_translated(const struct node *node, const struct definition *definition)
{
    return (node->database->kind == DATABASE_POSTGRES) !=
           (definition->dialect == DIALECT_POSTGRES);
}

/* What the table is called when it is made here: as where it comes from, or in the other
 * dialect as the fleet calls it. */
static const char *name_here(const struct node *node, const struct definition *definition)
{
    return is_translated(node, definition) ? definition->name : definition->local_name;
}

/* A table that needs what only the application has is left to it; the others are made. */
static enum status make_or_leave(struct node *node, const struct definition *definition,
                                 struct error *err)
{
    enum status status =
        node->database->ops->create_table(node->database, definition, err);

    if (status != STATUS_NOT_FOUND)
        return status;
    node_say(node,
             "table %s is not made: %s; let the application make it, until then its rows "
             "wait in quarantine",
             definition->name, err->text);
    return STATUS_OK;
}

/* Make the fleet's table by its own statements, under the name that it has there, unless
 * there is one. What the fleet calls it is a rule from now on, until it is logged. */
static enum status create_table(struct node *node, const struct definition *definition,
                                bool *made, struct error *err)
{
    const struct database_ops *ops = node->database->ops;
    struct table_rules *rules = &node->config.rules;
    const char *own = name_here(node, definition);
    const char *here = table_names_here(rules, definition->name);
    struct table_rule *rule = NULL;
    bool wanted = false, exists = false;
    enum status status = table_rules_wants(rules, own, &wanted, err);

    if (status == STATUS_OK && wanted)
        status = ops->has_table(node->database, here, true, &exists, err);
    /* A rule says that another one is it. */
    if (status != STATUS_OK || !wanted || (exists && here != definition->name))
        return status;
    status = ops->has_table(node->database, own, true, &exists, err);
    *made = status == STATUS_OK && !exists;
    if (*made)
        status = make_or_leave(node, definition, err);
    if (status == STATUS_OK)
        status = table_rules_add(rules, own, &rule, err);
    if (status == STATUS_OK && rule->name == NULL)
        status = table_rules_set(&rule->name, definition->name, err);
    return status;
}

/* Parents before children, so that the DDL reads in a sensible order. */
static enum status create_tables(struct node *node, const struct fleet_tables *tables,
                                 const struct definition **made, uint32_t *made_count,
                                 struct error *err)
{
    uint32_t *group = calloc((size_t)tables->count + 1, sizeof *group), last = 0;
    enum status status;

    if (group == NULL)
        return error_set(err, STATUS_NO_MEMORY, "join: out of memory");
    status = foreign_key_groups(tables->definitions, tables->count, group, err);
    for (uint32_t i = 0; status == STATUS_OK && i < tables->count; i++)
        last = group[i] > last ? group[i] : last;
    for (uint32_t now = 0; status == STATUS_OK && now <= last; now++) {
        for (uint32_t i = 0; status == STATUS_OK && i < tables->count; i++) {
            const struct definition *definition = tables->definitions[i];
            bool is_made = false;

            if (group[i] != now)
                continue;
            status = create_table(node, definition, &is_made, err);
            if (is_made)
                made[(*made_count)++] = definition;
            if (status != STATUS_OK)
                status = error_wrap(err, status, definition->name);
        }
    }
    free(group);
    return status;
}

/* What a translation leaves out is said by `rowferry schema`, in full. */
static enum status say_translation(struct node *node,
                                   const struct definition *const *made, uint32_t count,
                                   struct error *err)
{
    bool postgres = node->database->kind == DATABASE_POSTGRES;
    struct schema_text text = {0};
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        if (!is_translated(node, made[i]))
            continue;
        status =
            schema_put(&text, made[i], postgres ? DIALECT_POSTGRES : DIALECT_SQLITE, err);
    }
    if (status == STATUS_OK && text.notes.size > 0) {
        node_say(node,
                 "not all of the fleet's tables is as where it comes from: `rowferry "
                 "schema --for %s` says what is not carried over",
                 postgres ? "postgres" : "sqlite");
    }
    schema_text_release(&text);
    return status;
}

enum status fleet_tables_make(const struct fleet_tables *tables, struct node *node,
                              struct error *err)
{
    const struct definition **made = (const struct definition **)calloc(
        (size_t)tables->count + 1, sizeof(struct definition *));
    uint32_t count = 0;
    enum status status;

    if (made == NULL)
        return error_set(err, STATUS_NO_MEMORY, "join: out of memory");
    status = create_tables(node, tables, made, &count, err);
    if (status == STATUS_OK)
        status = node->database->ops->finish_tables(node->database, made, count,
                                                    node->notice, node->notice_data, err);
    if (status == STATUS_OK)
        status = say_translation(node, made, count, err);
    free((void *)made);
    return status;
}
