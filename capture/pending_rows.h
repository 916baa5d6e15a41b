/* Rows by table and key in memory, each as an entry's changes so far have left it: what
 * of capture/pending.h there is room for. */
#ifndef CAPTURE_PENDING_ROWS_H
#define CAPTURE_PENDING_ROWS_H

#include "log/buffer.h"
#include "log/change.h"

enum { PENDING_ROWS_BYTES_MAX = 8 << 20 };

/* Public for the walk over rows[0] to rows[count - 1], in no order that matters. */
struct pending_row {
    uint64_t hash;
    uint32_t table;
    uint32_t definition;
    struct version born;
    bool live;
    size_t at; /* in bytes: the key, then the image */
    size_t key_size;
    size_t image_size;
};

struct pending_rows {
    struct pending_row *rows; /* owned */
    uint32_t *slots;          /* owned: index of a row and 1, or 0; by hash */
    uint32_t count;
    uint32_t capacity;   /* of rows */
    uint32_t slot_count; /* a power of two, at least twice the capacity */
    struct buffer bytes; /* what rows were before stays in it, too */
};

/* All zeroes is empty. */
void pending_rows_release(struct pending_rows *rows);
void pending_rows_clear(struct pending_rows *rows); /* takes as long as rows are many */

/* FULL: the rows would take more than PENDING_ROWS_BYTES_MAX; nothing was done. Views
 * that were given before end. */
MUST_CHECK enum status pending_rows_put(struct pending_rows *rows, uint32_t table,
                                        const struct change *change, struct error *err);

/* NULL: not there. A view, until the next put or clear. */
const struct pending_row *pending_rows_find(const struct pending_rows *rows,
                                            uint32_t table, struct bytes key);
struct bytes pending_row_key(const struct pending_rows *rows,
                             const struct pending_row *row);
struct bytes pending_row_image(const struct pending_rows *rows,
                               const struct pending_row *row);

#endif
