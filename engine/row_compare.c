#include "engine/row_compare.h"

#include <assert.h>
#include <stdlib.h>

/* Where the own columns are in an image under another definition. */
struct mapping {
    const struct definition *held;
    bool same;       /* images are comparable as bytes */
    bool same_key;   /* the same columns in the same order */
    bool more;       /* held has columns that the own definition lacks */
    int32_t *places; /* by own image place; -1: held has no such column */
};

enum { MAPPINGS_MAX = 64 }; /* of definitions met; then all are forgotten */

struct row_comparer {
    const struct definition *definition;
    struct stored *stored;
    struct mapping mappings[MAPPINGS_MAX];
    size_t mapping_count;
    struct image image;   /* the held one, decoded */
    struct value *values; /* the row's, with held's where nothing changed */
};

enum status row_comparer_open(struct row_comparer **out, struct stored *stored,
                              const struct definition *definition, struct error *err)
{
    struct row_comparer *comparer = calloc(1, sizeof *comparer);

    *out = NULL;
    if (comparer == NULL) {
        stored_close(stored);
        return error_set(err, STATUS_NO_MEMORY, "compare rows: out of memory");
    }
    comparer->definition = definition;
    comparer->stored = stored;
    image_init(&comparer->image);
    comparer->values = calloc(definition->stored_count, sizeof *comparer->values);
    if (comparer->values == NULL) {
        row_comparer_close(comparer);
        return error_set(err, STATUS_NO_MEMORY, "compare rows: out of memory");
    }
    *out = comparer;
    return STATUS_OK;
}

static void forget_mappings(struct row_comparer *comparer)
{
    while (comparer->mapping_count > 0)
        free(comparer->mappings[--comparer->mapping_count].places);
}

void row_comparer_close(struct row_comparer *comparer)
{
    if (comparer == NULL)
        return;
    forget_mappings(comparer);
    stored_close(comparer->stored);
    image_release(&comparer->image);
    free(comparer->values);
    free(comparer);
}

static enum status make_mapping(struct row_comparer *comparer,
                                const struct definition *held, struct mapping *out,
                                struct error *err)
{
    const struct definition *own = comparer->definition;
    uint32_t place = 0;

    out->held = held;
    out->same = definition_same_image(own, held);
    out->same_key = own->key_count == held->key_count;
    out->places = calloc(own->stored_count, sizeof *out->places);
    if (out->places == NULL)
        return error_set(err, STATUS_NO_MEMORY, "compare rows: out of memory");
    for (uint32_t i = 0; i < own->column_count; i++) {
        int32_t column;

        if (own->columns[i].generated != GENERATED_NO)
            continue;
        column = definition_map_column(own, i, held);
        if (own->columns[i].key_position > 0 &&
            (column < 0 ||
             held->columns[column].key_position != own->columns[i].key_position))
            out->same_key = false;
        out->places[place++] =
            column < 0 ? -1 : definition_image_place(held, (uint32_t)column);
    }
    for (uint32_t i = 0; i < held->column_count; i++) {
        if (held->columns[i].generated == GENERATED_NO &&
            definition_map_column(held, i, own) < 0)
            out->more = true;
    }
    return STATUS_OK;
}

/* Definitions out of the log live as long as the store: the pointer tells them apart. */
static enum status find_mapping(struct row_comparer *comparer,
                                const struct definition *held, const struct mapping **out,
                                struct error *err)
{
    enum status status;

    for (size_t i = 0; i < comparer->mapping_count; i++) {
        if (comparer->mappings[i].held == held) {
            *out = &comparer->mappings[i];
            return STATUS_OK;
        }
    }
    if (comparer->mapping_count == MAPPINGS_MAX)
        forget_mappings(comparer);
    *out = &comparer->mappings[comparer->mapping_count];
    status =
        make_mapping(comparer, held, &comparer->mappings[comparer->mapping_count], err);
    comparer->mapping_count += status == STATUS_OK;
    return status;
}

static void put_before(struct buffer *before, uint32_t place, const struct value *value)
{
    buffer_put_varint(before, place);
    value_put(before, value);
}

/* Whether the database would hold now if it had been given was. */
static enum status is_stored_form(struct row_comparer *comparer, uint32_t place,
                                  const struct value *was, const struct value *now,
                                  bool *yes, struct error *err)
{
    struct value stored;
    enum status status;

    *yes = value_equal(was, now);
    if (*yes || (was->type == now->type &&
                 comparer->stored->ops->keeps(comparer->stored, place, was->type)))
        return STATUS_OK;
    status = comparer->stored->ops->value(comparer->stored, place, was, &stored, err);
    if (status == STATUS_CONSTRAINT)
        return STATUS_OK; /* it can't have come from it */
    if (status == STATUS_OK)
        *yes = value_equal(&stored, now);
    return status;
}

static enum status default_or_null(struct row_comparer *comparer, uint32_t place,
                                   struct value *began, struct error *err)
{
    enum status status = row_compare_default(comparer, place, began, err);

    if (status == STATUS_NOT_FOUND)
        *began = (struct value){.type = VALUE_NULL};
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* A column that held lacks: it began with the default. What one that is no constant gave
 * here nobody else can know: it is a change, from NULL. */
static enum status compare_default(struct row_comparer *comparer, uint32_t place,
                                   const struct value *now, bool *changed,
                                   struct buffer *before, struct error *err)
{
    struct value began;
    enum status status = default_or_null(comparer, place, &began, err);

    comparer->values[place] = *now;
    if (status != STATUS_OK || value_equal(&began, now))
        return status;
    put_before(before, place, &began);
    *changed = true;
    return STATUS_OK;
}

/* Compare one column; *changed is only ever set. */
static enum status compare_column(struct row_comparer *comparer, uint32_t place,
                                  const struct value *was, const struct value *now,
                                  bool *changed, struct buffer *before, struct error *err)
{
    bool same = false;
    enum status status;

    if (was == NULL || was->type == VALUE_ABSENT)
        return compare_default(comparer, place, now, changed, before, err);
    status = is_stored_form(comparer, place, was, now, &same, err);
    comparer->values[place] = same ? *was : *now;
    if (status == STATUS_OK && !same) {
        put_before(before, place, was);
        *changed = true;
    }
    return status;
}

enum status row_compare_held(struct row_comparer *comparer, struct bytes key,
                             struct bytes held, const struct definition *held_definition,
                             const struct value *row, bool *changed, struct buffer *image,
                             struct buffer *before, struct error *err)
{
    const struct definition *own = comparer->definition;
    const struct mapping *mapping = NULL;
    enum status status;

    *changed = held.data == NULL;
    buffer_clear(before);
    buffer_clear(image);
    image_encode(image, row, own);
    if (held.data == NULL)
        return buffer_check(image, err);
    status = find_mapping(comparer, held_definition, &mapping, err);
    if (status == STATUS_OK)
        status = buffer_check(image, err);
    if (status != STATUS_OK)
        return status;
    if (mapping->same && bytes_equal(buffer_view(image), held))
        return STATUS_OK;
    status = image_decode(&comparer->image, held, held_definition, key, err);
    for (uint32_t i = 0; i < own->stored_count && status == STATUS_OK; i++) {
        const struct value *was =
            mapping->places[i] < 0 ? NULL : &comparer->image.values[mapping->places[i]];

        status = compare_column(comparer, i, was, &row[i], changed, before, err);
    }
    buffer_clear(image);
    if (status != STATUS_OK || !*changed)
        return status;
    image_encode(image, comparer->values, own);
    status = buffer_check(image, err);
    return status == STATUS_OK ? buffer_check(before, err) : status;
}

/* One column that the winner lacks. */
static enum status compare_kept(struct row_comparer *comparer, uint32_t place,
                                const struct value *now, bool *kept,
                                struct buffer *before, struct error *err)
{
    struct value began;
    enum status status = default_or_null(comparer, place, &began, err);

    if (status != STATUS_OK || value_equal(&began, now))
        return status;
    put_before(before, place, &began);
    *kept = true;
    return STATUS_OK;
}

/* The row's values, with held's own bytes where it has any. */
static enum status take_held(struct row_comparer *comparer, struct bytes key,
                             struct bytes held, const struct definition *held_definition,
                             const struct value *row, struct error *err)
{
    const struct mapping *mapping = NULL;
    enum status status = find_mapping(comparer, held_definition, &mapping, err);

    if (status == STATUS_OK)
        status = image_decode(&comparer->image, held, held_definition, key, err);
    for (uint32_t i = 0; i < comparer->definition->stored_count && status == STATUS_OK;
         i++) {
        int32_t at = mapping->places[i];

        comparer->values[i] = at < 0 || comparer->image.values[at].type == VALUE_ABSENT
                                  ? row[i]
                                  : comparer->image.values[at];
    }
    return status;
}

enum status row_compare_kept(struct row_comparer *comparer, struct bytes key,
                             struct bytes held, const struct definition *held_definition,
                             const struct definition *winner_definition,
                             const struct value *row, const bool *shared, bool *kept,
                             struct buffer *image, struct buffer *before,
                             struct error *err)
{
    const struct definition *own = comparer->definition;
    const struct mapping *mapping = NULL;
    enum status status = find_mapping(comparer, winner_definition, &mapping, err);

    *kept = false;
    buffer_clear(before);
    buffer_clear(image);
    for (uint32_t i = 0; i < own->stored_count && status == STATUS_OK; i++)
        if (shared[i] && mapping->places[i] < 0)
            status = compare_kept(comparer, i, &row[i], kept, before, err);
    if (status == STATUS_OK && *kept)
        status = take_held(comparer, key, held, held_definition, row, err);
    if (status != STATUS_OK || !*kept)
        return status;
    image_encode(image, comparer->values, own);
    status = buffer_check(image, err);
    return status == STATUS_OK ? buffer_check(before, err) : status;
}

enum status row_compare_fill(struct row_comparer *comparer, struct bytes key,
                             struct bytes held, const struct definition *held_definition,
                             struct value *row, struct error *err)
{
    const struct definition *own = comparer->definition;
    const struct mapping *mapping = NULL;
    enum status status = find_mapping(comparer, held_definition, &mapping, err);

    if (status == STATUS_OK)
        status = image_decode(&comparer->image, held, held_definition, key, err);
    for (uint32_t i = 0; i < own->stored_count && status == STATUS_OK; i++) {
        const struct value *was =
            mapping->places[i] < 0 ? NULL : &comparer->image.values[mapping->places[i]];

        if (row[i].type != VALUE_ABSENT)
            continue;
        if (was == NULL || was->type == VALUE_ABSENT)
            status = row_compare_default(comparer, i, &row[i], err);
        else
            row[i] = *was;
    }
    return status;
}

enum status row_compare_default(struct row_comparer *comparer, uint32_t place,
                                struct value *out, struct error *err)
{
    return comparer->stored->ops->default_value(comparer->stored, place, out, err);
}

enum status row_compare_gone(struct row_comparer *comparer, struct bytes key,
                             struct bytes held, const struct definition *held_definition,
                             struct buffer *before, struct error *err)
{
    static const struct value key_value = {.type = VALUE_KEY};
    const struct definition *own = comparer->definition;
    const struct mapping *mapping = NULL;
    uint32_t place = 0;
    enum status status = find_mapping(comparer, held_definition, &mapping, err);

    buffer_clear(before);
    if (status == STATUS_OK)
        status = image_decode(&comparer->image, held, held_definition, key, err);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < own->column_count; i++) {
        const struct value *was;

        if (own->columns[i].generated != GENERATED_NO)
            continue;
        if (mapping->places[place] >= 0) {
            was = &comparer->image.values[mapping->places[place]];
            if (own->columns[i].key_position > 0 && mapping->same_key &&
                image_key_is_exact(own, &own->columns[i], was))
                was = &key_value;
            if (was->type != VALUE_ABSENT)
                put_before(before, place, was);
        }
        place++;
    }
    return buffer_check(before, err);
}

enum status row_compare_lacking(struct row_comparer *comparer, struct bytes key,
                                struct bytes image, const struct definition *definition,
                                const struct value *row, bool *lacking,
                                struct buffer *rest, struct error *err)
{
    const struct definition *own = comparer->definition;
    const struct mapping *mapping = NULL;
    uint32_t place = 0;
    enum status status = find_mapping(comparer, definition, &mapping, err);

    *lacking = false;
    buffer_clear(rest);
    if (status != STATUS_OK || (!mapping->more && row == NULL))
        return status;
    status = image_decode(&comparer->image, image, definition, key, err);
    for (uint32_t i = 0; i < definition->column_count && status == STATUS_OK; i++) {
        struct value *value = &comparer->image.values[place];
        int32_t here = definition_map_column(definition, i, own);

        if (definition->columns[i].generated != GENERATED_NO)
            continue;
        place++;
        if (definition->columns[i].key_position > 0)
            continue;
        if (here >= 0 && row != NULL && own->columns[here].generated == GENERATED_NO)
            *value = row[definition_image_place(own, (uint32_t)here)];
        if (here >= 0 || value->type == VALUE_ABSENT)
            continue;
        *lacking = *lacking || value->type != VALUE_NULL;
        *value = (struct value){.type = VALUE_ABSENT};
    }
    if (status != STATUS_OK || (!*lacking && row == NULL))
        return status;
    image_encode(rest, comparer->image.values, definition);
    return buffer_check(rest, err);
}
