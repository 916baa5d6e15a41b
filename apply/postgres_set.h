/* Rows of one table that one statement deletes, inserts or updates: their columns go to
 * the server as arrays of text, or of new rows by COPY. Chosen by measurement, see
 * docs/PERFORMANCE.md.
 *
 * A row is added from the writer's hand. Whether the server took the statement whole is
 * the caller's to see: after a failure it can run any part of the set again. */
#ifndef APPLY_POSTGRES_SET_H
#define APPLY_POSTGRES_SET_H

#include "apply/postgres_guard.h"
#include "apply/postgres_refusal.h"
#include "apply/postgres_writer.h"

enum set_kind {
    SET_DELETE,
    SET_INSERT, /* a row of the key that is there is updated, when the guard lets it */
    SET_UPDATE,
    SET_UPSERT, /* whatever is there, and whoever wrote it: into tables that only take */
};

enum {
    SET_ROWS_MAX = 4096,
    SET_BYTES_MAX = 1 << 20, /* about: a larger row goes alone */
};

struct postgres_set {
    struct postgres_writer *writer;
    enum set_kind kind;
    bool *columns;        /* owned: those that are sent, by own place; the key's always */
    bool *settable;       /* owned: those that an update sets */
    struct buffer *texts; /* owned, by own place: size 4 (-1: NULL) and text, as sent */
    struct buffer *offsets; /* owned, by own place: 4 each */
    uint32_t count;         /* rows */
    size_t bytes;
    struct buffer rows;                 /* what the caller keeps of each row, sized */
    struct buffer row_offsets;          /* 4 each */
    const struct postgres_guard *guard; /* NULL: nobody else can write */
    char statement[32];                 /* its name; "": not prepared */
    struct postgres_set *next;          /* the caller's */
};

/* columns: by own place; copied. On success the caller closes it. */
MUST_CHECK enum status postgres_set_open(struct postgres_set **out,
                                         struct postgres_writer *writer,
                                         enum set_kind kind, const bool *columns,
                                         const struct postgres_guard *guard,
                                         struct error *err);
void postgres_set_close(struct postgres_set *set); /* NULL is allowed */

/* Whether it is for such rows. */
bool postgres_set_is(const struct postgres_set *set, enum set_kind kind,
                     const bool *columns, const struct postgres_guard *guard);
bool postgres_set_is_full(const struct postgres_set *set);

/* Add the row at the writer's hand; note: what the caller wants to know of it later.
 * *result REFUSED: it is not added, err says why. */
MUST_CHECK enum status postgres_set_add(struct postgres_set *set, struct bytes note,
                                        enum write_result *result, struct error *err);
struct bytes postgres_set_note(const struct postgres_set *set, uint32_t row);

/* Run the statement for rows first .. first+count-1. *written: how many it touched, fewer
 * than count when the guard stopped some or they are not there. A failure is as
 * postgres_refusal() says, *kind what more is to be known of it. */
MUST_CHECK enum status postgres_set_run(struct postgres_set *set, uint32_t first,
                                        uint32_t count, uint32_t *written,
                                        enum refusal_kind *kind, struct error *err);
/* The same by COPY, for rows of which none is there, nobody else's either: one that is
 * fails it whole. Only into tables that take it (postgres_writer.copies). */
MUST_CHECK enum status postgres_set_copy(struct postgres_set *set, uint32_t first,
                                         uint32_t count, uint32_t *written,
                                         enum refusal_kind *kind, struct error *err);
void postgres_set_clear(struct postgres_set *set);

/* What a question says for a table of the set's keys, columns k0, k1 …, and n, which
 * counts the rows from 1, that it calls u,
 * and for the condition that t has the row's key. No name has such a byte. */
#define POSTGRES_SET_ROWS  "\001rows\001"
#define POSTGRES_SET_MATCH "\001match\001"

/* Ask a question about the rows of the set. On success *out is the caller's, for
 * PQclear(). */
MUST_CHECK enum status postgres_set_ask(const struct postgres_set *set, const char *sql,
                                        PGresult **out, struct error *err);

#endif
