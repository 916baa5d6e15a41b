#include "log/image.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 24 }; /* of an integer, with its sign and an end */

void image_init(struct image *image)
{
    *image = (struct image){0};
}

void image_release(struct image *image)
{
    for (uint32_t i = 0; i < image->scratch_count; i++)
        buffer_release(&image->scratch[i]);
    free(image->scratch);
    free(image->values);
    image_init(image);
}

/* Behind the values of the stored columns the array has room for those of the key. */
static enum status reserve(struct image *image, const struct definition *definition,
                           struct error *err)
{
    uint32_t need = definition->stored_count + definition->key_count;

    if (need > image->capacity) {
        struct value *values = realloc(image->values, need * sizeof *values);

        if (values == NULL)
            return error_set(err, STATUS_NO_MEMORY, "row image: out of memory");
        image->values = values;
        image->capacity = need;
    }
    if (definition->key_count > image->scratch_count) {
        struct buffer *scratch =
            realloc(image->scratch, definition->key_count * sizeof *scratch);

        if (scratch == NULL)
            return error_set(err, STATUS_NO_MEMORY, "row image: out of memory");
        image->scratch = scratch;
        while (image->scratch_count < definition->key_count)
            buffer_init(&scratch[image->scratch_count++]);
    }
    return STATUS_OK;
}

/* What the key says to this column; of_key is canonical. text is where digits are put. */
static struct value said_by_key(const struct definition *definition,
                                const struct column *column, const struct value *of_key,
                                uint8_t text[DIGITS_MAX])
{
    enum fleet_type type = definition_key_type(definition, column);
    struct value said = {.type = VALUE_TYPED, .typed = type, .bytes = of_key->bytes};
    struct value again;

    if (type == FLEET_ANY)
        return *of_key;
    if (type == FLEET_NUMERIC && of_key->type == VALUE_INTEGER) {
        said.bytes.data = text;
        said.bytes.size =
            (size_t)snprintf((char *)text, DIGITS_MAX, "%" PRId64, of_key->integer);
        return said;
    }
    if (of_key->type != VALUE_TEXT)
        return *of_key;
    /* The text 1.50 or 7 is no numeric's key, so it stays text. */
    again = row_key_canonical(&said);
    return value_equal(&again, of_key) ? said : *of_key;
}

bool image_key_is_exact(const struct definition *definition, const struct column *column,
                        const struct value *value)
{
    uint8_t text[DIGITS_MAX];
    struct value canonical;
    struct value said;

    if (value->type == VALUE_NULL || value->type == VALUE_KEY ||
        value->type == VALUE_ABSENT)
        return false;
    canonical = row_key_canonical(value);
    said = said_by_key(definition, column, &canonical, text);
    return value_equal(value, &said);
}

/* The key's columns, to the end of the key, behind the stored ones. */
static enum status take_key(struct image *image, const struct definition *definition,
                            struct bytes key, struct error *err)
{
    struct value *values = image->values + definition->stored_count;

    for (uint32_t i = 0; i < definition->key_count; i++) {
        enum status status;

        buffer_clear(&image->scratch[i]);
        status = row_key_take(&key, &values[i], &image->scratch[i], err);
        if (status != STATUS_OK)
            return error_wrap(err, status, definition->name);
    }
    if (key.size > 0)
        return error_set(err, STATUS_CORRUPT, "%s: a row key has too many columns",
                         definition->name);
    return STATUS_OK;
}

/* The value that the key, taken behind the stored columns, says to this column. */
static enum status fill_from_key(struct image *image, const struct definition *definition,
                                 const struct column *column, struct value *value,
                                 struct error *err)
{
    uint32_t place = column->key_position - 1;
    const struct value *of_key = &image->values[definition->stored_count + place];
    struct buffer *scratch = &image->scratch[place];
    uint8_t *text = NULL;

    if (of_key->type == VALUE_INTEGER) {
        buffer_clear(scratch);
        text = buffer_reserve(scratch, DIGITS_MAX);
        if (text == NULL)
            return buffer_check(scratch, err);
    }
    *value = said_by_key(definition, column, of_key, text);
    return STATUS_OK;
}

/* A key column's value is the key's: as KEY when the key says it exactly, and only then.
 */
static enum status resolve_key(struct image *image, const struct definition *definition,
                               const struct column *column, struct value *value,
                               bool *fits, struct error *err)
{
    const struct value *of_key =
        &image->values[definition->stored_count + column->key_position - 1];
    struct value canonical;

    *fits = true;
    if (value->type == VALUE_KEY)
        return fill_from_key(image, definition, column, value, err);
    canonical = row_key_canonical(value);
    *fits =
        value_equal(&canonical, of_key) && !image_key_is_exact(definition, column, value);
    return STATUS_OK;
}

static enum status take_values(struct image *image, const struct definition *definition,
                               struct bytes bytes, struct error *err)
{
    uint32_t place = 0;

    assert(image->values != NULL); /* a definition has columns */
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const struct column *column = &definition->columns[i];
        struct value *value = &image->values[place];
        bool fits = true;
        enum status status;

        if (column->generated != GENERATED_NO)
            continue;
        assert(place < definition->stored_count);
        status = value_take(&bytes, value, err);
        if (column->key_position == 0)
            fits = value->type != VALUE_KEY;
        else if (status == STATUS_OK)
            status = resolve_key(image, definition, column, value, &fits, err);
        if (status != STATUS_OK)
            return error_wrap(err, status, definition->name);
        if (!fits) {
            return error_set(err, STATUS_CORRUPT,
                             "%s: the image's column %s does not fit the key",
                             definition->name, column->name);
        }
        place++;
    }
    if (bytes.size > 0)
        return error_set(err, STATUS_CORRUPT, "%s: a row image has too many columns",
                         definition->name);
    return STATUS_OK;
}

enum status image_decode(struct image *image, struct bytes bytes,
                         const struct definition *definition, struct bytes key,
                         struct error *err)
{
    enum status status = reserve(image, definition, err);

    image->count = 0;
    if (status != STATUS_OK)
        return status;
    status = take_key(image, definition, key, err);
    if (status != STATUS_OK)
        return status;
    status = take_values(image, definition, bytes, err);
    if (status == STATUS_OK)
        image->count = definition->stored_count;
    return status;
}

enum status image_decode_key(struct image *image, const struct definition *definition,
                             struct bytes key, struct error *err)
{
    enum status status = reserve(image, definition, err);
    uint32_t place = 0;

    image->count = 0;
    if (status != STATUS_OK)
        return status;
    status = take_key(image, definition, key, err);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < definition->column_count && status == STATUS_OK; i++) {
        const struct column *column = &definition->columns[i];
        struct value *value = &image->values[place];

        if (column->generated != GENERATED_NO)
            continue;
        place++;
        *value = (struct value){.type = VALUE_ABSENT};
        if (column->key_position > 0)
            status = fill_from_key(image, definition, column, value, err);
    }
    if (status == STATUS_OK)
        image->count = definition->stored_count;
    return status;
}

void image_encode(struct buffer *out, const struct value *values,
                  const struct definition *definition)
{
    static const struct value of_key = {.type = VALUE_KEY};

    for (uint32_t i = 0; i < definition->column_count; i++) {
        if (definition->columns[i].generated != GENERATED_NO)
            continue;
        assert(values->type != VALUE_KEY);
        if (definition->columns[i].key_position == 0) {
            value_put(out, values);
        } else {
            assert(values->type != VALUE_NULL);
            assert(values->type != VALUE_ABSENT);
            value_put(out, image_key_is_exact(definition, &definition->columns[i], values)
                               ? &of_key
                               : values);
        }
        values++;
    }
}

enum status image_key(struct buffer *out, const struct value *values,
                      const struct definition *definition, struct error *err)
{
    for (uint32_t position = 1; position <= definition->key_count; position++) {
        const struct value *value = values;
        uint32_t i = 0;
        enum status status;

        while (definition->columns[i].key_position != position) {
            value += definition->columns[i].generated == GENERATED_NO;
            i++;
            assert(i < definition->column_count);
        }
        status = row_key_put(out, value, err);
        if (status != STATUS_OK) {
            (void)error_wrap(err, status, definition->columns[i].name);
            return error_wrap(err, status, definition->name);
        }
    }
    return STATUS_OK;
}

/* One side of a comparison: walks a definition's stored columns in order. */
struct side {
    const struct definition *definition;
    struct image image;
    uint32_t column; /* the next to look at */
    uint32_t place;  /* and its place in the image */
};

/* The value of a stored column of that name, or NULL. Columns mostly come in one order,
 * so the search goes on where the last one ended, once around. */
static const struct value *find_value(struct side *side, const char *name)
{
    const struct definition *definition = side->definition;

    for (uint32_t looked = 0; looked < definition->column_count; looked++) {
        const struct column *column;
        uint32_t place;

        if (side->column == definition->column_count)
            side->column = side->place = 0;
        column = &definition->columns[side->column++];
        place = side->place;
        side->place += column->generated == GENERATED_NO;
        if (strcmp(column->name, name) == 0)
            return column->generated == GENERATED_NO ? &side->image.values[place] : NULL;
    }
    return NULL;
}

/* The same for a's column i, which may be spelled in another case there. */
static const struct value *find_other(const struct side *a, uint32_t i, struct side *b)
{
    const struct value *found = find_value(b, a->definition->columns[i].name);
    int32_t column, place;

    if (found != NULL)
        return found;
    column = definition_map_column(a->definition, i, b->definition);
    place = column < 0 ? -1 : definition_image_place(b->definition, (uint32_t)column);
    return place < 0 ? NULL : &b->image.values[place];
}

/* Columns that only one side has, or that are absent on one, say nothing. */
static bool same_values(struct side *a, struct side *b)
{
    const struct value *value = a->image.values;

    for (uint32_t i = 0; i < a->definition->column_count; i++) {
        const struct column *column = &a->definition->columns[i];
        const struct value *other;

        if (column->generated != GENERATED_NO)
            continue;
        other = find_other(a, i, b);
        if (other != NULL && value->type != VALUE_ABSENT && other->type != VALUE_ABSENT &&
            !value_equal(value, other))
            return false;
        value++;
    }
    return true;
}

enum status image_same_content(struct bytes a, const struct definition *a_definition,
                               struct bytes b, const struct definition *b_definition,
                               struct bytes key, bool *same, struct error *err)
{
    struct side left = {.definition = a_definition};
    struct side right = {.definition = b_definition};
    enum status status;

    if (a.data == NULL || b.data == NULL) {
        *same = a.data == b.data;
        return STATUS_OK;
    }
    if (bytes_equal(a, b) && definition_same_image(a_definition, b_definition)) {
        *same = true;
        return STATUS_OK;
    }
    status = image_decode(&left.image, a, a_definition, key, err);
    if (status == STATUS_OK)
        status = image_decode(&right.image, b, b_definition, key, err);
    if (status == STATUS_OK)
        *same = same_values(&left, &right);
    image_release(&left.image);
    image_release(&right.image);
    return status;
}
