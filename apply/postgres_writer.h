/* Rows of one Postgres table on their way in: an image under whatever definition becomes
 * values of the table's own stored columns, and those become text for the server.
 *
 * A row is put at hand first (map, or key). Within the caller's transaction. */
#ifndef APPLY_POSTGRES_WRITER_H
#define APPLY_POSTGRES_WRITER_H

#include "apply/row_map.h"
#include "apply/write_result.h"
#include "engine/postgres_connection.h"
#include "engine/stored.h"
#include "log/image.h"

/* Behind a value: its text, which is equal only to the same. */
#define POSTGRES_AS_TEXT "::pg_catalog.text COLLATE pg_catalog.\"C\""

/* What the statements need to know of a stored column. */
struct postgres_column {
    const struct column *column;
    char *type;     /* owned: to cast text to, without a length, a domain's base type */
    char *equals;   /* owned: "OPERATOR(s.=)", by which its index finds a key */
    bool inexact;   /* of a key: to that, other bytes may be equal */
    bool always;    /* GENERATED ALWAYS AS IDENTITY: an update can't set it */
    char *sequence; /* owned: that gives its numbers, as SQL; NULL: none does */
    const uint32_t *slot; /* the caller's: it gives numbers of this node's own, see
                             apply/postgres_numbers.h; NULL: it does not */
    int64_t counted; /* the largest number that was sent, of the slot's if there is one */
    int64_t advanced; /* the sequence is behind this one */
};

struct postgres_writer {
    struct postgres *postgres;
    const struct definition *definition;
    struct postgres_column *columns; /* by own place */
    uint32_t *key_places;            /* own places of the key's columns, in key order */
    struct stored *stored;           /* opened when first needed */
    struct row_map *maps;
    struct image image, held;
    struct value *values; /* the row at hand */
    bool arbiter;         /* its key's index is one that ON CONFLICT takes */
    bool copies;          /* COPY does to it what INSERT does */
    struct buffer scratch;
};

/* Whether an update can't change the column though it is no part of the key. */
static inline bool postgres_writer_is_fixed(const struct postgres_writer *writer,
                                            uint32_t place)
{
    const struct postgres_column *column = &writer->columns[place];

    return column->always && column->column->key_position == 0;
}

/* definition: the database's own; it must outlive the writer. NOT_FOUND: the table is not
 * as the definition says any more. On success the caller closes it. */
MUST_CHECK enum status postgres_writer_open(struct postgres_writer **out,
                                            struct postgres *postgres,
                                            const struct definition *definition,
                                            struct error *err);
void postgres_writer_close(struct postgres_writer *writer); /* NULL is allowed */

/* As sqlite_writer_map() and sqlite_writer_key(). */
MUST_CHECK enum status postgres_writer_map(struct postgres_writer *writer,
                                           const struct definition *from,
                                           struct bytes image, struct bytes key,
                                           enum write_result *result, struct error *err);
MUST_CHECK enum status postgres_writer_key(struct postgres_writer *writer,
                                           const struct definition *from,
                                           struct bytes key, enum write_result *result,
                                           struct error *err);

/* Fill in absent values at hand from an image of the row. *carried: there were some. */
MUST_CHECK enum status postgres_writer_carry(struct postgres_writer *writer,
                                             const struct definition *from,
                                             struct bytes image, struct bytes key,
                                             bool *carried, struct error *err);

/* Which values at hand are other than those of what the database holds, an image under
 * another definition: differs, by own place. What is absent never differs; what the image
 * lacks does. *any: one does. */
MUST_CHECK enum status postgres_writer_differ(struct postgres_writer *writer,
                                              const struct definition *from,
                                              struct bytes held, struct bytes key,
                                              bool *differs, bool *any,
                                              struct error *err);

/* The text that the value at hand of a column is; text->data == NULL is NULL. A view
 * until the next call. *result REFUSED: there is none, err says why. */
MUST_CHECK enum status postgres_writer_text(struct postgres_writer *writer,
                                            uint32_t place, struct bytes *text,
                                            enum write_result *result, struct error *err);

#endif
