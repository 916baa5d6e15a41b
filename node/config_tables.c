#include "node/config_tables.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const direction_words[] = {
    [TABLE_BOTH] = "both",
    [TABLE_IN] = "in",
    [TABLE_OUT] = "out",
};

enum { DIRECTIONS = sizeof direction_words / sizeof *direction_words };

static bool is_blank(char letter)
{
    return letter == ' ' || letter == '\t' || letter == '\r';
}

/* ---- reading */

/* Take one section's line, which ends at end. */
static enum status take_section(struct table_rules *rules, unsigned line, char *at,
                                char *end, struct error *err)
{
    static const char word[] = "[table";
    struct table_rule *rule = NULL;
    char number[16];
    char *name = at + strlen(word), *last = end;
    enum status status;
    char kept;

    while (last > at && is_blank(last[-1]))
        last--;
    if (last[-1] != ']') {
        return error_set(err, STATUS_UNAVAILABLE,
                         "%u: a section's line ends with ], a comment needs its own",
                         line);
    }
    last--;
    if (strncmp(at, word, strlen(word)) != 0 || !is_blank(*name)) {
        return error_set(err, STATUS_UNAVAILABLE,
                         "%u: section %.*s is unknown; there is [table NAME]", line,
                         (int)(end - at), at);
    }
    while (name < last && is_blank(*name))
        name++;
    while (name < last && is_blank(last[-1]))
        last--;
    if (name == last)
        return error_set(err, STATUS_UNAVAILABLE, "%u: the section names no table", line);
    kept = *last;
    *last = '\0';
    status = table_rules_add(rules, name, &rule, err);
    *last = kept;
    if (status != STATUS_OK)
        return status;
    (void)snprintf(number, sizeof number, "[%zu]", (size_t)(rule - rules->list));
    assert(strlen(number) <= (size_t)(end - at));
    memset(at, ' ', (size_t)(end - at));
    memcpy(at, number, strlen(number));
    return STATUS_OK;
}

enum status config_tables_find(struct table_rules *rules, char *text, struct error *err)
{
    enum status status = STATUS_OK;
    unsigned line = 1;

    for (char *at = text; *at != '\0' && status == STATUS_OK; line++) {
        char *end = at + strcspn(at, "\n");

        if (*at == '[')
            status = take_section(rules, line, at, end, err);
        at = *end == '\n' ? end + 1 : end;
    }
    return status;
}

struct table_rule *config_tables_of(struct table_rules *rules, const char *section)
{
    char *end = NULL;
    unsigned long number = strtoul(section, &end, 10);

    return *section != '\0' && *end == '\0' && number < rules->count
               ? &rules->list[number]
               : NULL;
}

enum status config_tables_set(struct table_rule *rule, const char *name,
                              const char *value, struct error *err)
{
    bool is_name = strcmp(name, "name") == 0;

    if (is_name || strcmp(name, "key") == 0) {
        if (*value == '\0')
            return error_set(err, STATUS_UNAVAILABLE, "%s = says nothing", name);
        return table_rules_set(is_name ? &rule->name : &rule->key, value, err);
    }
    if (strcmp(name, "direction") != 0)
        return error_set(err, STATUS_UNAVAILABLE,
                         "%s is unknown; a table has name, key, direction", name);
    for (int i = 0; i < DIRECTIONS; i++) {
        if (strcmp(value, direction_words[i]) == 0) {
            rule->direction = (enum table_direction)i;
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_UNAVAILABLE,
                     "direction = %s is not understood: use both, in or out", value);
}

/* ---- writing */

void config_tables_write(FILE *file, const struct table_rules *rules)
{
    (void)fputs(
        "\n# How a table takes part, in a section for each:\n"
        "#\n"
        "# [table person]\n"
        "# name = PERSON       what the fleet calls it, where that is not clear\n"
        "# key = code          the columns of a NOT NULL UNIQUE index, where there "
        "is no\n"
        "#                     primary key\n"
        "# direction = both    both; in: takes and sends nothing; out: sends and "
        "takes\n"
        "#                     nothing\n",
        file);
    for (size_t i = 0; i < rules->count; i++) {
        const struct table_rule *rule = &rules->list[i];

        (void)fprintf(file, "\n[table %s]\n", rule->table);
        if (rule->name != NULL)
            (void)fprintf(file, "name = %s\n", rule->name);
        if (rule->key != NULL)
            (void)fprintf(file, "key = %s\n", rule->key);
        if (rule->direction != TABLE_BOTH)
            (void)fprintf(file, "direction = %s\n", direction_words[rule->direction]);
    }
}

bool config_tables_same(const struct table_rules *a, const struct table_rules *b)
{
    return table_rules_fingerprint(a) == table_rules_fingerprint(b);
}
