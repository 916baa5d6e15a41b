#include "node/numbers_postgres.h"

#include "apply/postgres_numbers.h"
#include "engine/number_range.h"
#include "engine/postgres_catalog.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether the column is part of a table's key. */
static bool is_key(const struct definition *definition,
                   const struct postgres_numbers *found)
{
    if (strcmp(definition->local_name, found->table) != 0)
        return false;
    for (uint32_t i = 0; i < definition->column_count; i++)
        if (strcmp(definition->columns[i].name, found->column) == 0)
            return definition->columns[i].key_position > 0;
    return false;
}

static void say(const struct numbers *numbers, const struct postgres_numbers *found,
                const char *why)
{
    char *line = NULL;

    if (numbers->notice == NULL ||
        asprintf(&line,
                 "%s: the sequence %s can't give numbers of this node's own (ids = "
                 "range): %s",
                 found->table, found->sequence, why) < 0)
        return;
    numbers->notice(numbers->notice_data, line);
    free(line);
}

static void say_unfit(const struct numbers *numbers, const struct postgres_numbers *found)
{
    char why[160];

    if (found->increment < 0) {
        (void)snprintf(why, sizeof why, "it counts down");
    } else if (found->increment > NUMBER_RANGE_SURE) {
        (void)snprintf(why, sizeof why, "its steps are larger than %d",
                       NUMBER_RANGE_SURE);
    } else {
        (void)snprintf(why, sizeof why,
                       "it ends at %" PRId64 ", and they take %d; a larger type or "
                       "MAXVALUE helps",
                       found->largest, NUMBER_RANGE_ROUND - 1);
    }
    say(numbers, found, why);
}

/* What another program does with the sequence, or forbids, is no reason to fail. */
static enum status keep(const struct numbers *numbers,
                        const struct postgres_numbers *found, uint32_t slot,
                        struct error *err)
{
    int64_t counter = 0;
    bool right = false, left = false;
    enum status status = postgres_numbers_look(numbers->postgres, found, slot, &right,
                                               &left, &counter, err);

    if (status == STATUS_OK && !left)
        say(numbers, found, "none is left: let the program give random keys");
    else if (status == STATUS_OK && !right)
        status = postgres_numbers_set(numbers->postgres, found, counter, err);
    if (status == STATUS_UNAVAILABLE || status == STATUS_CONSTRAINT)
        say(numbers, found, err->text);
    return status == STATUS_UNAVAILABLE || status == STATUS_CONSTRAINT ||
                   status == STATUS_NOT_FOUND || status == STATUS_BUSY
               ? STATUS_OK
               : status;
}

static enum status read_catalog(const struct numbers *numbers, struct catalog *out,
                                struct error *err)
{
    enum status status = postgres_execute(
        numbers->postgres, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);

    if (status == STATUS_OK)
        status = postgres_catalog_read(numbers->postgres, &numbers->config->rules, NULL,
                                       out, err);
    postgres_rollback(numbers->postgres);
    return status;
}

enum status numbers_postgres_keep(const struct numbers *numbers, uint32_t slot,
                                  struct error *err)
{
    struct catalog own = {0};
    const struct catalog *catalog = numbers->catalog;
    PGresult *found = NULL;
    enum status status = postgres_numbers_read(numbers->postgres, NULL, &found, err);

    if (status == STATUS_OK && catalog == NULL && PQntuples(found) > 0) {
        catalog = &own;
        status = read_catalog(numbers, &own, err);
    }
    for (int i = 0; status == STATUS_OK && catalog != NULL && i < PQntuples(found); i++) {
        struct postgres_numbers one = postgres_numbers_at(found, i);
        bool key = false;

        for (size_t k = 0; k < catalog->count && !key; k++)
            key = is_key(catalog->definitions[k], &one);
        if (key && !postgres_numbers_fit(&one))
            say_unfit(numbers, &one);
        else if (key)
            status = keep(numbers, &one, slot, err);
    }
    catalog_release(&own);
    PQclear(found);
    return status;
}

enum status numbers_postgres_rule(struct postgres *postgres,
                                  const struct definition *definition,
                                  struct init_rule *rule, struct error *err)
{
    PGresult *found = NULL;
    enum status status =
        postgres_numbers_read(postgres, definition->local_name, &found, err);

    for (int i = 0; status == STATUS_OK && i < PQntuples(found); i++) {
        struct postgres_numbers one = postgres_numbers_at(found, i);

        if (!is_key(definition, &one))
            continue;
        if (postgres_numbers_fit(&one))
            rule->own_numbers = true;
        else
            rule->numbers = !rule->key && rule->direction != TABLE_IN;
    }
    PQclear(found);
    return status;
}
