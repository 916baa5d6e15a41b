#include "cli/json.h"

#include "cli/print.h"

#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_LEAST = 15 };

/* Of the reals made since the last print the one that needs the most digits decides for
 * all: jansson has one precision for a whole document. */
static size_t digits_needed = DIGITS_LEAST;

static json_t *made(json_t *value)
{
    if (value == NULL)
        print_no_memory();
    return value;
}

json_t *json_make_object(void)
{
    return made(json_object());
}

json_t *json_make_array(void)
{
    return made(json_array());
}

/* A column's name need not be UTF-8; its member's name has to be. */
static char *repaired(const char *key)
{
    char *copy = strdup(key);

    if (copy == NULL)
        print_no_memory();
    for (char *at = copy; at != NULL && *at != '\0'; at++) {
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    }
    return copy;
}

void json_put(json_t *object, const char *key, json_t *value)
{
    char *copy;

    if (bytes_are_utf8(bytes_of_text(key))) {
        if (json_object_set_new(object, key, made(value)) != 0)
            print_no_memory();
        return;
    }
    copy = repaired(key);
    if (json_object_set_new(object, copy, made(value)) != 0)
        print_no_memory();
    free(copy);
}

void json_append(json_t *array, json_t *value)
{
    if (json_array_append_new(array, made(value)) != 0)
        print_no_memory();
}

void json_put_number(json_t *object, const char *key, uint64_t number)
{
    json_put(object, key, json_integer((json_int_t)number));
}

void json_put_text(json_t *object, const char *key, const char *text)
{
    json_put(object, key, json_text(bytes_of_text(text)));
}

void json_put_bool(json_t *object, const char *key, bool value)
{
    json_put(object, key, json_boolean(value));
}

void json_put_version(json_t *object, const char *key, const struct version *version)
{
    char text[VERSION_TEXT_SIZE];

    version_text(version, text);
    json_put_text(object, key, text);
}

void json_put_node(json_t *object, const char *key, uint64_t node)
{
    char text[NODE_ID_TEXT_SIZE];

    node_id_text(node, text);
    json_put_text(object, key, text);
}

void json_put_time(json_t *object, const char *key, uint64_t stamp_us)
{
    char text[TIME_TEXT_SIZE];

    if (stamp_us == 0)
        json_put(object, key, json_null());
    else
        json_put_text(object, key, time_iso(stamp_us, text));
}

/* ---- values */

static json_t *base64(const char *member, struct bytes bytes)
{
    size_t size = sodium_base64_encoded_len(bytes.size, sodium_base64_VARIANT_ORIGINAL);
    char *text = malloc(size);
    json_t *object = json_make_object();

    if (text == NULL)
        print_no_memory();
    else
        sodium_bin2base64(text, size, bytes.data, bytes.size,
                          sodium_base64_VARIANT_ORIGINAL);
    json_put(object, member, json_string(text));
    free(text);
    return object;
}

json_t *json_text(struct bytes text)
{
    if (text.size == 0)
        return made(json_string(""));
    if (memchr(text.data, 0, text.size) != NULL || !bytes_are_utf8(text))
        return base64("text64", text);
    return made(json_stringn((const char *)text.data, text.size));
}

static json_t *json_from_real(double real)
{
    json_t *object;
    size_t digits;

    if (isfinite(real)) {
        digits = (size_t)real_digits(real);
        digits_needed = digits > digits_needed ? digits : digits_needed;
        return made(json_real(real));
    }
    object = json_make_object();
    json_put_text(object, "real",
                  isnan(real) ? "NaN"
                  : real > 0  ? "Infinity"
                              : "-Infinity");
    return object;
}

json_t *json_value(const struct value *value)
{
    switch (value->type) {
    case VALUE_INTEGER:
        return made(json_integer(value->integer));
    case VALUE_REAL:
        return json_from_real(value->real);
    case VALUE_TEXT:
    case VALUE_TYPED:
        return json_text(value->bytes);
    case VALUE_BLOB:
        return base64("blob64", value->bytes);
    case VALUE_NULL:
    case VALUE_KEY:
    case VALUE_ABSENT:
        break;
    }
    return made(json_null());
}

json_t *json_key(struct bytes key, const struct definition *definition)
{
    json_t *object = json_make_object();
    struct buffer scratch;
    struct value value;
    struct error ignored;
    enum status status;

    buffer_init(&scratch);
    for (uint32_t position = 1; position <= definition->key_count; position++) {
        uint32_t i = 0;

        while (i < definition->column_count &&
               definition->columns[i].key_position != position)
            i++;
        buffer_clear(&scratch);
        if (i == definition->column_count)
            break;
        status = row_key_take(&key, &value, &scratch, &ignored);
        if (status == STATUS_NO_MEMORY)
            print_no_memory();
        if (status != STATUS_OK)
            break;
        json_put(object, definition->columns[i].name, json_value(&value));
    }
    buffer_release(&scratch);
    return object;
}

json_t *json_row(const struct image *image, const struct definition *definition)
{
    json_t *object = json_make_object();
    uint32_t place = 0;

    for (uint32_t i = 0; i < definition->column_count && place < image->count; i++) {
        if (definition->columns[i].generated != GENERATED_NO)
            continue;
        if (image->values[place].type != VALUE_ABSENT)
            json_put(object, definition->columns[i].name,
                     json_value(&image->values[place]));
        place++;
    }
    return object;
}

/* ---- printing */

void json_print(FILE *out, json_t *value)
{
    /* What could not be written is told at the end, with its reason. */
    if (json_dumpf(value, out, JSON_REAL_PRECISION(digits_needed) | JSON_COMPACT) != 0 &&
        !ferror(out))
        print_no_memory();
    json_decref(value);
    digits_needed = DIGITS_LEAST;
}

void json_print_line(FILE *out, json_t *value)
{
    json_print(out, value);
    (void)fputc('\n', out);
}
