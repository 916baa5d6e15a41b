/* What a value becomes when an engine stores it in a column of one of its tables: what
 * comparing a row with an image has to ask of the engine. sqlite_stored_open() makes one.
 *
 * Columns are named by their place in an image of the table's own definition. */
#ifndef ENGINE_STORED_H
#define ENGINE_STORED_H

#include "log/error.h"
#include "log/value.h"

#include <stdbool.h>
#include <stdint.h>

struct stored {
    const struct stored_ops *ops;
};

struct stored_ops {
    /* Whether a value of this type that is still of this type when stored in the column
     * is the same value. */
    bool (*keeps)(const struct stored *stored, uint32_t place, enum value_type type);

    /* What value becomes. *out lives until the next call for the same column. CONSTRAINT:
     * the column does not take it. */
    enum status (*value)(struct stored *stored, uint32_t place, const struct value *value,
                         struct value *out, struct error *err);

    /* The column's default. *out lives until the close. NOT_FOUND, a plain answer: it is
     * not a constant. */
    enum status (*default_value)(struct stored *stored, uint32_t place, struct value *out,
                                 struct error *err);

    void (*close)(struct stored *stored);
};

/* NULL is allowed. */
void stored_close(struct stored *stored);

#endif
