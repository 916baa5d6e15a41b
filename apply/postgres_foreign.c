#include "apply/postgres_foreign.h"

#include "apply/postgres_other.h"
#include "apply/postgres_sql.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ORPHANS_AT_ONCE = 100 };

struct postgres_reference {
    struct postgres *postgres;
    PGresult *columns; /* one row for each of the key's: enum reference_field */
    bool full;         /* MATCH FULL */
    bool gone_made;    /* the TEMP table of parents' values that went away */
    PGresult *orphans; /* fetched, of the cursor that is open */
    int at;
    bool open;
};

static const char reference_sql[] =
    "SELECT quote_ident(s.nspname) || '.' || o.oprname,"
    " CASE WHEN l.oid IS NOT NULL THEN quote_ident(ls.nspname) || '.' ||"
    "  quote_ident(l.collname) END, f.confmatchtype = 'f',"
    " a.atttypid <> b.atttypid OR NOT coalesce(l.collisdeterministic, true)"
    " FROM pg_constraint f"
    " CROSS JOIN LATERAL unnest(f.conkey, f.confkey, f.conpfeqop) WITH ORDINALITY"
    "  AS k (child, parent, op, n)"
    " JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.child"
    " JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = k.parent"
    " JOIN pg_operator o ON o.oid = k.op"
    " JOIN pg_namespace s ON s.oid = o.oprnamespace"
    " LEFT JOIN pg_collation l ON l.oid = b.attcollation"
    " LEFT JOIN pg_namespace ls ON ls.oid = l.collnamespace"
    " WHERE f.conrelid = $1::regclass AND f.conname = $2 AND f.contype = 'f'"
    " ORDER BY k.n";

enum reference_field {
    REFERENCE_OPERATOR,
    REFERENCE_COLLATION,
    REFERENCE_FULL,
    REFERENCE_INEXACT
};

static const struct definition *child_of(const struct postgres_foreign *foreign)
{
    return foreign->base.child->definition;
}

static const struct definition *parent_of(const struct postgres_foreign *foreign)
{
    return foreign->base.parent->definition;
}

/* ---- life */

static bool is_true(const PGresult *rows, int row, int field)
{
    return strcmp(PQgetvalue(rows, row, field), "t") == 0;
}

enum status postgres_foreign_open(struct postgres_foreign *foreign,
                                  struct postgres *postgres, struct error *err)
{
    const struct foreign_key *key = foreign->base.key;
    const char *parameters[] = {child_of(foreign)->local_name, key->name};
    struct postgres_reference *reference;
    enum status status;

    if (foreign->reference != NULL)
        return STATUS_OK;
    reference = calloc(1, sizeof *reference);
    if (reference == NULL)
        return error_set(err, STATUS_NO_MEMORY, "foreign keys: out of memory");
    foreign->reference = reference;
    reference->postgres = postgres;
    status =
        postgres_query(postgres, reference_sql, 2, parameters, &reference->columns, err);
    if (status == STATUS_OK &&
        (uint32_t)PQntuples(reference->columns) != key->column_count)
        status = error_set(err, STATUS_BUSY, "%s: its foreign keys are others by now",
                           child_of(foreign)->local_name);
    if (status != STATUS_OK) {
        postgres_foreign_close(foreign);
        return status;
    }
    reference->full = is_true(reference->columns, 0, REFERENCE_FULL);
    for (uint32_t i = 0; i < key->column_count; i++)
        foreign->base.inexact = foreign->base.inexact ||
                                is_true(reference->columns, (int)i, REFERENCE_INEXACT);
    for (uint32_t i = 0; i < parent_of(foreign)->unique_count; i++)
        foreign->base.inexact =
            foreign->base.inexact || parent_of(foreign)->uniques[i].is_primary;
    return STATUS_OK;
}

void postgres_foreign_close(struct postgres_foreign *foreign)
{
    if (foreign->reference == NULL)
        return;
    PQclear(foreign->reference->columns);
    PQclear(foreign->reference->orphans);
    free(foreign->reference);
    foreign->reference = NULL;
}

void postgres_foreign_forget(struct postgres_foreign *foreign)
{
    struct postgres_reference *reference = foreign->reference;

    if (reference == NULL)
        return;
    PQclear(reference->orphans);
    reference->orphans = NULL;
    reference->open = false;
    reference->gone_made = false;
    foreign->base.gone = 0;
}

/* ---- pieces */

static void put_operator(struct buffer *sql, const struct postgres_foreign *foreign,
                         uint32_t i)
{
    postgres_sql_put(sql, " OPERATOR(");
    postgres_sql_put(sql,
                     PQgetvalue(foreign->reference->columns, (int)i, REFERENCE_OPERATOR));
    postgres_sql_put(sql, ") ");
}

static void put_collation(struct buffer *sql, const struct postgres_foreign *foreign,
                          uint32_t i)
{
    const PGresult *columns = foreign->reference->columns;

    if (PQgetisnull(columns, (int)i, REFERENCE_COLLATION))
        return;
    postgres_sql_put(sql, " COLLATE ");
    postgres_sql_put(sql, PQgetvalue(columns, (int)i, REFERENCE_COLLATION));
}

void postgres_foreign_put_child(struct buffer *sql,
                                const struct postgres_foreign *foreign, const char *alias,
                                uint32_t i)
{
    put_operator(sql, foreign, i);
    postgres_sql_put(sql, alias);
    postgres_sql_put(sql, ".");
    postgres_put_name(sql, foreign->base.key->columns[i]);
    put_collation(sql, foreign, i);
}

void postgres_foreign_put_refers(struct buffer *sql,
                                 const struct postgres_foreign *foreign,
                                 const char *alias)
{
    for (uint32_t i = 0; i < foreign->base.key->column_count; i++) {
        postgres_sql_put(sql, i == 0 ? "(" : foreign->reference->full ? " OR " : " AND ");
        postgres_sql_put(sql, alias);
        postgres_sql_put(sql, ".");
        postgres_put_name(sql, foreign->base.key->columns[i]);
        postgres_sql_put(sql, " IS NOT NULL");
    }
    postgres_sql_put(sql, ")");
}

void postgres_foreign_put_match(struct buffer *sql,
                                const struct postgres_foreign *foreign, const char *alias)
{
    for (uint32_t i = 0; i < foreign->base.key->column_count; i++) {
        postgres_sql_put(sql, i == 0 ? "p." : " AND p.");
        postgres_put_name(sql, foreign->base.key->parent_columns[i]);
        postgres_foreign_put_child(sql, foreign, alias, i);
    }
}

void postgres_foreign_put_lacks(struct buffer *sql,
                                const struct postgres_foreign *foreign, const char *alias)
{
    postgres_foreign_put_refers(sql, foreign, alias);
    postgres_sql_put(sql, " AND NOT EXISTS (SELECT FROM ");
    postgres_sql_put(sql, parent_of(foreign)->local_name);
    postgres_sql_put(sql, " AS p WHERE ");
    postgres_foreign_put_match(sql, foreign, alias);
    postgres_sql_put(sql, ")");
}

/* ---- one child */

/* Put the child's values into the arguments. *nulls: how many are NULL; *plain: the
 * values are known as they will be stored, but for their types' lengths. */
static enum status add_values(struct postgres_foreign *foreign,
                              struct postgres_arguments *arguments, uint32_t *nulls,
                              bool *plain, struct error *err)
{
    struct postgres_writer *writer = postgres_table_of(foreign->base.child)->writer;
    const struct definition *child = child_of(foreign);
    enum status status = STATUS_OK;

    *nulls = 0;
    *plain = true;
    for (uint32_t i = 0; i < foreign->base.key->column_count && status == STATUS_OK;
         i++) {
        int32_t column = definition_find_column(child, foreign->base.key->columns[i]);
        int32_t place = column < 0 ? -1 : definition_image_place(child, (uint32_t)column);
        enum write_result result = WRITE_DONE;

        if (place < 0 || writer->values[place].type == VALUE_ABSENT) {
            *plain = false;
            continue;
        }
        *nulls += writer->values[place].type == VALUE_NULL;
        status = postgres_sql_add_value(arguments, writer, (uint32_t)place, &result, err);
        *plain = *plain && result == WRITE_DONE;
    }
    return status;
}

enum status postgres_foreign_holds(struct postgres_foreign *foreign, bool *holds,
                                   bool *sure, struct error *err)
{
    const struct foreign_key *key = foreign->base.key;
    struct postgres_arguments arguments = {0};
    enum write_result result = WRITE_DONE;
    struct buffer sql = {0};
    uint32_t nulls;
    enum status status = add_values(foreign, &arguments, &nulls, sure, err);

    *holds = status == STATUS_OK && *sure &&
             nulls >= (foreign->reference->full ? key->column_count : 1);
    if (status != STATUS_OK || !*sure || nulls > 0) {
        postgres_arguments_release(&arguments);
        return status;
    }
    postgres_sql_put(&sql, "SELECT EXISTS (SELECT FROM ");
    postgres_sql_put(&sql, parent_of(foreign)->local_name);
    for (uint32_t i = 0; i < key->column_count; i++) {
        int32_t column = definition_find_column(child_of(foreign), key->columns[i]);

        postgres_sql_put(&sql, i == 0 ? " AS p WHERE p." : " AND p.");
        postgres_put_name(&sql, key->parent_columns[i]);
        put_operator(&sql, foreign, i);
        postgres_sql_number(&sql, "$", i + 1);
        postgres_sql_put(&sql, "::");
        postgres_sql_put(&sql, child_of(foreign)->columns[column].declared_type);
        put_collation(&sql, foreign, i);
    }
    postgres_sql_put(&sql, ")");
    status = postgres_sql_ask(foreign->reference->postgres, &sql, &arguments, "parents",
                              holds, &result, err);
    *sure = result == WRITE_DONE;
    buffer_release(&sql);
    return status;
}

enum status postgres_foreign_violated(struct postgres_foreign *foreign,
                                      enum row_place place, bool *violated,
                                      struct error *err)
{
    struct postgres_table *child = postgres_table_of(foreign->base.child);
    struct postgres_arguments arguments = {0};
    struct buffer sql = {0};
    enum status status = STATUS_OK;

    postgres_sql_put(&sql, "SELECT EXISTS (SELECT FROM ");
    if (place == ROW_IN_COPY)
        postgres_other_put_copy(&sql, child);
    else
        postgres_sql_put(&sql, child_of(foreign)->local_name);
    postgres_sql_put(&sql, " AS c WHERE ");
    if (place == ROW_IN_TABLE) {
        postgres_sql_key_match(&sql, child->writer, "c", 1);
        postgres_sql_put(&sql, " AND ");
        status = postgres_sql_add_key(&arguments, child->writer, err);
    }
    postgres_foreign_put_lacks(&sql, foreign, "c");
    postgres_sql_put(&sql, ")");
    if (status == STATUS_OK)
        status = postgres_sql_ask(foreign->reference->postgres, &sql, &arguments,
                                  child_of(foreign)->local_name, violated, NULL, err);
    postgres_arguments_release(&arguments);
    buffer_release(&sql);
    return status;
}

/* ---- parents that went away */

void postgres_foreign_put_gone(struct buffer *sql, const struct postgres_foreign *foreign)
{
    postgres_sql_number(sql, "pg_temp.rowferry_gone_", foreign->base.number);
}

static void put_parents(struct buffer *sql, const struct postgres_foreign *foreign)
{
    for (uint32_t i = 0; i < foreign->base.key->column_count; i++) {
        postgres_sql_put(sql, i == 0 ? " SELECT p." : ", p.");
        postgres_put_name(sql, foreign->base.key->parent_columns[i]);
        postgres_sql_number(sql, " AS v", i);
    }
    postgres_sql_put(sql, " FROM ");
    postgres_sql_put(sql, parent_of(foreign)->local_name);
    postgres_sql_put(sql, " AS p");
}

enum status postgres_foreign_make_gone(struct postgres_foreign *foreign,
                                       struct error *err)
{
    struct buffer sql = {0};
    enum status status;

    if (foreign->reference->gone_made)
        return STATUS_OK;
    postgres_sql_number(&sql, "CREATE TEMP TABLE rowferry_gone_", foreign->base.number);
    postgres_sql_put(&sql, " ON COMMIT DROP AS");
    put_parents(&sql, foreign);
    postgres_sql_put(&sql, " WITH NO DATA");
    status = postgres_sql_run(foreign->reference->postgres, &sql, NULL, "note parents",
                              NULL, err);
    foreign->reference->gone_made = status == STATUS_OK;
    buffer_release(&sql);
    return status;
}

enum status postgres_foreign_note_gone(struct postgres_foreign *foreign,
                                       struct error *err)
{
    struct postgres_writer *writer = postgres_table_of(foreign->base.parent)->writer;
    struct postgres_arguments arguments = {0};
    struct buffer sql = {0};
    enum status status = postgres_foreign_make_gone(foreign, err);

    postgres_sql_put(&sql, "INSERT INTO ");
    postgres_foreign_put_gone(&sql, foreign);
    put_parents(&sql, foreign);
    postgres_sql_put(&sql, " WHERE ");
    postgres_sql_key_match(&sql, writer, "p", 1);
    if (status == STATUS_OK)
        status = postgres_sql_add_key(&arguments, writer, err);
    if (status == STATUS_OK)
        status = postgres_sql_run(foreign->reference->postgres, &sql, &arguments,
                                  parent_of(foreign)->local_name, NULL, err);
    if (status == STATUS_OK)
        foreign->base.gone++;
    postgres_arguments_release(&arguments);
    buffer_release(&sql);
    return status;
}

enum status postgres_foreign_forget_gone(struct postgres_foreign *foreign,
                                         struct error *err)
{
    struct buffer sql = {0};
    enum status status;

    foreign->base.gone = 0;
    if (!foreign->reference->gone_made)
        return STATUS_OK;
    postgres_sql_put(&sql, "TRUNCATE ");
    postgres_foreign_put_gone(&sql, foreign);
    status = postgres_sql_run(foreign->reference->postgres, &sql, NULL, "forget parents",
                              NULL, err);
    buffer_release(&sql);
    return status;
}

/* ---- orphans */

static void put_cursor(struct buffer *sql, const struct postgres_foreign *foreign)
{
    postgres_sql_number(sql, "rowferry_orphans_", foreign->base.number);
}

static void put_orphans(struct buffer *sql, const struct postgres_foreign *foreign,
                        bool all)
{
    postgres_sql_put(sql, "DECLARE ");
    put_cursor(sql, foreign);
    postgres_sql_put(sql, " NO SCROLL CURSOR FOR SELECT ");
    postgres_sql_key(sql, child_of(foreign), "c");
    postgres_sql_put(sql, " FROM ");
    if (!all) {
        postgres_foreign_put_gone(sql, foreign);
        postgres_sql_put(sql, " AS p JOIN ");
    }
    postgres_sql_put(sql, child_of(foreign)->local_name);
    postgres_sql_put(sql, " AS c");
    for (uint32_t i = 0; !all && i < foreign->base.key->column_count; i++) {
        postgres_sql_number(sql, i == 0 ? " ON p.v" : " AND p.v", i);
        postgres_foreign_put_child(sql, foreign, "c", i);
    }
    postgres_sql_put(sql, " WHERE ");
    postgres_foreign_put_lacks(sql, foreign, "c");
}

static enum status fetch(struct postgres_foreign *foreign, struct error *err)
{
    struct postgres_reference *reference = foreign->reference;
    struct buffer sql = {0};
    enum status status;

    PQclear(reference->orphans);
    reference->orphans = NULL;
    reference->at = 0;
    postgres_sql_number(&sql, "FETCH ", ORPHANS_AT_ONCE);
    postgres_sql_put(&sql, " FROM ");
    put_cursor(&sql, foreign);
    status = postgres_sql_run(reference->postgres, &sql, NULL,
                              child_of(foreign)->local_name, &reference->orphans, err);
    buffer_release(&sql);
    return status;
}

enum status postgres_foreign_next_orphan(struct postgres_foreign *foreign, bool all,
                                         struct buffer *key, struct error *err)
{
    struct postgres_reference *reference = foreign->reference;
    enum status status = STATUS_OK;

    assert(all || reference->gone_made);
    if (!reference->open) {
        struct buffer sql = {0};

        put_orphans(&sql, foreign, all);
        status = postgres_sql_run(reference->postgres, &sql, NULL,
                                  child_of(foreign)->local_name, NULL, err);
        buffer_release(&sql);
        reference->open = status == STATUS_OK;
    }
    if (status == STATUS_OK &&
        (reference->orphans == NULL || reference->at == PQntuples(reference->orphans)))
        status = fetch(foreign, err);
    if (status == STATUS_OK && PQntuples(reference->orphans) == 0)
        status = STATUS_NOT_FOUND;
    if (status != STATUS_OK)
        return status;
    return postgres_sql_take_key(key, reference->orphans, reference->at++,
                                 child_of(foreign), err);
}

void postgres_foreign_stop(struct postgres_foreign *foreign)
{
    struct postgres_reference *reference = foreign->reference;
    struct buffer sql = {0};
    struct error ignored;

    PQclear(reference->orphans);
    reference->orphans = NULL;
    if (!reference->open)
        return;
    reference->open = false;
    postgres_sql_put(&sql, "CLOSE ");
    put_cursor(&sql, foreign);
    /* When this fails, so will whatever comes next. */
    (void)!postgres_sql_run(reference->postgres, &sql, NULL, "orphans", NULL, &ignored);
    buffer_release(&sql);
}

/* ---- who blocks */

enum status postgres_foreign_blocker(struct postgres_foreign *foreign, struct buffer *key,
                                     struct error *err)
{
    const struct definition *parent = parent_of(foreign);
    const struct foreign_key *reference = foreign->base.key;
    struct buffer sql = {0};
    PGresult *rows = NULL;
    size_t before = key->size;
    enum status status;

    if (foreign->base.beyond_key || reference->column_count != parent->key_count)
        return STATUS_OK;
    for (uint32_t i = 0; i < parent->key_count; i++) {
        const struct column *wanted = postgres_sql_key_column(parent, i);
        uint32_t at = 0;

        while (strcmp(reference->parent_columns[at], wanted->name) != 0) {
            at++;
            assert(at < reference->column_count); /* not beyond_key: all are there */
        }
        postgres_sql_put(&sql, i == 0 ? "SELECT " : ", ");
        postgres_put_name(&sql, reference->columns[at]);
        postgres_sql_put(&sql, "::");
        postgres_sql_put(&sql, wanted->declared_type);
    }
    postgres_sql_put(&sql, " FROM ");
    postgres_other_put_copy(&sql, postgres_table_of(foreign->base.child));
    status = postgres_sql_run(foreign->reference->postgres, &sql, NULL,
                              child_of(foreign)->local_name, &rows, err);
    buffer_release(&sql);
    if (status == STATUS_OK && PQntuples(rows) == 1)
        status = postgres_sql_take_key(key, rows, 0, parent, err);
    if (status == STATUS_REFUSED) { /* a NULL in it */
        buffer_cut(key, before);
        status = STATUS_OK;
    }
    PQclear(rows);
    return status;
}
