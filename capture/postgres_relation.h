/* One relation of a stream of pgoutput: its columns as the stream told of them, and its
 * rows' values. Shared by postgres_relation.c and postgres_relations.c. */
#ifndef CAPTURE_POSTGRES_RELATION_H
#define CAPTURE_POSTGRES_RELATION_H

#include "capture/postgres_relations.h"

struct relation_column {
    const char *name;
    const char *declared; /* format_type() */
    enum fleet_type type;
    bool in_identity;
};

struct postgres_relation {
    uint32_t oid;
    enum pgoutput_identity identity;
    PGresult *columns_told; /* what the server says of the columns; owns their texts */
    char *names;            /* owned: the columns' names, each with its NUL */
    const char *local_name; /* in columns_told */
    struct relation_column *columns;
    uint16_t column_count;
    struct table table; /* what its rows are written under; id 0: not known yet */
    struct row_layer *layer;
    int32_t *places; /* by column: place in an image */
    struct value *old_values;
    struct buffer *scratch; /* by column; then the same for the old values */
};

/* Ask the server what a RELATION message's columns are. On success the caller closes it.
 */
MUST_CHECK enum status postgres_relation_open(struct postgres_relation **out,
                                              struct postgres *postgres,
                                              const struct pgoutput_message *message,
                                              struct error *err);
void postgres_relation_close(struct postgres_relation *relation); /* NULL is allowed */

/* Whether the definition's columns that pgoutput tells of are the relation's. */
bool postgres_relation_fits(const struct postgres_relation *relation,
                            const struct definition *definition);

/* A copy of pattern with the relation's columns, for definition_close(). REFUSED: its key
 * has lost a column. */
MUST_CHECK enum status postgres_relation_reshape(const struct postgres_relation *relation,
                                                 const struct definition *pattern,
                                                 struct definition **out,
                                                 struct error *err);

/* Take rows under this logged definition, which fits, from now on. */
MUST_CHECK enum status postgres_relation_use(struct postgres_relation *relation,
                                             struct postgres *postgres,
                                             struct store_txn *txn,
                                             const struct table *table,
                                             struct error *err);

#endif
