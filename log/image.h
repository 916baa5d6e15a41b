/* Reading rows' images by the definition that they were written under.
 *
 * A row key has no types of text, so what it says to a column (VALUE_KEY) depends on the
 * column. To one that holds typed text in a Postgres definition (definition_key_type)
 * text is that typed text, and an integer is to a numeric one the typed text of its
 * digits, when that has the same key again. To every other column the key says its own
 * value. */
#ifndef LOG_IMAGE_H
#define LOG_IMAGE_H

#include "log/definition.h"
#include "log/row_key.h"

/* A decoded image: one value a stored column. Reused from row to row. */
struct image {
    struct value *values; /* owned array, then the key's (private); values are views into
                             the image's and key's bytes or into scratch */
    uint32_t count;
    uint32_t capacity;
    struct buffer *scratch; /* Private: text made of key columns, one buffer each. */
    uint32_t scratch_count;
};

void image_init(struct image *image);
void image_release(struct image *image);

/* Decode bytes under definition; VALUE_KEY columns are filled in from key. Views live as
 * long as both byte views and until the next decode. CORRUPT: not exactly the
 * definition's columns, or not this key's row. NO_MEMORY. */
MUST_CHECK enum status image_decode(struct image *image, struct bytes bytes,
                                    const struct definition *definition, struct bytes key,
                                    struct error *err);

/* The same for a row of which only the key is known (a delete): every other column is
 * absent. */
MUST_CHECK enum status image_decode_key(struct image *image,
                                        const struct definition *definition,
                                        struct bytes key, struct error *err);

/* Whether the key of a row with this value in its key column says exactly this value to
 * the column, so that the image has VALUE_KEY. */
bool image_key_is_exact(const struct definition *definition, const struct column *column,
                        const struct value *value);

/* Append the encoding of values (definition->stored_count of them); key columns whose
 * value the key holds exactly are written as VALUE_KEY. None of them may be NULL or
 * absent: image_key() tells. */
void image_encode(struct buffer *out, const struct value *values,
                  const struct definition *definition);

/* Append the canonical key of a row with these stored values. REFUSED: NULL in a key. */
MUST_CHECK enum status image_key(struct buffer *out, const struct value *values,
                                 const struct definition *definition, struct error *err);

/* Whether two images say the same of every column that both have. NULL bytes views
 * (data == NULL) mean "no row". CORRUPT as decode. */
MUST_CHECK enum status
image_same_content(struct bytes a, const struct definition *a_definition, struct bytes b,
                   const struct definition *b_definition, struct bytes key, bool *same,
                   struct error *err);

#endif
