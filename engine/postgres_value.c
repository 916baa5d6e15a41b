#include "engine/postgres_value.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REAL_TEXT_MAX = 32, /* the longest that a double prints as has 24 */
    SHOWN_MAX = 40,     /* of refused text in a message */
    UUID_SIZE = 36,
};

static const char hex_digits[] = "0123456789abcdef";

/* ---- text to value */

static enum status not_printed(const char *type, struct bytes text, struct error *err)
{
    int shown = text.size > SHOWN_MAX ? SHOWN_MAX : (int)text.size;

    return error_set(err, STATUS_CORRUPT, "Postgres prints no %s as '%.*s%s'", type,
                     shown, (const char *)text.data, text.size > SHOWN_MAX ? "…" : "");
}

/* Take digits; how many there were. */
static size_t take_digits(struct bytes *text)
{
    size_t count = 0;

    while (count < text->size && text->data[count] >= '0' && text->data[count] <= '9')
        count++;
    text->data += count;
    text->size -= count;
    return count;
}

static bool take_sign(struct bytes *text, const char *signs)
{
    if (text->size == 0 || strchr(signs, text->data[0]) == NULL || text->data[0] == 0)
        return false;
    text->data++;
    text->size--;
    return true;
}

static bool is_word(struct bytes text, const char *word)
{
    return bytes_equal(text, bytes_of_text(word));
}

static bool is_not_finite(struct bytes text)
{
    return is_word(text, "NaN") || is_word(text, "Infinity") ||
           is_word(text, "-Infinity");
}

/* Digits, maybe with a minus, a point and more digits, and an exponent. */
static bool is_decimal(struct bytes text, bool exponent)
{
    (void)take_sign(&text, "-");
    if (take_digits(&text) == 0)
        return false;
    if (take_sign(&text, ".") && take_digits(&text) == 0)
        return false;
    if (!exponent || !take_sign(&text, "e"))
        return text.size == 0;
    return take_sign(&text, "+-") && take_digits(&text) > 0 && text.size == 0;
}

static bool parse_integer(struct bytes text, int64_t *out)
{
    bool negative = take_sign(&text, "-");
    uint64_t limit = (uint64_t)INT64_MAX + negative;
    uint64_t number = 0;

    if (text.size == 0 || (text.data[0] == '0' && (text.size > 1 || negative)))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint64_t digit = (uint64_t)text.data[i] - '0';

        if (digit > 9 || number > (limit - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *out = (int64_t)(negative ? -number : number);
    return true;
}

static bool parse_real(struct bytes text, double *out)
{
    char copy[REAL_TEXT_MAX];

    if (text.size >= sizeof copy || !(is_not_finite(text) || is_decimal(text, true)))
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    /* strtod's NaN may have a sign. */
    *out = is_word(text, "NaN") ? (double)NAN : strtod(copy, NULL);
    return is_not_finite(text) || isfinite(*out);
}

static bool parse_digit(uint8_t character, unsigned *out)
{
    const char *at = character == 0 ? NULL : strchr(hex_digits, character);

    *out = at == NULL ? 0 : (unsigned)(at - hex_digits);
    return at != NULL;
}

static enum status take_blob(struct bytes text, struct buffer *scratch, struct value *out,
                             struct error *err)
{
    size_t size = text.size / 2 - 1;
    uint8_t *to;

    if (text.size < 2 || text.size % 2 != 0 || memcmp(text.data, "\\x", 2) != 0)
        return not_printed("bytea", text, err);
    buffer_clear(scratch);
    to = buffer_reserve(scratch, size);
    if (to == NULL)
        return buffer_check(scratch, err);
    for (size_t i = 0; i < size; i++) {
        unsigned high;
        unsigned low;

        if (!parse_digit(text.data[2 + 2 * i], &high) ||
            !parse_digit(text.data[3 + 2 * i], &low))
            return not_printed("bytea", text, err);
        to[i] = (uint8_t)(high << 4 | low);
    }
    scratch->size = size;
    out->bytes = buffer_view(scratch);
    return STATUS_OK;
}

static bool is_uuid(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        unsigned digit;

        if (hyphen ? text.data[i] != '-' : !parse_digit(text.data[i], &digit))
            return false;
    }
    return text.size == UUID_SIZE;
}

/* Of what the server is to be believed only this is looked at: row keys depend on what a
 * numeric is, and text that is cut is mostly found. */
static bool is_typed_text(enum fleet_type type, struct bytes text)
{
    switch (type) {
    case FLEET_NUMERIC:
        return is_not_finite(text) || is_decimal(text, false);
    case FLEET_UUID:
        return is_uuid(text);
    case FLEET_ARRAY:
        return text.size >= 2 && (text.data[0] == '{' || text.data[0] == '[') &&
               text.data[text.size - 1] == '}';
    case FLEET_OTHER:
        return true;
    default:
        return text.size > 0;
    }
}

static const char *const type_names[FLEET_TYPES] = {
    [FLEET_ANY] = "value",
    [FLEET_INTEGER] = "integer",
    [FLEET_REAL] = "double",
    [FLEET_TEXT] = "text",
    [FLEET_BLOB] = "bytea",
    [FLEET_NUMERIC] = "numeric",
    [FLEET_BOOLEAN] = "boolean",
    [FLEET_DATE] = "date",
    [FLEET_TIME] = "time",
    [FLEET_TIMESTAMP] = "timestamp",
    [FLEET_TIMESTAMPTZ] = "timestamptz",
    [FLEET_INTERVAL] = "interval",
    [FLEET_UUID] = "uuid",
    [FLEET_JSON] = "json",
    [FLEET_JSONB] = "jsonb",
    [FLEET_ARRAY] = "array",
    [FLEET_OTHER] = "value",
};

static bool has_zero(struct bytes text)
{
    return text.size > 0 && memchr(text.data, 0, text.size) != NULL;
}

enum status postgres_value_take(enum fleet_type type, struct bytes text,
                                struct buffer *scratch, struct value *out,
                                struct error *err)
{
    struct value value = {.type = VALUE_TYPED, .typed = type, .bytes = text};
    bool printed = true;

    assert(type > FLEET_ANY);
    assert(type < FLEET_TYPES);
    if (text.data == NULL) {
        *out = (struct value){.type = VALUE_NULL};
        return STATUS_OK;
    }
    if (!fleet_type_is_typed(type))
        value = (struct value){.type = VALUE_INTEGER};
    switch (type) {
    case FLEET_INTEGER:
        printed = parse_integer(text, &value.integer);
        break;
    case FLEET_BOOLEAN:
        printed = is_word(text, "t") || is_word(text, "f");
        value.integer = is_word(text, "t");
        break;
    case FLEET_REAL:
        value.type = VALUE_REAL;
        printed = parse_real(text, &value.real);
        break;
    case FLEET_BLOB:
        value.type = VALUE_BLOB;
        if (take_blob(text, scratch, &value, err) != STATUS_OK)
            return scratch->failed ? STATUS_NO_MEMORY : STATUS_CORRUPT;
        break;
    case FLEET_TEXT:
        value = (struct value){.type = VALUE_TEXT, .bytes = text};
        printed = !has_zero(text);
        break;
    default:
        printed = is_typed_text(type, text) && !has_zero(text);
        break;
    }
    if (!printed)
        return not_printed(type_names[type], text, err);
    *out = value;
    return STATUS_OK;
}

/* ---- value to text */

static enum status no_such(const char *what, enum fleet_type type, struct error *err)
{
    static const char vowels[] = "aeiou";
    const char *name = type == FLEET_OTHER ? "other type" : type_names[type];

    return error_set(err, STATUS_CONSTRAINT, "%s is no value for %s %s column", what,
                     strchr(vowels, name[0]) != NULL ? "an" : "a", name);
}

static enum status put_formatted(struct buffer *scratch, const char *text, int size,
                                 struct bytes *out, struct error *err)
{
    assert(size > 0);
    buffer_put_bytes(scratch, (struct bytes){(const uint8_t *)text, (size_t)size});
    *out = buffer_view(scratch);
    return buffer_check(scratch, err);
}

static enum status integer_text(int64_t integer, enum fleet_type type,
                                struct buffer *scratch, struct bytes *out,
                                struct error *err)
{
    char text[REAL_TEXT_MAX];
    int size = snprintf(text, sizeof text, "%" PRId64, integer);

    if (type == FLEET_BLOB)
        return no_such("a number", type, err);
    if (type == FLEET_BOOLEAN) {
        if (integer != 0 && integer != 1)
            return no_such(text, type, err);
        *out = bytes_of_text(integer == 0 ? "f" : "t");
        return STATUS_OK;
    }
    return put_formatted(scratch, text, size, out, err);
}

/* The shortest text that is the same double, as Postgres spells what is not finite. With
 * 15 digits %g drops those that are not needed, but for subnormal numbers, which have
 * fewer. */
static int print_real(char text[REAL_TEXT_MAX], double real)
{
    int digits = fpclassify(real) == FP_SUBNORMAL ? 1 : 15;
    int size;

    if (!isfinite(real)) {
        return snprintf(text, REAL_TEXT_MAX, "%s",
                        isnan(real) ? "NaN"
                        : real > 0  ? "Infinity"
                                    : "-Infinity");
    }
    do {
        size = snprintf(text, REAL_TEXT_MAX, "%.*g", digits++, real);
    } while (digits <= 17 && strtod(text, NULL) != real);
    return size;
}

static enum status real_text(double real, enum fleet_type type, struct buffer *scratch,
                             struct bytes *out, struct error *err)
{
    char text[REAL_TEXT_MAX];
    int size = print_real(text, real);

    if (type == FLEET_BLOB)
        return no_such("a number", type, err);
    if (type == FLEET_INTEGER || type == FLEET_BOOLEAN) {
        if (!(real >= -0x1p63 && real < 0x1p63 && trunc(real) == real))
            return no_such(text, type, err);
        return integer_text((int64_t)real, type, scratch, out, err);
    }
    return put_formatted(scratch, text, size, out, err);
}

static enum status blob_text(struct bytes blob, enum fleet_type type,
                             struct buffer *scratch, struct bytes *out, struct error *err)
{
    uint8_t *to;

    if (type != FLEET_BLOB)
        return no_such("a blob", type, err);
    buffer_put_bytes(scratch, bytes_of_text("\\x"));
    to = blob.size > SIZE_MAX / 2 ? NULL : buffer_reserve(scratch, 2 * blob.size);
    if (to == NULL)
        return error_set(err, STATUS_NO_MEMORY, "a blob as text: out of memory");
    for (size_t i = 0; i < blob.size; i++) {
        to[2 * i] = (uint8_t)hex_digits[blob.data[i] >> 4];
        to[2 * i + 1] = (uint8_t)hex_digits[blob.data[i] & 15];
    }
    scratch->size += 2 * blob.size;
    *out = buffer_view(scratch);
    return STATUS_OK;
}

static enum status own_text(struct bytes text, enum fleet_type type, struct bytes *out,
                            struct error *err)
{
    if (type == FLEET_BLOB)
        return no_such("text", type, err);
    if (has_zero(text))
        return error_set(err, STATUS_CONSTRAINT,
                         "text with a zero byte, which Postgres has no place for");
    if (!bytes_are_utf8(text))
        return error_set(err, STATUS_CONSTRAINT, "text that is not UTF-8");
    *out = text.size > 0 ? text : bytes_of_text("");
    return STATUS_OK;
}

enum status postgres_value_text(const struct value *value, enum fleet_type type,
                                struct buffer *scratch, struct bytes *text,
                                struct error *err)
{
    assert(value->type != VALUE_KEY);
    assert(type > FLEET_ANY);
    assert(type < FLEET_TYPES);
    buffer_clear(scratch);
    switch (value->type) {
    case VALUE_INTEGER:
        return integer_text(value->integer, type, scratch, text, err);
    case VALUE_REAL:
        return real_text(value->real, type, scratch, text, err);
    case VALUE_BLOB:
        return blob_text(value->bytes, type, scratch, text, err);
    case VALUE_TEXT:
    case VALUE_TYPED:
        return own_text(value->bytes, type, text, err);
    case VALUE_NULL:
    case VALUE_KEY:
    case VALUE_ABSENT:
        break;
    }
    *text = (struct bytes){NULL, 0};
    return STATUS_OK;
}
