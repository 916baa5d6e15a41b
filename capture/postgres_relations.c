#include "capture/postgres_relation.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct postgres_relations {
    struct postgres *postgres;
    uint64_t node;
    const struct table_rules *rules;
    const struct postgres_taken *taken;
    const struct catalog *catalog;   /* NULL: nothing is known of it */
    struct postgres_relation **list; /* ascending by oid */
    size_t count;
};

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NO_MEMORY, "relations: out of memory");
}

/* ---- life */

enum status postgres_relations_open(struct postgres_relations **out,
                                    struct postgres *postgres, uint64_t node,
                                    const struct table_rules *rules,
                                    const struct postgres_taken *taken, struct error *err)
{
    struct postgres_relations *relations = calloc(1, sizeof *relations);

    *out = relations;
    if (relations == NULL)
        return no_memory(err);
    relations->postgres = postgres;
    relations->node = node;
    relations->rules = rules;
    relations->taken = taken;
    return STATUS_OK;
}

void postgres_relations_close(struct postgres_relations *relations)
{
    if (relations == NULL)
        return;
    for (size_t i = 0; i < relations->count; i++)
        postgres_relation_close(relations->list[i]);
    free((void *)relations->list);
    free(relations);
}

void postgres_relations_set_catalog(struct postgres_relations *relations,
                                    const struct catalog *catalog)
{
    relations->catalog = catalog;
}

/* Where the relation with this oid is, or is to be. */
static size_t find_place(const struct postgres_relations *relations, uint32_t oid)
{
    size_t low = 0, high = relations->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (relations->list[middle]->oid < oid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct postgres_relations *relations, size_t place, uint32_t oid)
{
    return place < relations->count && relations->list[place]->oid == oid;
}

enum status postgres_relations_take(struct postgres_relations *relations,
                                    const struct pgoutput_message *message,
                                    struct error *err)
{
    size_t place = find_place(relations, message->relation.oid);
    struct postgres_relation *relation;
    struct postgres_relation **list;
    enum status status =
        postgres_relation_open(&relation, relations->postgres, message, err);

    if (status != STATUS_OK)
        return status;
    if (is_at(relations, place, relation->oid)) {
        postgres_relation_close(relations->list[place]);
        relations->list[place] = relation;
        return STATUS_OK;
    }
    list = (struct postgres_relation **)catalog_grow(
        (void *)relations->list, relations->count, sizeof(struct postgres_relation *));
    if (list == NULL) {
        postgres_relation_close(relation);
        return no_memory(err);
    }
    relations->list = list;
    for (size_t i = relations->count; i > place; i--)
        list[i] = list[i - 1];
    list[place] = relation;
    relations->count++;
    return STATUS_OK;
}

/* ---- which definition its rows have */

static enum status find_logged(struct postgres_relations *relations,
                               struct store_txn *txn,
                               const struct postgres_relation *relation,
                               struct table *newest, struct table *fitting,
                               struct error *err)
{
    uint32_t number = 0;
    enum status status = tables_highest(txn, relations->node, &number, err);

    for (; status == STATUS_OK && number > 0; number--) {
        struct table table;

        status = tables_find(txn, relations->node, number, &table, err);
        if (status != STATUS_OK ||
            strcmp(table.definition->local_name, relation->local_name) != 0)
            continue;
        if (newest->id == 0)
            *newest = table;
        if (postgres_relation_fits(relation, table.definition)) {
            *fitting = table;
            break;
        }
    }
    return status;
}

static const struct definition *find_catalogs(const struct postgres_relations *relations,
                                              const struct postgres_relation *relation)
{
    return relations->catalog == NULL
               ? NULL
               : catalog_find_local(relations->catalog, relation->local_name);
}

static enum status copy_definition(const struct definition *from, struct definition **out,
                                   struct error *err)
{
    struct buffer bytes = {0};
    enum status status;

    definition_encode(&bytes, from);
    status = buffer_check(&bytes, err);
    if (status == STATUS_OK)
        status = definition_decode(buffer_view(&bytes), out, err);
    buffer_release(&bytes);
    return status;
}

/* What is not sent, or of a table that nothing is known of, is passed over. */
static bool is_foreign(const struct postgres_relations *relations,
                       const struct postgres_relation *relation,
                       const struct definition *catalogs, const struct table *newest)
{
    return (catalogs == NULL && newest->id == 0) ||
           table_rules_direction(relations->rules, relation->local_name) == TABLE_IN;
}

static enum status find_definition(struct postgres_relations *relations,
                                   struct store_txn *txn,
                                   struct postgres_relation *relation,
                                   enum relation_need *need,
                                   struct definition **definition, struct error *err)
{
    const struct definition *catalogs = find_catalogs(relations, relation);
    struct table newest = {0}, fitting = {0};
    enum status status = find_logged(relations, txn, relation, &newest, &fitting, err);

    if (status != STATUS_OK)
        return status;
    if (is_foreign(relations, relation, catalogs, &newest)) {
        *need = RELATION_FOREIGN;
        return STATUS_OK;
    }
    *need = fitting.id != 0 ? RELATION_READY : RELATION_NEW;
    if (fitting.id != 0)
        return postgres_relation_use(relation, relations->postgres, txn, &fitting, err);
    if (catalogs != NULL && postgres_relation_fits(relation, catalogs))
        return copy_definition(catalogs, definition, err);
    return postgres_relation_reshape(
        relation, catalogs != NULL ? catalogs : newest.definition, definition, err);
}

enum status postgres_relations_find(struct postgres_relations *relations,
                                    struct store_txn *txn, uint32_t oid,
                                    enum relation_need *need,
                                    struct postgres_relation **out,
                                    struct definition **definition, struct error *err)
{
    size_t place = find_place(relations, oid);

    *out = NULL;
    *definition = NULL;
    if (!is_at(relations, place, oid)) {
        return error_set(
            err, STATUS_CORRUPT,
            "the stream has a row of relation %" PRIu32 " and has not told of it", oid);
    }
    *out = relations->list[place];
    *need = RELATION_READY;
    if ((*out)->layer != NULL)
        return STATUS_OK;
    if (!postgres_taken_has(relations->taken, oid)) {
        *need = RELATION_FOREIGN;
        return STATUS_OK;
    }
    return find_definition(relations, txn, *out, need, definition, err);
}
