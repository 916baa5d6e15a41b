#include "engine/table_rules.h"

#include "engine/postgres_name.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NO_MEMORY, "rules of tables: out of memory");
}

void table_rules_release(struct table_rules *rules)
{
    for (size_t i = 0; i < rules->count; i++) {
        free(rules->list[i].table);
        free(rules->list[i].name);
        free(rules->list[i].key);
    }
    free(rules->list);
    free(rules->only);
    *rules = (struct table_rules){0};
}

enum status table_rules_set(char **text, const char *value, struct error *err)
{
    char *copy = strdup(value);

    if (copy == NULL)
        return no_memory(err);
    free(*text);
    *text = copy;
    return STATUS_OK;
}

static bool means(const struct table_rules *rules, const char *said, const char *table)
{
    return rules->postgres ? strcmp(said, table) == 0 || postgres_name_is(table, said)
                           : sqlite3_stricmp(said, table) == 0;
}

const struct table_rule *table_rules_find(const struct table_rules *rules,
                                          const char *table)
{
    for (size_t i = 0; rules != NULL && i < rules->count; i++)
        if (means(rules, rules->list[i].table, table))
            return &rules->list[i];
    return NULL;
}

enum status table_rules_add(struct table_rules *rules, const char *table,
                            struct table_rule **out, struct error *err)
{
    const struct table_rule *found = table_rules_find(rules, table);
    struct table_rule *list;

    if (found != NULL) {
        *out = &rules->list[found - rules->list];
        return STATUS_OK;
    }
    *out = NULL;
    list = realloc(rules->list, (rules->count + 1) * sizeof *list);
    if (list == NULL)
        return no_memory(err);
    rules->list = list;
    list[rules->count] = (struct table_rule){.table = strdup(table)};
    if (list[rules->count].table == NULL)
        return no_memory(err);
    *out = &list[rules->count++];
    return STATUS_OK;
}

enum table_direction table_rules_direction(const struct table_rules *rules,
                                           const char *table)
{
    const struct table_rule *rule = table_rules_find(rules, table);

    return rule != NULL ? rule->direction : TABLE_BOTH;
}

bool name_list_take(const char **list, struct buffer *name)
{
    const char *at = *list;
    bool quoted;

    buffer_clear(name);
    at += strspn(at, " \t,");
    if (*at == '\0')
        return false;
    quoted = *at == '"';
    at += quoted;
    for (; *at != '\0' && (quoted || *at != ','); at++) {
        if (quoted && *at == '"' && *++at != '"')
            break;
        buffer_put(name, (uint8_t)*at, 1);
    }
    while (!quoted && name->size > 0 && name->data[name->size - 1] == ' ')
        buffer_cut(name, name->size - 1);
    buffer_put(name, 0, 1);
    *list = at;
    return true;
}

enum status table_rules_wants(const struct table_rules *rules, const char *table,
                              bool *wanted, struct error *err)
{
    const char *only = rules != NULL ? rules->only : NULL;
    struct buffer name = {0};
    enum status status;

    *wanted = only == NULL;
    while (!*wanted && name_list_take(&only, &name) && !name.failed)
        *wanted = means(rules, (const char *)name.data, table);
    status = buffer_check(&name, err);
    buffer_release(&name);
    return status;
}

/* FNV-1a, over the text and its end, or over nothing but a mark. */
static uint64_t mix(uint64_t hash, const char *text)
{
    const char *at = text != NULL ? text : "\377";

    do
        hash = (hash ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
    while (*at++ != '\0');
    return hash;
}

uint64_t table_rules_fingerprint(const struct table_rules *rules)
{
    static const char *const directions[] = {"both", "in", "out"};
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    if (rules == NULL)
        return table_rules_fingerprint(&(struct table_rules){0});
    hash = mix(hash, rules->only);
    for (size_t i = 0; i < rules->count; i++) {
        const struct table_rule *rule = &rules->list[i];

        hash = mix(mix(mix(hash, rule->table), rule->name), rule->key);
        hash = mix(hash, directions[rule->direction]);
    }
    return hash;
}
