/* What the files of shown share; nobody else includes this. */
#ifndef NODE_SHOWN_PRIVATE_H
#define NODE_SHOWN_PRIVATE_H

#include "node/shown.h"
#include "node/shown_question.h"

/* Where the images come from. */
struct shown_source {
    const struct definition *definition;
    size_t table;
};

struct shown {
    const struct catalog *catalog;
    bool foreign_keys;
    uint32_t *group;                   /* owned: of each table */
    char **lacks;                      /* owned: of each table, or NULL */
    struct postgres *asked;            /* NULL: the database is one of SQLite's */
    struct stored **stored;            /* owned: of each table of Postgres's, or NULL */
    struct shown_question **questions; /* the same; NULL: none */
    struct sqlite_database *scratch;   /* an unlinked file */
    sqlite3_stmt *add_row;
    sqlite3_stmt *add_image;
    sqlite3_stmt *find;
    sqlite3_stmt *mark;
    sqlite3_stmt *set_fate;
    struct shown_source *sources; /* owned */
    size_t source_count;
    size_t source_capacity;
    struct buffer born;
    int64_t last_id;
    bool settled;
};

/* Whether the table has a column more, "rowferry id": one that is as wide as SQLite's
 * tables get has no room for it. */
bool shown_has_id(const struct shown *shown, size_t table);

/* The table of a foreign key's parent; -1: it is not replicated, so the key does not
 * count. */
int64_t shown_find_parent(const struct shown *shown, const struct foreign_key *key);

/* Append the quoted name that a table or column has in the scratch database. */
void shown_put_name(const struct shown *shown, struct buffer *sql, const char *name);

/* Whether the table in the scratch database has the column. */
bool shown_has_column(const struct shown *shown, size_t table, uint32_t column);

/* Of Postgres's: make the table there; turn a value into what it holds (a view that lives
 * until the next call for the column; CONSTRAINT: the column takes no such value). */
MUST_CHECK enum status shown_make_postgres(struct shown *shown, size_t table,
                                           struct error *err);
MUST_CHECK enum status shown_canonical(struct shown *shown, size_t table, uint32_t column,
                                       struct value *value, struct error *err);

MUST_CHECK enum status shown_set_fate(struct shown *shown, int64_t id,
                                      enum shown_fate fate, struct error *err);

/* Place the rows of one table, whose parents' groups are final; hide those of a group
 * that miss a parent in it (shown_place.c). */
MUST_CHECK enum status shown_place_table(struct shown *shown, size_t table,
                                         struct error *err);
MUST_CHECK enum status shown_hide_orphans(struct shown *shown, uint32_t group,
                                          struct error *err);

#endif
