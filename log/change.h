/* One row's insert, update or delete, as an entry's body carries it. */
#ifndef LOG_CHANGE_H
#define LOG_CHANGE_H

#include "log/value.h"
#include "log/version.h"

enum change_op { CHANGE_INSERT = 1, CHANGE_UPDATE = 2, CHANGE_DELETE = 3 };

struct change {
    enum change_op op;
    uint32_t definition; /* the origin's number */
    struct bytes key;    /* canonical */
    bool has_born;       /* else this change itself began the row's life */
    struct version born;
    bool has_unseen; /* a winner that the database had not taken (parked, quarantined) */
    uint64_t unseen_origin;
    uint64_t unseen_seq;
    struct bytes image;  /* full after-image; empty for a delete */
    struct bytes before; /* changed columns: (image place varint, value)*, ascending;
                            update: values before; delete: all columns; insert: empty */
};

/* Append one item: size varint, then the change. */
void change_put(struct buffer *out, const struct change *change);

/* Take one item from the front of a body. Views point into *in. CORRUPT: cut, unknown op
 * or flag, no key, an image where none may be. The image itself is checked by
 * image_decode(). */
MUST_CHECK enum status change_take(struct bytes *in, struct change *out,
                                   struct error *err);

/* Take one (image place, value) from the front of a `before`, until it is empty. The
 * value may be VALUE_KEY: then it is what the key says to the column. CORRUPT. */
MUST_CHECK enum status change_take_before(struct bytes *before, uint32_t *place,
                                          struct value *out, struct error *err);

#endif
