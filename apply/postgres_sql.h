/* Pieces of SQL about one table of Postgres, parameters, and what comes back: for
 * statements about single rows. */
#ifndef APPLY_POSTGRES_SQL_H
#define APPLY_POSTGRES_SQL_H

#include "apply/postgres_writer.h"

void postgres_sql_put(struct buffer *sql, const char *text);
/* before, then the number: "c", 3 is c3. */
void postgres_sql_number(struct buffer *sql, const char *before, uint64_t number);

/* "alias.a, alias.b": the stored columns; those of the key, in its order. alias: "" for
 * none. */
void postgres_sql_stored(struct buffer *sql, const struct definition *definition,
                         const char *alias);
void postgres_sql_key(struct buffer *sql, const struct definition *definition,
                      const char *alias);
const struct column *postgres_sql_key_column(const struct definition *definition,
                                             uint32_t place);

/* "alias.k = $N::type AND …", parameters from first on: postgres_sql_add_key(). */
void postgres_sql_key_match(struct buffer *sql, const struct postgres_writer *writer,
                            const char *alias, uint32_t first);

/* ---- running */

/* For the rest of the transaction: the search_path that the role has in this database,
 * for functions of triggers and checks that name things by it; and that of all our SQL.
 * Where both may be, operators and functions are written with their schema. */
#define POSTGRES_OWN_PATH "SET LOCAL search_path TO DEFAULT"
#define POSTGRES_OUR_PATH "SET LOCAL search_path TO pg_catalog"

/* Parameters of one statement, as text. All zeroes is none. */
struct postgres_arguments {
    struct buffer texts, offsets; /* owned */
    const char **list;            /* owned */
    int count;
    bool own_path; /* what a write makes run is to find names by POSTGRES_OWN_PATH */
};

void postgres_arguments_release(struct postgres_arguments *arguments);

void postgres_sql_add_number(struct postgres_arguments *arguments, int64_t number);
/* The writer's value at hand of this place. *result REFUSED: it has no text that the
 * server takes, err says why. */
MUST_CHECK enum status postgres_sql_add_value(struct postgres_arguments *arguments,
                                              struct postgres_writer *writer,
                                              uint32_t place, enum write_result *result,
                                              struct error *err);
MUST_CHECK enum status postgres_sql_add_key(struct postgres_arguments *arguments,
                                            struct postgres_writer *writer,
                                            struct error *err);

/* Run sql, which is then empty; arguments: NULL for none, else released. out: NULL, or
 * the result, the caller's on success. what: for the message. */
MUST_CHECK enum status postgres_sql_run(struct postgres *postgres, struct buffer *sql,
                                        struct postgres_arguments *arguments,
                                        const char *what, PGresult **out,
                                        struct error *err);

/* The same in a savepoint, of a statement that writes; before: NULL, or a statement that
 * comes first, outside of the savepoint. *result: DONE; or what the server
 * has against it, and the transaction is as it was. *rows: how many it wrote. */
MUST_CHECK enum status postgres_sql_try(struct postgres *postgres, const char *before,
                                        struct buffer *sql,
                                        struct postgres_arguments *arguments,
                                        const char *what, uint64_t *rows,
                                        enum write_result *result, struct error *err);

/* The first column of the first row: whether it is true. With result: in a savepoint, and
 * *result is REFUSED when the server does not take a parameter. */
MUST_CHECK enum status postgres_sql_ask(struct postgres *postgres, struct buffer *sql,
                                        struct postgres_arguments *arguments,
                                        const char *what, bool *yes,
                                        enum write_result *result, struct error *err);

/* Append the canonical key of a row whose fields from 0 on are the key's. REFUSED: NULL
 * in it. */
MUST_CHECK enum status postgres_sql_take_key(struct buffer *key, const PGresult *rows,
                                             int row, const struct definition *definition,
                                             struct error *err);

#endif
