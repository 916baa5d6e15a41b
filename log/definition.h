/* What a table is: columns, key, constraints, and the DDL of the dialect it comes from.
 *
 * An origin numbers its definitions 1, 2, 3 … and logs each in an entry of kind `tables`
 * before the first change that uses it. A table that changes gets a new number; a
 * definition never changes once logged. */
#ifndef LOG_DEFINITION_H
#define LOG_DEFINITION_H

#include "log/definition_codec.h"
#include "log/value.h"

enum dialect { DIALECT_SQLITE = 1, DIALECT_POSTGRES = 2 };

enum {
    DEFINITION_COLUMNS_MAX = 32767, /* SQLite's upper limit */
    DEFINITION_KEYS_MAX = 1000,     /* constraints of one kind */
};

enum column_generated { GENERATED_NO = 0, GENERATED_VIRTUAL = 1, GENERATED_STORED = 2 };

struct column {
    const char *name;
    const char *declared_type; /* "" when none */
    const char *default_sql;   /* NULL when none */
    const char *collation;     /* "BINARY", "NOCASE", … ; "" when the engine has none */
    enum fleet_type type;
    enum column_generated generated;
    bool not_null;
    uint32_t key_position; /* place in the primary key, from 1; 0 when not in it */
};

/* A unique constraint or index. A term is a column's name or an expression in the
 * dialect. */
struct unique_key {
    const char *name;      /* the index's, "" when unnamed */
    const char *where_sql; /* partial index: its condition; NULL when none */
    const char **terms;
    const char **collations; /* one for each term */
    bool *is_expression;
    uint32_t term_count;
    bool is_primary;  /* the primary key itself, listed since the engine compares it
                         otherwise than as bytes */
    bool nulls_equal; /* two NULLs are one value (NULLS NOT DISTINCT) */
    bool deferrable;  /* may be checked as late as at the commit, or by nobody */
};

struct foreign_key {
    const char *name;   /* "" when unnamed */
    const char *parent; /* the parent's fleet name */
    const char **columns;
    const char **parent_columns;
    uint32_t column_count;
    bool counts; /* the origin's database keeps to it: its children show their parents */
};

struct definition {
    uint32_t number;        /* the origin's own, from 1 */
    const char *name;       /* the fleet's name of the table */
    const char *local_name; /* the origin's own name of it, as the database spells it */
    enum dialect dialect;
    const char *ddl; /* statements that make it (CREATE TABLE, indexes, triggers), each
                        ended by ";\n"; run in the given order */
    struct column *columns;
    uint32_t column_count;
    uint32_t stored_count; /* columns that are not generated: what an image has */
    uint32_t key_count;    /* columns of the primary key */
    struct unique_key *uniques;
    uint32_t unique_count;
    struct foreign_key *foreign_keys;
    uint32_t foreign_key_count;
    bool without_rowid;
    bool strict;
    void *memory; /* Private: what definition_decode allocated. */
};

/* -1 when there is none. Exact names. Index into columns. */
int32_t definition_find_column(const struct definition *definition, const char *name);

/* The column of `to` that means the same as a column of `from`: that of the same name,
 * else the one of the same name but for the case of ASCII letters, when on either side
 * only one such column is left by those that match exactly. -1: none. The other way round
 * it gives the same pairs. */
int32_t definition_map_column(const struct definition *from, uint32_t column,
                              const struct definition *to);

/* Place of a column in an image: columns that are not generated, counted from 0; -1 for a
 * generated one. */
int32_t definition_image_place(const struct definition *definition, uint32_t column);

/* What text in a row key is to a key column of this definition: in a Postgres one the
 * column's fleet type when it is a typed one, else FLEET_ANY: plain text. */
enum fleet_type definition_key_type(const struct definition *definition,
                                    const struct column *column);

/* Whether both have the same stored columns under the same names in the same order, and
 * the same key of the same key types, so that images of one can be compared with the
 * other's as bytes. */
bool definition_same_image(const struct definition *a, const struct definition *b);

/* Equal in everything but number. */
bool definition_equal(const struct definition *a, const struct definition *b);

#endif
