/* One column's value, and the image of a row: its values one after another.
 *
 * A value's bytes (an image is their concatenation, in the order of the definition's
 * stored columns):
 *
 *   tag 0           null
 *   tag 1  varint   integer, zigzag
 *   tag 2  8 bytes  real, IEEE 754 bits big-endian (-0 and every NaN as is)
 *   tag 3  sized    text, UTF-8 as the engine gave it (may be invalid)
 *   tag 4  sized    blob
 *   tag 5  1 + sized  typed text: fleet type, then the text as Postgres prints it
 *   tag 6           the value that the row's key has for this column, exactly
 *   tag 7           absent: the origin's database has or sent no such column
 *
 * Tag 6 keeps keys from being stored twice; it is used when, and only when, the key says
 * the very same value to this column of the image's definition (log/image.h). */
#ifndef LOG_VALUE_H
#define LOG_VALUE_H

#include "log/buffer.h"

enum value_type {
    VALUE_NULL = 0,
    VALUE_INTEGER = 1,
    VALUE_REAL = 2,
    VALUE_TEXT = 3,
    VALUE_BLOB = 4,
    VALUE_TYPED = 5,
    VALUE_KEY = 6, /* in encoded images only */
    VALUE_ABSENT = 7,
};

/* What a column is to the fleet, whatever the engine calls it. */
enum fleet_type {
    FLEET_ANY = 0, /* SQLite's: each value has its own type */
    FLEET_INTEGER = 1,
    FLEET_REAL = 2,
    FLEET_TEXT = 3,
    FLEET_BLOB = 4,
    FLEET_NUMERIC = 5,
    FLEET_BOOLEAN = 6,
    FLEET_DATE = 7,
    FLEET_TIME = 8,
    FLEET_TIMESTAMP = 9,
    FLEET_TIMESTAMPTZ = 10,
    FLEET_INTERVAL = 11,
    FLEET_UUID = 12,
    FLEET_JSON = 13,
    FLEET_JSONB = 14,
    FLEET_ARRAY = 15,
    FLEET_OTHER = 16,
    FLEET_TYPES,
};

/* Whether a Postgres column of this type holds typed text: what no other value type
 * says. */
bool fleet_type_is_typed(enum fleet_type type);

struct value {
    enum value_type type;
    enum fleet_type typed; /* for VALUE_TYPED */
    int64_t integer;
    double real;
    struct bytes bytes; /* TEXT, BLOB, TYPED: a view */
};

void value_put(struct buffer *out, const struct value *value);

/* Take one value; views point into *in. CORRUPT: an unknown tag or fleet type, or cut. */
MUST_CHECK enum status value_take(struct bytes *in, struct value *out, struct error *err);

/* Same type and same bits (a real's too). */
bool value_equal(const struct value *a, const struct value *b);

#endif
