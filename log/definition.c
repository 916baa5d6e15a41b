#include "log/definition.h"

#include <assert.h>
#include <string.h>

int32_t definition_find_column(const struct definition *definition, const char *name)
{
    for (uint32_t i = 0; i < definition->column_count; i++)
        if (strcmp(definition->columns[i].name, name) == 0)
            return (int32_t)i;
    return -1;
}

static char lower(char letter)
{
    static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char lowered[] = "abcdefghijklmnopqrstuvwxyz";
    const char *found = letter != '\0' ? strchr(upper, letter) : NULL;

    if (found == NULL)
        return letter;
    return lowered[found - upper];
}

static bool same_but_case(const char *a, const char *b)
{
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return *a == '\0' && *b == '\0';
}

/* How many columns are of this name but for case, and of none of others' exactly; *column
 * is one of them. */
static uint32_t find_left(const struct definition *definition, const char *name,
                          const struct definition *others, int32_t *column)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < definition->column_count; i++) {
        if (same_but_case(definition->columns[i].name, name) &&
            definition_find_column(others, definition->columns[i].name) < 0) {
            *column = (int32_t)i;
            count++;
        }
    }
    return count;
}

int32_t definition_map_column(const struct definition *from, uint32_t column,
                              const struct definition *to)
{
    const char *name = from->columns[column].name;
    int32_t found = definition_find_column(to, name), back = -1;

    if (found >= 0)
        return found;
    if (find_left(to, name, from, &found) != 1 || find_left(from, name, to, &back) != 1)
        return -1;
    return found;
}

int32_t definition_image_place(const struct definition *definition, uint32_t column)
{
    int32_t place = 0;

    assert(column < definition->column_count);
    if (definition->columns[column].generated != GENERATED_NO)
        return -1;
    for (uint32_t i = 0; i < column; i++)
        place += definition->columns[i].generated == GENERATED_NO;
    return place;
}

enum fleet_type definition_key_type(const struct definition *definition,
                                    const struct column *column)
{
    return definition->dialect == DIALECT_POSTGRES && fleet_type_is_typed(column->type)
               ? column->type
               : FLEET_ANY;
}

/* The next stored column at or after i; column_count when there is none. */
static uint32_t next_stored(const struct definition *definition, uint32_t i)
{
    while (i < definition->column_count &&
           definition->columns[i].generated != GENERATED_NO)
        i++;
    return i;
}

bool definition_same_image(const struct definition *a, const struct definition *b)
{
    uint32_t i = 0;
    uint32_t j = 0;

    if (a == b)
        return true;
    if (a->stored_count != b->stored_count)
        return false;
    for (uint32_t place = 0; place < a->stored_count; place++, i++, j++) {
        i = next_stored(a, i);
        j = next_stored(b, j);
        if (strcmp(a->columns[i].name, b->columns[j].name) != 0)
            return false;
        /* An image leaves values to the key. */
        if (a->columns[i].key_position != b->columns[j].key_position ||
            (a->columns[i].key_position > 0 &&
             definition_key_type(a, &a->columns[i]) !=
                 definition_key_type(b, &b->columns[j])))
            return false;
    }
    return true;
}

/* Either may be NULL. */
static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_column(const struct column *a, const struct column *b)
{
    return same_text(a->name, b->name) && same_text(a->declared_type, b->declared_type) &&
           same_text(a->default_sql, b->default_sql) &&
           same_text(a->collation, b->collation) && a->type == b->type &&
           a->generated == b->generated && a->not_null == b->not_null &&
           a->key_position == b->key_position;
}

static bool same_unique(const struct unique_key *a, const struct unique_key *b)
{
    if (!same_text(a->name, b->name) || !same_text(a->where_sql, b->where_sql) ||
        a->is_primary != b->is_primary || a->nulls_equal != b->nulls_equal ||
        a->deferrable != b->deferrable || a->term_count != b->term_count)
        return false;
    for (uint32_t i = 0; i < a->term_count; i++) {
        if (!same_text(a->terms[i], b->terms[i]) ||
            !same_text(a->collations[i], b->collations[i]) ||
            a->is_expression[i] != b->is_expression[i])
            return false;
    }
    return true;
}

static bool same_foreign_key(const struct foreign_key *a, const struct foreign_key *b)
{
    if (!same_text(a->name, b->name) || !same_text(a->parent, b->parent) ||
        a->column_count != b->column_count || a->counts != b->counts)
        return false;
    for (uint32_t i = 0; i < a->column_count; i++) {
        if (!same_text(a->columns[i], b->columns[i]) ||
            !same_text(a->parent_columns[i], b->parent_columns[i]))
            return false;
    }
    return true;
}

bool definition_equal(const struct definition *a, const struct definition *b)
{
    if (!same_text(a->name, b->name) || !same_text(a->local_name, b->local_name) ||
        a->dialect != b->dialect || !same_text(a->ddl, b->ddl) ||
        a->without_rowid != b->without_rowid || a->strict != b->strict ||
        a->column_count != b->column_count || a->unique_count != b->unique_count ||
        a->foreign_key_count != b->foreign_key_count)
        return false;
    for (uint32_t i = 0; i < a->column_count; i++)
        if (!same_column(&a->columns[i], &b->columns[i]))
            return false;
    for (uint32_t i = 0; i < a->unique_count; i++)
        if (!same_unique(&a->uniques[i], &b->uniques[i]))
            return false;
    for (uint32_t i = 0; i < a->foreign_key_count; i++)
        if (!same_foreign_key(&a->foreign_keys[i], &b->foreign_keys[i]))
            return false;
    return true;
}
