/* What schema.c, schema_sqlite.c, schema_postgres.c and schema_expression.c share. */
#ifndef ENGINE_SCHEMA_PRIVATE_H
#define ENGINE_SCHEMA_PRIVATE_H

#include "engine/schema.h"

void schema_put_text(struct buffer *sql, const char *text);
/* "name" with inner quotes doubled, which both dialects read; 'text' likewise. */
void schema_put_name(struct buffer *sql, const char *name);
void schema_put_literal(struct buffer *sql, struct bytes text);

/* " (a, b)"; ",\n    PRIMARY KEY (a, b)". */
void schema_put_names(struct buffer *sql, const char *const *names, uint32_t count);
void schema_put_key(struct buffer *sql, const struct definition *definition);

/* A line "table.column: what"; column may be NULL. */
void schema_note(struct schema_text *text, const struct definition *definition,
                 const char *column, const char *what);

/* Append an expression over the definition's columns in the other dialect, if it surely
 * means the same there; false leaves out as it was. */
bool schema_put_expression(struct buffer *out, const char *sql,
                           const struct definition *definition);

/* A default that is one literal: a number, a text, a blob, a truth value, NULL, with or
 * without casts and parentheses. */
struct schema_literal {
    enum value_type type; /* INTEGER stands for any number: bytes are its digits */
    bool is_truth;        /* TRUE, FALSE: bytes are "1", "0" */
    struct buffer bytes;  /* of a blob its hexadecimal digits */
};

/* False: it is something else. The caller releases literal->bytes either way. */
bool schema_take_literal(const char *sql, struct schema_literal *literal);

/* Whether the text of a default is one of the names of this very moment: now(),
 * CURRENT_TIMESTAMP … */
bool schema_is_now(const char *sql);

void schema_put_sqlite(struct schema_text *text, const struct definition *definition);
enum status schema_put_postgres(struct schema_text *text,
                                const struct definition *definition, struct error *err);

#endif
