#include "engine/table_names.h"

#include "engine/postgres_name.h"
#include "log/log_reader.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A longer one does not fit a key of the store. */
enum { NAME_SIZE_MAX = 500 };

struct fleet_table {
    const char *name;
    const struct definition *own;    /* NULL: this node has none */
    const struct definition *others; /* NULL: nobody else has one */
    bool taken;                      /* some table here is it */
};

struct matching {
    struct table_names *names;
    const struct table_rules *rules;
    struct fleet_table *fleet; /* owned */
    size_t fleet_count;
};

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NO_MEMORY, "names of tables: out of memory");
}

/* ---- what the fleet has */

/* The founder is who made the first entry: all others have it in their context. */
static enum status find_founder(struct store_txn *txn, uint64_t *founder,
                                struct error *err)
{
    struct log_entry first;
    enum status status = log_get(txn, 1, &first, err);

    *founder = status == STATUS_OK ? first.header.origin : 0;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status read_table(struct store_txn *txn, uint32_t id, uint64_t founder,
                              struct fleet_table *out, struct error *err)
{
    uint64_t self = store_identity(store_of(txn))->node;
    struct table own, others;
    enum status status = tables_newest(txn, self, id, &own, err);

    *out = (struct fleet_table){0};
    if (status == STATUS_OK)
        out->own = own.definition;
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    status = STATUS_NOT_FOUND;
    if (founder != 0 && founder != self)
        status = tables_newest(txn, founder, id, &others, err);
    if (status == STATUS_NOT_FOUND)
        status = tables_others(txn, id, &others, err);
    if (status == STATUS_OK)
        out->others = others.definition;
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    if (out->own != NULL)
        out->name = out->own->name;
    else if (out->others != NULL)
        out->name = out->others->name;
    return STATUS_OK;
}

static enum status read_fleet(struct matching *matching, struct store_txn *txn,
                              struct error *err)
{
    uint64_t founder = 0;
    uint32_t count = 0;
    enum status status = STATUS_OK;

    if (txn != NULL)
        status = tables_count(txn, &count, err);
    if (status == STATUS_OK && txn != NULL)
        status = find_founder(txn, &founder, err);
    if (status != STATUS_OK)
        return status;
    matching->fleet = calloc((size_t)count + 1, sizeof *matching->fleet);
    if (matching->fleet == NULL)
        return no_memory(err);
    for (uint32_t id = 1; id <= count && status == STATUS_OK; id++) {
        struct fleet_table *table = &matching->fleet[matching->fleet_count];

        status = read_table(txn, id, founder, table, err);
        matching->fleet_count += status == STATUS_OK && table->name != NULL;
    }
    return status;
}

/* ---- one table */

static void take(struct table_name *name, struct fleet_table *table)
{
    assert(!table->taken);
    table->taken = true;
    name->name = table->name;
    name->own = table->own;
    name->others = table->others;
}

/* Whether two of this database's names are one. */
static bool is_called(const struct table_names *names, const char *a, const char *b)
{
    return names->postgres ? strcmp(a, b) == 0 : sqlite3_stricmp(a, b) == 0;
}

/* What this node has logged it as, the newest of these. */
static enum status match_own(struct matching *matching, struct table_name *name,
                             struct error *err)
{
    const struct table_rule *rule = table_rules_find(matching->rules, name->table);
    struct fleet_table *newest = NULL;

    for (size_t i = 0; i < matching->fleet_count; i++) {
        struct fleet_table *table = &matching->fleet[i];

        if (table->own != NULL &&
            is_called(matching->names, table->own->local_name, name->table) &&
            (newest == NULL || table->own->number > newest->own->number))
            newest = table;
    }
    if (newest == NULL)
        return STATUS_OK;
    if (rule != NULL && rule->name != NULL && strcmp(rule->name, newest->name) != 0) {
        return error_set(err, STATUS_REFUSED,
                         "rowferry.ini: [table %s] name = %s: the fleet knows this table "
                         "as %s by now, and a table keeps its name",
                         name->plain, rule->name, newest->name);
    }
    take(name, newest);
    return STATUS_OK;
}

static enum status refuse_twice(const struct matching *matching,
                                const struct table_name *name, const char *fleet,
                                struct error *err)
{
    const char *other = "";

    for (size_t i = 0; i < matching->names->count; i++) {
        const struct table_name *at = &matching->names->list[i];

        if (at != name && at->name != NULL && strcmp(at->name, fleet) == 0)
            other = at->plain;
    }
    return error_set(err, STATUS_REFUSED,
                     "the tables %s and %s would both be %s to the fleet: write another "
                     "name = for one of them in rowferry.ini",
                     other, name->plain, fleet);
}

static enum status take_named(struct matching *matching, struct table_name *name,
                              const char *fleet, struct error *err)
{
    for (size_t i = 0; i < matching->names->count; i++) {
        const struct table_name *at = &matching->names->list[i];

        if (at != name && at->name != NULL && strcmp(at->name, fleet) == 0)
            return refuse_twice(matching, name, fleet, err);
    }
    name->name = fleet;
    for (size_t i = 0; i < matching->fleet_count; i++)
        if (strcmp(matching->fleet[i].name, fleet) == 0)
            take(name, &matching->fleet[i]);
    return STATUS_OK;
}

static enum status match_rule(struct matching *matching, struct table_name *name,
                              struct error *err)
{
    const struct table_rule *rule = table_rules_find(matching->rules, name->table);

    if (name->name != NULL || rule == NULL || rule->name == NULL)
        return STATUS_OK;
    if (strlen(rule->name) > NAME_SIZE_MAX) {
        return error_set(err, STATUS_REFUSED,
                         "rowferry.ini: [table %s] name = …: over %d bytes", name->plain,
                         NAME_SIZE_MAX);
    }
    return take_named(matching, name, rule->name, err);
}

/* ---- by likeness */

enum likeness { LIKE_EXACT, LIKE_BUT_CASE, LIKE_ELSEWHERE };

static bool is_like(const struct fleet_table *table, const char *name,
                    enum likeness likeness)
{
    switch (likeness) {
    case LIKE_EXACT:
        return strcmp(table->name, name) == 0;
    case LIKE_BUT_CASE:
        return sqlite3_stricmp(table->name, name) == 0;
    case LIKE_ELSEWHERE:
        break;
    }
    if (table->others == NULL)
        return false;
    return table->others->dialect == DIALECT_POSTGRES
               ? postgres_name_is(table->others->local_name, name)
               : sqlite3_stricmp(table->others->local_name, name) == 0;
}

static enum status match_like(struct matching *matching, struct table_name *name,
                              enum likeness likeness, struct error *err)
{
    struct fleet_table *first = NULL, *second = NULL;

    if (name->name != NULL || name->why != NULL)
        return STATUS_OK;
    for (size_t i = 0; i < matching->fleet_count && second == NULL; i++) {
        struct fleet_table *table = &matching->fleet[i];

        if (table->taken || !is_like(table, name->plain, likeness))
            continue;
        if (first == NULL)
            first = table;
        else
            second = table;
    }
    if (second != NULL) {
        if (asprintf(&name->why,
                     "could be the fleet's %s or %s: in rowferry.ini, below [table %s], "
                     "write name = %s or name = %s",
                     first->name, second->name, name->plain, first->name,
                     second->name) < 0) {
            name->why = NULL;
            return no_memory(err);
        }
    } else if (first != NULL) {
        take(name, first);
    }
    return STATUS_OK;
}

/* ---- all tables */

static enum status match_all(struct matching *matching, struct error *err)
{
    struct table_names *names = matching->names;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < names->count && status == STATUS_OK; i++)
        status = match_own(matching, &names->list[i], err);
    for (size_t i = 0; i < names->count && status == STATUS_OK; i++)
        status = match_rule(matching, &names->list[i], err);
    for (int likeness = LIKE_EXACT; likeness <= LIKE_ELSEWHERE; likeness++)
        for (size_t i = 0; i < names->count && status == STATUS_OK; i++)
            status = match_like(matching, &names->list[i], (enum likeness)likeness, err);
    for (size_t i = 0; i < names->count && status == STATUS_OK; i++) {
        struct table_name *name = &names->list[i];

        if (name->name == NULL && name->why == NULL)
            status = take_named(matching, name, name->plain, err);
    }
    return status;
}

static char *plain_name(const char *table, bool postgres)
{
    struct buffer plain = {0};

    if (!postgres)
        return strdup(table);
    postgres_put_plain_name(&plain, table);
    buffer_put(&plain, 0, 1);
    if (!plain.failed)
        return (char *)plain.data;
    buffer_release(&plain);
    return NULL;
}

enum status table_names_match(struct table_names *out, const char *const *tables,
                              size_t count, const struct table_rules *rules,
                              struct store_txn *txn, struct error *err)
{
    struct matching matching = {.names = out, .rules = rules};
    enum status status = STATUS_OK;

    *out = (struct table_names){.list = calloc(count + 1, sizeof *out->list),
                                .postgres = rules != NULL && rules->postgres};
    if (out->list == NULL)
        return no_memory(err);
    for (; out->count < count && status == STATUS_OK; out->count++) {
        struct table_name *name = &out->list[out->count];

        name->table = tables[out->count];
        name->plain = plain_name(name->table, out->postgres);
        if (name->plain == NULL)
            status = no_memory(err);
    }
    if (status == STATUS_OK)
        status = read_fleet(&matching, txn, err);
    if (status == STATUS_OK)
        status = match_all(&matching, err);
    free(matching.fleet);
    if (status != STATUS_OK)
        table_names_release(out);
    return status;
}

void table_names_release(struct table_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->list[i].plain);
        free(names->list[i].why);
    }
    free(names->list);
    *names = (struct table_names){0};
}

const char *table_names_of(const struct table_names *names, const char *table,
                           const char *plain)
{
    for (size_t i = 0; i < names->count; i++)
        if (is_called(names, names->list[i].table, table))
            return names->list[i].name;
    for (size_t i = 0; i < names->count; i++)
        if (names->list[i].name != NULL && strcmp(names->list[i].name, plain) == 0)
            return NULL;
    return plain;
}

const char *table_names_here(const struct table_rules *rules, const char *name)
{
    for (size_t i = 0; rules != NULL && i < rules->count; i++)
        if (rules->list[i].name != NULL && strcmp(rules->list[i].name, name) == 0)
            return rules->list[i].table;
    return name;
}
