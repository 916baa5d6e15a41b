/* What the files of one writer share; nobody else includes this. */
#ifndef APPLY_SQLITE_WRITER_PRIVATE_H
#define APPLY_SQLITE_WRITER_PRIVATE_H

#include "apply/row_map.h"
#include "apply/sqlite_writer.h"
#include "engine/sqlite_stored.h"

/* A statement that writes certain columns. */
enum variant_kind { VARIANT_INSERT, VARIANT_INSERT_SCRATCH, VARIANT_UPDATE };

struct variant {
    enum variant_kind kind;
    bool *columns; /* by own place */
    sqlite3_stmt *statement;
    struct variant *next;
};

enum { VARIANTS_MAX = 16 };

struct sqlite_writer {
    struct sqlite_database *database;
    const struct definition *definition;
    const struct column **columns; /* by own place */
    uint32_t *key_places;          /* own places of the key's columns, in key order */
    struct stored *stored;         /* opened when first needed */
    struct row_map *maps;
    struct variant *variants; /* the last used first */
    uint32_t variant_count;
    struct image image, held;
    struct value *values; /* the row at hand */
    bool *present;        /* columns of an insert */
    bool *differs;        /* columns of an update */
    bool guarded;
    bool utf16;
    bool or_abort; /* a constraint says ON CONFLICT: the plain statement would obey it */
    /* The primary key is among the definition's unique constraints: two keys may be one
     * to the engine, or another key was chosen. */
    bool primary_is_unique;
    sqlite3_stmt *remove, *find, *read, *savepoint, *release, *undo;
    struct buffer sql;
};

void sqlite_variant_close(struct variant *variant);

/* The statement for these columns: one that is prepared already, or NULL; or prepared
 * now, the one that was not used for longest given back for it. NULL with a result that
 * is not DONE: the engine can't even prepare it. */
struct variant *sqlite_variant_known(struct sqlite_writer *writer, enum variant_kind kind,
                                     const bool *columns);
MUST_CHECK enum status sqlite_variant_find(struct sqlite_writer *writer,
                                           enum variant_kind kind, const bool *columns,
                                           struct variant **out,
                                           enum write_result *result, struct error *err);

/* Put the text of an update of these columns, of which there is one, into writer->sql. */
void sqlite_writer_put_update(struct sqlite_writer *writer, const bool *columns);

/* Stand on the user's row at hand; the caller resets writer->read. */
MUST_CHECK enum status sqlite_writer_read(struct sqlite_writer *writer,
                                          struct error *err);

/* writer->stored, opened when first needed. */
MUST_CHECK enum status sqlite_writer_stored(struct sqlite_writer *writer,
                                            struct error *err);

#endif
