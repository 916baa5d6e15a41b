/* What the files of one writer share; nobody else includes this. */
#ifndef APPLY_SQLITE_WRITER_PRIVATE_H
#define APPLY_SQLITE_WRITER_PRIVATE_H

#include "apply/sqlite_writer.h"
#include "engine/sqlite_stored.h"

/* How images under one definition meet the own columns. */
struct mapping {
    const struct definition *from;
    int32_t *own;     /* by the image's place: the own place, or below 0 */
    bool key_differs; /* other key columns, or in another order */
    bool lacks;       /* the own table stores columns that these images lack */
    struct mapping *next;
};

/* A statement for rows with the same columns present. */
enum variant_kind { VARIANT_INSERT, VARIANT_INSERT_SCRATCH, VARIANT_UPDATE };

struct variant {
    enum variant_kind kind;
    bool *present; /* by own place */
    sqlite3_stmt *statement;
    bool nothing; /* an update of no column */
    struct variant *next;
};

enum { VARIANTS_MAX = 16 };

struct sqlite_writer {
    struct sqlite_database *database;
    const struct definition *definition;
    const struct column **columns; /* by own place */
    uint32_t *key_places;          /* own places of the key's columns, in key order */
    struct sqlite_stored *stored;  /* opened when first needed */
    struct mapping *mappings;      /* the last used first */
    struct variant *variants;      /* the last used first */
    uint32_t variant_count;
    struct image image, held;
    struct value *values; /* the row at hand */
    bool *present;
    bool guarded;
    bool utf16;
    bool or_abort; /* a constraint says ON CONFLICT: the plain statement would obey it */
    bool key_is_unique; /* two keys may be one to the engine */
    sqlite3_stmt *remove, *find, *read, *savepoint, *release, *undo;
    struct buffer sql;
};

void sqlite_variant_close(struct variant *variant);

/* writer->stored, opened when first needed. */
MUST_CHECK enum status sqlite_writer_stored(struct sqlite_writer *writer,
                                            struct error *err);

#endif
