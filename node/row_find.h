/* Finding a row by what a person types: the table's name and its key as words. */
#ifndef NODE_ROW_FIND_H
#define NODE_ROW_FIND_H

#include "log/rows.h"

struct found_row {
    struct table table;
    struct buffer key; /* owned */
};

void found_row_init(struct found_row *found);
void found_row_release(struct found_row *found);

/* The table: by its fleet name, else without case when unique. NOT_FOUND: names those
 * that there are. */
MUST_CHECK enum status row_find_table(struct store_txn *txn, const char *name,
                                      struct table *out, struct error *err);

/* The row, live or deleted, whose key these words mean: one a key column, read as the
 * column would store them; x'00ff' is a blob. USAGE: not as many as key columns.
 * NOT_FOUND. */
MUST_CHECK enum status row_find(struct store_txn *txn, const char *table,
                                const char *const *words, size_t word_count,
                                struct found_row *out, struct error *err);

/* What a word most likely means in a column of this type. out's bytes are the word's, or
 * those of *memory, to be freed by the caller after either. */
MUST_CHECK enum status row_find_word(const char *word, enum fleet_type type,
                                     struct value *out, uint8_t **memory,
                                     struct error *err);

/* The column at a place, from 1, of the key; NULL: there is none. */
const struct column *row_find_key_column(const struct definition *definition,
                                         uint32_t position);

#endif
