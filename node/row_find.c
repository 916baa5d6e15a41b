#include "node/row_find.h"

#include "log/row_key.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { READINGS_MAX = 3, NAMES_TEXT_SIZE = 500 };

void found_row_init(struct found_row *found)
{
    *found = (struct found_row){0};
}

void found_row_release(struct found_row *found)
{
    buffer_release(&found->key);
}

/* ---- the table */

static enum status refuse_name(struct store_txn *txn, const char *name, uint32_t count,
                               struct error *err)
{
    char names[NAMES_TEXT_SIZE] = "";
    size_t used = 0;

    for (uint32_t id = 1; id <= count && used < sizeof names - 1; id++) {
        const char *known;

        if (tables_name(txn, id, &known, err) == STATUS_OK)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
                                     used > 0 ? ", " : "", known);
    }
    return error_set(err, STATUS_NOT_FOUND, "%s: no such table in this log; there %s %s",
                     name, count == 1 ? "is" : "are", used > 0 ? names : "none");
}

/* Whether people may mean the table with this id: by the fleet's name of it, or (here) by
 * this database's, without case. */
static enum status is_meant(struct store_txn *txn, uint32_t id, const char *name,
                            bool here, bool *meant, struct error *err)
{
    struct table own;
    const char *known = "";
    enum status status;

    if (here) {
        status = tables_newest(txn, store_identity(store_of(txn))->node, id, &own, err);
        if (status == STATUS_OK)
            known = own.definition->local_name;
        status = status == STATUS_NOT_FOUND ? STATUS_OK : status;
    } else {
        status = tables_name(txn, id, &known, err);
    }
    *meant = status == STATUS_OK && strcasecmp(known, name) == 0;
    return status;
}

enum status row_find_table(struct store_txn *txn, const char *name, struct table *out,
                           struct error *err)
{
    uint32_t count = 0, id = 0, matches = 0;
    enum status status = tables_id(txn, name, &id, err);

    if (status == STATUS_OK)
        return tables_any(txn, id, out, err);
    if (status == STATUS_NOT_FOUND)
        status = tables_count(txn, &count, err);
    for (int here = 0; here <= 1 && matches == 0; here++) {
        for (uint32_t i = 1; status == STATUS_OK && i <= count; i++) {
            bool meant = false;

            status = is_meant(txn, i, name, here != 0, &meant, err);
            id = meant ? i : id;
            matches += meant;
        }
    }
    if (status != STATUS_OK)
        return status;
    return matches == 1 ? tables_any(txn, id, out, err)
                        : refuse_name(txn, name, count, err);
}

/* ---- the key */

/* What a word may mean in a column, the likeliest first. */
struct readings {
    struct value list[READINGS_MAX];
    size_t count;
    uint8_t *blob; /* owned; behind a value of the list */
};

/* Leaves out what is no blob. */
static enum status read_blob(const char *word, struct readings *readings,
                             struct error *err)
{
    size_t size = strlen(word), got = 0;
    const char *end = NULL;

    if (size < 3 || (word[0] != 'x' && word[0] != 'X') || word[1] != '\'' ||
        word[size - 1] != '\'')
        return STATUS_OK;
    readings->blob = malloc(size);
    if (readings->blob == NULL)
        return error_set(err, STATUS_NO_MEMORY, "%s: out of memory", word);
    if (sodium_hex2bin(readings->blob, size, word + 2, size - 3, NULL, &got, &end) != 0 ||
        end != word + size - 1)
        return STATUS_OK;
    readings->list[readings->count++] = (struct value){
        .type = VALUE_BLOB, .bytes = {readings->blob, got}
    };
    return STATUS_OK;
}

static bool read_number(const char *word, struct value *out)
{
    char *end = NULL;

    if (*word == '\0' || strchr(" \t\n\r\v\f", *word) != NULL)
        return false;
    errno = 0;
    *out = (struct value){.type = VALUE_INTEGER, .integer = strtoll(word, &end, 10)};
    if (*end == '\0' && errno == 0)
        return true;
    *out = (struct value){.type = VALUE_REAL, .real = strtod(word, &end)};
    return *end == '\0';
}

static enum status read_word(const char *word, enum fleet_type type, struct readings *out,
                             struct error *err)
{
    enum status status;
    struct value number;
    struct value text = {.type = VALUE_TEXT, .bytes = bytes_of_text(word)};
    bool is_number = read_number(word, &number);

    *out = (struct readings){0};
    if (is_number && type != FLEET_TEXT)
        out->list[out->count++] = number;
    status = read_blob(word, out, err);
    if (out->count < READINGS_MAX)
        out->list[out->count++] = text;
    if (is_number && type == FLEET_TEXT && out->count < READINGS_MAX)
        out->list[out->count++] = number;
    return status;
}

struct search {
    struct store_txn *txn;
    const struct readings *columns;
    size_t column_count;
    struct found_row *out;
    struct error *err;
};

/* Try every reading of column on behind the key so far. NOT_FOUND: none is a row. */
static enum status try_column(struct search *search, size_t column)
{
    struct buffer *key = &search->out->key;
    size_t size = key->size;
    struct row row;
    enum status status = STATUS_NOT_FOUND;

    if (column == search->column_count && key->failed)
        return buffer_check(key, search->err);
    if (column == search->column_count)
        return rows_get(search->txn, search->out->table.id, buffer_view(key), &row,
                        search->err);
    for (size_t i = 0; i < search->columns[column].count && status == STATUS_NOT_FOUND;
         i++) {
        buffer_cut(key, size);
        status = row_key_put(key, &search->columns[column].list[i], search->err);
        if (status == STATUS_OK)
            status = try_column(search, column + 1);
    }
    return status;
}

enum status row_find_word(const char *word, enum fleet_type type, struct value *out,
                          uint8_t **memory, struct error *err)
{
    struct readings readings;
    enum status status = read_word(word, type, &readings, err);

    *out = readings.list[0];
    *memory = readings.blob;
    return status;
}

const struct column *row_find_key_column(const struct definition *definition,
                                         uint32_t position)
{
    for (uint32_t i = 0; i < definition->column_count; i++) {
        if (definition->columns[i].key_position == position)
            return &definition->columns[i];
    }
    return NULL;
}

static enum status refuse_words(const struct definition *definition, size_t word_count,
                                struct error *err)
{
    char names[NAMES_TEXT_SIZE] = "";
    size_t used = 0;

    for (uint32_t i = 1; i <= definition->key_count && used < sizeof names - 1; i++) {
        const struct column *column = row_find_key_column(definition, i);

        used +=
            (size_t)snprintf(names + used, sizeof names - used, "%s%s",
                             used > 0 ? ", " : "", column != NULL ? column->name : "?");
    }
    return error_set(err, STATUS_USAGE, "the key of %s is (%s): give %u value%s, not %zu",
                     definition->name, names, definition->key_count,
                     definition->key_count == 1 ? "" : "s", word_count);
}

enum status row_find(struct store_txn *txn, const char *table, const char *const *words,
                     size_t word_count, struct found_row *out, struct error *err)
{
    struct search search = {.txn = txn, .out = out, .err = err};
    struct readings *columns = NULL;
    const struct definition *definition;
    enum status status = row_find_table(txn, table, &out->table, err);

    if (status != STATUS_OK)
        return status;
    definition = out->table.definition;
    if (word_count != definition->key_count)
        return refuse_words(definition, word_count, err);
    columns = calloc(word_count + 1, sizeof *columns);
    if (columns == NULL)
        return error_set(err, STATUS_NO_MEMORY, "%s: out of memory", table);
    for (size_t i = 0; status == STATUS_OK && i < word_count; i++) {
        const struct column *column = row_find_key_column(definition, (uint32_t)i + 1);

        status = read_word(words[i], column != NULL ? column->type : FLEET_ANY,
                           &columns[i], err);
    }
    search.columns = columns;
    search.column_count = word_count;
    if (status == STATUS_OK)
        status = try_column(&search, 0);
    if (status == STATUS_NOT_FOUND) {
        status =
            error_set(err, STATUS_NOT_FOUND,
                      "%s: no row with this key was ever in this log", definition->name);
    }
    for (size_t i = 0; i < word_count; i++)
        free(columns[i].blob);
    free(columns);
    return status;
}
