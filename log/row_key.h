/* Primary keys in their one canonical form, and how they become LMDB keys.
 *
 * Canonical: an integral real or numeric within int64 is an integer, every other typed
 * text is text, that of a numeric without trailing zeros: a key says what a row is
 * called, not by which engine's type. Two keys are the same row when their bytes are
 * equal. The form sorts: integers, then reals, text, blobs; each by value, composite keys
 * column by column.
 *
 *   0x10  8 bytes, big-endian, sign bit flipped                        integer
 *   0x20  8 bytes, IEEE bits; negative: all flipped, else sign flipped   real
 *   0x30  bytes with 00 as 00 FF, then 00 00                             text
 *   0x40  the same                                                       blob
 *
 * As part of an LMDB key a row key over ROW_KEY_PLAIN_MAX bytes becomes its first
 * ROW_KEY_PREFIX bytes + BLAKE2b-256 of all of it, and the record keeps the whole key. */
#ifndef LOG_ROW_KEY_H
#define LOG_ROW_KEY_H

#include "log/value.h"

enum {
    ROW_KEY_PLAIN_MAX = 400,
    ROW_KEY_PREFIX = 368,
    /* The prefix and the hash: the same size, told apart by the record. */
    ROW_KEY_LMDB_MAX = 400,
};

/* Append one key column. REFUSED: NULL or absent, which no key may have. */
MUST_CHECK enum status row_key_put(struct buffer *out, const struct value *value,
                                   struct error *err);

/* Take one key column. Escaped text is unescaped into scratch: cleared by the caller,
 * kept until the value is done with, and each column's own, or views of earlier ones
 * would move. CORRUPT: cut, or not canonical. NO_MEMORY. */
MUST_CHECK enum status row_key_take(struct bytes *in, struct value *out,
                                    struct buffer *scratch, struct error *err);

/* The value that a key holds for this one, never typed text; its bytes are a view into
 * value's. NULL, absent and KEY stay as they are. */
struct value row_key_canonical(const struct value *value);

/* Whether the key column decodes to exactly this value. */
bool row_key_is_exact(const struct value *value);

/* The LMDB form: key itself when short, else prefix + hash written into out. */
struct bytes row_key_lmdb(struct bytes key, uint8_t out[ROW_KEY_LMDB_MAX]);

#endif
