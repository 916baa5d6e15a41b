#include "log/definition_codec.h"

#include "log/arena.h"
#include "log/definition.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFINITION_FORMAT = 1,
    TABLE_WITHOUT_ROWID = 1,
    TABLE_STRICT = 2,
    COLUMN_GENERATED_MASK = 3,
    COLUMN_NOT_NULL = 4,
    COLUMN_HAS_DEFAULT = 8,
    UNIQUE_PRIMARY = 1,
    UNIQUE_HAS_WHERE = 2,
    UNIQUE_NULLS_EQUAL = 4,
    UNIQUE_DEFERRABLE = 8,
    UNIQUE_FLAGS = 15,
    TERM_EXPRESSION = 1,
    FOREIGN_KEY_COUNTS = 1,
};

/* The least bytes of one: a count is checked by it before memory is taken. */
enum { COLUMN_SIZE_MIN = 6, UNIQUE_SIZE_MIN = 6, FOREIGN_KEY_SIZE_MIN = 6 };
enum { TERM_SIZE_MIN = 3, PAIR_SIZE_MIN = 2 };

/* What the decoder carries along. */
struct reader {
    struct bytes in;
    struct arena arena;
    const char **names; /* of the columns, sorted */
    uint32_t name_count;
    struct error *err;
};

/* Zeroed memory that lives as long as the definition; NULL, with the reason set. */
static void *take_memory(struct reader *reader, size_t count, size_t size)
{
    void *memory = arena_take(&reader->arena, count, size);

    if (memory == NULL)
        error_set(reader->err, STATUS_NO_MEMORY, "table definition: out of memory");
    return memory;
}

static enum status corrupt(struct reader *reader, const char *what)
{
    return error_set(reader->err, STATUS_CORRUPT, "table definition: %s", what);
}

static enum status take_text(struct reader *reader, const char **out)
{
    struct bytes text;
    char *copy;

    if (!bytes_take_sized(&reader->in, &text))
        return corrupt(reader, "a text is cut");
    if (text.size > 0 && memchr(text.data, 0, text.size) != NULL)
        return corrupt(reader, "a text has a NUL in it");
    copy = take_memory(reader, text.size + 1, 1);
    if (copy == NULL)
        return STATUS_NO_MEMORY;
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    *out = copy;
    return STATUS_OK;
}

/* A count of items of at least size_min bytes each, so that it fits what is left. */
static enum status take_count(struct reader *reader, uint32_t least, uint32_t most,
                              size_t size_min, uint32_t *out)
{
    uint64_t count;

    if (!bytes_take_varint(&reader->in, &count) || count < least || count > most ||
        count > reader->in.size / size_min)
        return corrupt(reader, "a count is out of range");
    *out = (uint32_t)count;
    return STATUS_OK;
}

static enum status take_flags(struct reader *reader, unsigned known, unsigned *out)
{
    uint64_t flags;

    if (!bytes_take(&reader->in, 1, &flags) || (flags & ~(uint64_t)known) != 0)
        return corrupt(reader, "flags are unknown");
    *out = (unsigned)flags;
    return STATUS_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_column(const struct reader *reader, const char *name)
{
    return bsearch(&name, reader->names, reader->name_count, sizeof name,
                   compare_names) != NULL;
}

static enum status take_column(struct reader *reader, struct column *out)
{
    uint64_t type;
    uint64_t key_position;
    unsigned flags = 0;
    enum status status;

    if ((status = take_text(reader, &out->name)) != STATUS_OK ||
        (status = take_text(reader, &out->declared_type)) != STATUS_OK ||
        (status = take_text(reader, &out->collation)) != STATUS_OK)
        return status;
    if (!bytes_take(&reader->in, 1, &type) || type >= FLEET_TYPES)
        return corrupt(reader, "a column's fleet type is unknown");
    status = take_flags(
        reader, COLUMN_GENERATED_MASK | COLUMN_NOT_NULL | COLUMN_HAS_DEFAULT, &flags);
    if (status != STATUS_OK)
        return status;
    if ((flags & COLUMN_GENERATED_MASK) > GENERATED_STORED)
        return corrupt(reader, "a column is generated in an unknown way");
    if (!bytes_take_varint(&reader->in, &key_position) ||
        key_position > DEFINITION_COLUMNS_MAX)
        return corrupt(reader, "a column's place in the key is out of range");
    out->type = (enum fleet_type)type;
    out->generated = (enum column_generated)(flags & COLUMN_GENERATED_MASK);
    out->not_null = (flags & COLUMN_NOT_NULL) != 0;
    out->key_position = (uint32_t)key_position;
    if (out->key_position != 0 && out->generated != GENERATED_NO)
        return corrupt(reader, "a column of the key is generated");
    if ((flags & COLUMN_HAS_DEFAULT) != 0)
        return take_text(reader, &out->default_sql);
    return STATUS_OK;
}

/* The key's places are 1, 2, 3 … without a gap, and there is a key. */
static enum status check_key(struct reader *reader, const struct definition *definition)
{
    bool *taken = take_memory(reader, definition->key_count + 1, sizeof *taken);

    if (definition->key_count == 0)
        return corrupt(reader, "there is no key");
    if (taken == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < definition->column_count; i++) {
        uint32_t position = definition->columns[i].key_position;

        if (position == 0)
            continue;
        if (position > definition->key_count || taken[position])
            return corrupt(reader, "the key's columns are not numbered 1, 2, 3 …");
        taken[position] = true;
    }
    return STATUS_OK;
}

static enum status take_columns(struct reader *reader, struct definition *out)
{
    enum status status = take_count(reader, 1, DEFINITION_COLUMNS_MAX, COLUMN_SIZE_MIN,
                                    &out->column_count);

    if (status != STATUS_OK)
        return status;
    out->columns = take_memory(reader, out->column_count, sizeof *out->columns);
    reader->names = take_memory(reader, out->column_count, sizeof *reader->names);
    if (out->columns == NULL || reader->names == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < out->column_count; i++) {
        status = take_column(reader, &out->columns[i]);
        if (status != STATUS_OK)
            return status;
        out->stored_count += out->columns[i].generated == GENERATED_NO;
        out->key_count += out->columns[i].key_position != 0;
        reader->names[i] = out->columns[i].name;
    }
    reader->name_count = out->column_count;
    qsort(reader->names, reader->name_count, sizeof *reader->names, compare_names);
    for (uint32_t i = 1; i < reader->name_count; i++)
        if (strcmp(reader->names[i - 1], reader->names[i]) == 0)
            return corrupt(reader, "two columns have one name");
    return check_key(reader, out);
}

static enum status take_term(struct reader *reader, struct unique_key *unique, uint32_t i)
{
    unsigned flags = 0;
    enum status status;

    if ((status = take_flags(reader, TERM_EXPRESSION, &flags)) != STATUS_OK ||
        (status = take_text(reader, &unique->terms[i])) != STATUS_OK ||
        (status = take_text(reader, &unique->collations[i])) != STATUS_OK)
        return status;
    unique->is_expression[i] = (flags & TERM_EXPRESSION) != 0;
    if (!unique->is_expression[i] && !is_column(reader, unique->terms[i]))
        return corrupt(reader, "a unique constraint names no column");
    return STATUS_OK;
}

static enum status take_unique(struct reader *reader, struct unique_key *out)
{
    unsigned flags = 0;
    enum status status = take_text(reader, &out->name);

    if (status == STATUS_OK)
        status = take_flags(reader, UNIQUE_FLAGS, &flags);
    if (status != STATUS_OK)
        return status;
    out->is_primary = (flags & UNIQUE_PRIMARY) != 0;
    out->nulls_equal = (flags & UNIQUE_NULLS_EQUAL) != 0;
    out->deferrable = (flags & UNIQUE_DEFERRABLE) != 0;
    if ((flags & UNIQUE_HAS_WHERE) != 0 &&
        (status = take_text(reader, &out->where_sql)) != STATUS_OK)
        return status;
    status =
        take_count(reader, 1, DEFINITION_COLUMNS_MAX, TERM_SIZE_MIN, &out->term_count);
    if (status != STATUS_OK)
        return status;
    out->terms = take_memory(reader, out->term_count, sizeof *out->terms);
    out->collations = take_memory(reader, out->term_count, sizeof *out->collations);
    out->is_expression = take_memory(reader, out->term_count, sizeof *out->is_expression);
    if (out->terms == NULL || out->collations == NULL || out->is_expression == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < out->term_count && status == STATUS_OK; i++)
        status = take_term(reader, out, i);
    return status;
}

static enum status take_foreign_key(struct reader *reader, struct foreign_key *out)
{
    unsigned flags = 0;
    enum status status;

    if ((status = take_text(reader, &out->name)) != STATUS_OK ||
        (status = take_flags(reader, FOREIGN_KEY_COUNTS, &flags)) != STATUS_OK ||
        (status = take_text(reader, &out->parent)) != STATUS_OK ||
        (status = take_count(reader, 1, DEFINITION_COLUMNS_MAX, PAIR_SIZE_MIN,
                             &out->column_count)) != STATUS_OK)
        return status;
    out->counts = (flags & FOREIGN_KEY_COUNTS) != 0;
    out->columns = take_memory(reader, out->column_count, sizeof *out->columns);
    out->parent_columns =
        take_memory(reader, out->column_count, sizeof *out->parent_columns);
    if (out->columns == NULL || out->parent_columns == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < out->column_count; i++) {
        if ((status = take_text(reader, &out->columns[i])) != STATUS_OK ||
            (status = take_text(reader, &out->parent_columns[i])) != STATUS_OK)
            return status;
        if (!is_column(reader, out->columns[i]))
            return corrupt(reader, "a foreign key names no column");
    }
    return STATUS_OK;
}

static enum status take_uniques(struct reader *reader, struct definition *out)
{
    enum status status =
        take_count(reader, 0, DEFINITION_KEYS_MAX, UNIQUE_SIZE_MIN, &out->unique_count);

    if (status != STATUS_OK || out->unique_count == 0)
        return status;
    out->uniques = take_memory(reader, out->unique_count, sizeof *out->uniques);
    if (out->uniques == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < out->unique_count && status == STATUS_OK; i++)
        status = take_unique(reader, &out->uniques[i]);
    return status;
}

static enum status take_foreign_keys(struct reader *reader, struct definition *out)
{
    enum status status = take_count(reader, 0, DEFINITION_KEYS_MAX, FOREIGN_KEY_SIZE_MIN,
                                    &out->foreign_key_count);

    if (status != STATUS_OK || out->foreign_key_count == 0)
        return status;
    out->foreign_keys =
        take_memory(reader, out->foreign_key_count, sizeof *out->foreign_keys);
    if (out->foreign_keys == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < out->foreign_key_count && status == STATUS_OK; i++)
        status = take_foreign_key(reader, &out->foreign_keys[i]);
    return status;
}

/* What stands before the columns, after the format. */
static enum status take_head(struct reader *reader, struct definition *out)
{
    uint64_t number;
    uint64_t dialect;
    unsigned flags = 0;
    enum status status;

    if (!bytes_take_varint(&reader->in, &number) || number == 0 || number > UINT32_MAX)
        return corrupt(reader, "its number is out of range");
    if ((status = take_text(reader, &out->name)) != STATUS_OK ||
        (status = take_text(reader, &out->local_name)) != STATUS_OK)
        return status;
    if (!bytes_take(&reader->in, 1, &dialect) ||
        (dialect != DIALECT_SQLITE && dialect != DIALECT_POSTGRES))
        return corrupt(reader, "its dialect is unknown");
    status = take_flags(reader, TABLE_WITHOUT_ROWID | TABLE_STRICT, &flags);
    if (status != STATUS_OK)
        return status;
    out->number = (uint32_t)number;
    out->dialect = (enum dialect)dialect;
    out->without_rowid = (flags & TABLE_WITHOUT_ROWID) != 0;
    out->strict = (flags & TABLE_STRICT) != 0;
    return take_text(reader, &out->ddl);
}

static void put_text(struct buffer *out, const char *text)
{
    buffer_put_sized(out, bytes_of_text(text));
}

static void put_column(struct buffer *out, const struct column *column)
{
    assert(column->type < FLEET_TYPES);
    assert(column->generated <= GENERATED_STORED);
    assert(column->key_position == 0 || column->generated == GENERATED_NO);
    put_text(out, column->name);
    put_text(out, column->declared_type);
    put_text(out, column->collation);
    buffer_put(out, column->type, 1);
    buffer_put(out,
               (uint64_t)column->generated | (column->not_null ? COLUMN_NOT_NULL : 0) |
                   (column->default_sql != NULL ? COLUMN_HAS_DEFAULT : 0),
               1);
    buffer_put_varint(out, column->key_position);
    if (column->default_sql != NULL)
        put_text(out, column->default_sql);
}

static void put_unique(struct buffer *out, const struct definition *definition,
                       const struct unique_key *unique)
{
    assert(unique->term_count >= 1);
    assert(unique->term_count <= DEFINITION_COLUMNS_MAX);
    put_text(out, unique->name);
    buffer_put(out,
               unique->is_primary | (unique->where_sql != NULL) * 2U |
                   unique->nulls_equal * 4U | unique->deferrable * 8U,
               1);
    if (unique->where_sql != NULL)
        put_text(out, unique->where_sql);
    buffer_put_varint(out, unique->term_count);
    for (uint32_t i = 0; i < unique->term_count; i++) {
        assert(unique->is_expression[i] ||
               definition_find_column(definition, unique->terms[i]) >= 0);
        buffer_put(out, unique->is_expression[i], 1);
        put_text(out, unique->terms[i]);
        put_text(out, unique->collations[i]);
    }
}

static void put_foreign_key(struct buffer *out, const struct definition *definition,
                            const struct foreign_key *key)
{
    assert(key->column_count >= 1);
    assert(key->column_count <= DEFINITION_COLUMNS_MAX);
    put_text(out, key->name);
    buffer_put(out, key->counts, 1);
    put_text(out, key->parent);
    buffer_put_varint(out, key->column_count);
    for (uint32_t i = 0; i < key->column_count; i++) {
        assert(definition_find_column(definition, key->columns[i]) >= 0);
        put_text(out, key->columns[i]);
        put_text(out, key->parent_columns[i]);
    }
}

/* The struct's counts follow from its columns, and the limits hold. */
static void assert_counts(const struct definition *definition)
{
    uint32_t stored_count = 0;
    uint32_t key_count = 0;

    for (uint32_t i = 0; i < definition->column_count; i++) {
        stored_count += definition->columns[i].generated == GENERATED_NO;
        key_count += definition->columns[i].key_position != 0;
        assert(definition->columns[i].key_position <= definition->key_count);
    }
    assert(definition->column_count <= DEFINITION_COLUMNS_MAX);
    assert(definition->stored_count == stored_count);
    assert(definition->key_count == key_count);
    assert(key_count >= 1);
    assert(definition->unique_count <= DEFINITION_KEYS_MAX);
    assert(definition->foreign_key_count <= DEFINITION_KEYS_MAX);
}

/* A definition's bytes. A text is sized (a varint, then as many bytes) and has no NUL; it
 * may be empty, as names may be in SQLite.
 *
 *  size    field
 *  1       format             1
 *  varint  number             1 to 2^32 - 1
 *  text    name
 *  text    local_name
 *  1       dialect            1 SQLite, 2 Postgres
 *  1       flags              bit 0 WITHOUT ROWID, bit 1 STRICT; the others 0
 *  text    ddl
 *  varint  column_count       1 to 32767; then each column:
 *    text    name             no two alike
 *    text    declared_type
 *    text    collation
 *    1       fleet type       0 to 16
 *    1       flags            bits 0-1 generated: 0 no, 1 virtual, 2 stored;
 *                             bit 2 NOT NULL; bit 3 has a default; the others 0
 *    varint  key_position     1 to the number of key columns, each once; 0: none.
 *                             There is a key, and no generated column in it
 *    text    default_sql      only with bit 3
 *  varint  unique_count       0 to 1000; then each:
 *    text    name
 *    1       flags            bit 0 the primary key, 1 has WHERE, 2 NULLs are equal,
 *                             3 deferrable; the others 0
 *    text    where_sql        only with bit 1
 *    varint  term_count       1 to 32767; then each:
 *      1       flags          bit 0 an expression; the others 0
 *      text    term           a column of the table, unless an expression
 *      text    collation
 *  varint  foreign_key_count  0 to 1000; then each:
 *    text    name
 *    1       flags            bit 0 it counts there; the others 0
 *    text    parent
 *    varint  column_count     1 to 32767; then each:
 *      text    column         a column of the table
 *      text    parent_column
 */
void definition_encode(struct buffer *out, const struct definition *definition)
{
    assert_counts(definition);
    assert(definition->number >= 1);
    assert(definition->dialect == DIALECT_SQLITE ||
           definition->dialect == DIALECT_POSTGRES);
    buffer_put(out, DEFINITION_FORMAT, 1);
    buffer_put_varint(out, definition->number);
    put_text(out, definition->name);
    put_text(out, definition->local_name);
    buffer_put(out, definition->dialect, 1);
    buffer_put(out, definition->without_rowid | definition->strict * 2U, 1);
    put_text(out, definition->ddl);
    buffer_put_varint(out, definition->column_count);
    for (uint32_t i = 0; i < definition->column_count; i++)
        put_column(out, &definition->columns[i]);
    buffer_put_varint(out, definition->unique_count);
    for (uint32_t i = 0; i < definition->unique_count; i++)
        put_unique(out, definition, &definition->uniques[i]);
    buffer_put_varint(out, definition->foreign_key_count);
    for (uint32_t i = 0; i < definition->foreign_key_count; i++)
        put_foreign_key(out, definition, &definition->foreign_keys[i]);
}

static enum status take_all(struct reader *reader, struct definition *out)
{
    uint64_t format;
    enum status status;

    if (!bytes_take(&reader->in, 1, &format) || format != DEFINITION_FORMAT)
        return corrupt(reader, "its format is unknown");
    if ((status = take_head(reader, out)) != STATUS_OK ||
        (status = take_columns(reader, out)) != STATUS_OK ||
        (status = take_uniques(reader, out)) != STATUS_OK ||
        (status = take_foreign_keys(reader, out)) != STATUS_OK)
        return status;
    return reader->in.size == 0 ? STATUS_OK
                                : corrupt(reader, "something follows its end");
}

enum status definition_decode(struct bytes in, struct definition **out, struct error *err)
{
    struct reader reader = {.in = in, .err = err};
    struct definition *definition;
    enum status status;

    *out = NULL;
    definition = take_memory(&reader, 1, sizeof *definition);
    status = definition != NULL ? take_all(&reader, definition) : STATUS_NO_MEMORY;
    if (status != STATUS_OK) {
        arena_release(&reader.arena);
        return status;
    }
    definition->memory = reader.arena.chunks;
    *out = definition;
    return STATUS_OK;
}

void definition_close(struct definition *definition)
{
    struct arena arena;

    if (definition == NULL)
        return;
    arena.chunks = definition->memory; /* the definition itself lies in it */
    arena_release(&arena);
}
