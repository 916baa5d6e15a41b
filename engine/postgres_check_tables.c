/* What tables bring along that their owner should know of before they take part. */
#include "engine/postgres_check.h"
#include "engine/postgres_rows.h"
#include "log/buffer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMED_MAX = 5 };

struct checking {
    struct postgres *postgres;
    const struct catalog *catalog;
    const struct table_rules *rules;
    const struct postgres_needs *needs;
    const char *role;
    bool replica;
    struct findings *out;
    struct error *err;
};

/* Things of one kind: all of them for a statement, the first few for people. */
struct gathered {
    struct buffer all, some;
    unsigned count;
};

static void gather(struct gathered *gathered, const char *name, const char *detail)
{
    ++gathered->count;
    if (gathered->count > 1)
        buffer_put_bytes(&gathered->all, bytes_of_text(", "));
    buffer_put_bytes(&gathered->all, bytes_of_text(name));
    if (gathered->count > NAMED_MAX + 1)
        return;
    if (gathered->count > 1)
        buffer_put_bytes(&gathered->some, bytes_of_text(", "));
    if (gathered->count > NAMED_MAX) {
        buffer_put_bytes(&gathered->some, bytes_of_text("…"));
        return;
    }
    buffer_put_bytes(&gathered->some, bytes_of_text(name));
    if (detail == NULL)
        return;
    buffer_put_bytes(&gathered->some, bytes_of_text(" ("));
    buffer_put_bytes(&gathered->some, bytes_of_text(detail));
    buffer_put_bytes(&gathered->some, bytes_of_text(")"));
}

/* One finding of all that was gathered, if anything was: "names: what". The statement is
 * before, all names, behind; before NULL: there is none. Releases gathered. */
static enum status tell(struct checking *checking, enum finding_severity severity,
                        struct gathered *gathered, const char *what, const char *before,
                        const char *behind)
{
    char *text = NULL, *sql = NULL;
    enum status status = STATUS_OK;

    buffer_put(&gathered->all, 0, 1);
    buffer_put(&gathered->some, 0, 1);
    status = buffer_check(&gathered->all, checking->err);
    if (status == STATUS_OK)
        status = buffer_check(&gathered->some, checking->err);
    if (status == STATUS_OK && gathered->count > 0) {
        if (asprintf(&text, "%s: %s", (const char *)gathered->some.data, what) < 0)
            text = NULL;
        if (before != NULL && asprintf(&sql, "%s%s%s", before,
                                       (const char *)gathered->all.data, behind) < 0) {
            free(text);
            text = sql = NULL;
        }
        status = findings_add(checking->out, severity, text, sql, checking->err);
    }
    buffer_release(&gathered->all);
    buffer_release(&gathered->some);
    return status;
}

/* ---- what only the database knows */

/* A name is looked up in text: who may not use a schema may not ask for a table in it. */
static const char tables_sql[] =
    "WITH t AS (SELECT n.place, c.oid FROM pg_class AS c"
    " JOIN unnest($1::text[]) WITH ORDINALITY AS n (name, place)"
    " ON n.name = c.oid::regclass::text WHERE c.relkind IN ('r', 'p'))"
    "SELECT t.place, has_schema_privilege(c.relnamespace, 'USAGE'),"
    " c.relnamespace::regnamespace, has_table_privilege(c.oid, 'SELECT'),"
    " has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')"
    "  AND has_table_privilege(c.oid, 'DELETE'),"
    " pg_has_role(c.relowner, 'USAGE'), row_security_active(c.oid),"
    " (SELECT string_agg(quote_ident(g.tgname), ', ' ORDER BY g.tgname) FROM pg_trigger"
    "  AS g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled = 'O'),"
    " (SELECT string_agg(quote_ident(g.tgname), ', ' ORDER BY g.tgname) FROM pg_trigger"
    "  AS g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled IN ('A', "
    "'R')),"
    " EXISTS (SELECT FROM pg_constraint AS f WHERE c.oid IN (f.conrelid, f.confrelid)"
    "  AND f.contype = 'f'),"
    " (SELECT string_agg(a.attname, ', ') FROM pg_attribute AS a"
    "  LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
    "  JOIN pg_index AS i ON i.indrelid = c.oid AND (i.indisprimary OR i.indisreplident)"
    "  WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey::int2[])"
    "  AND (a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%')),"
    " (SELECT string_agg(DISTINCT f.conrelid::regclass::text, ', ') FROM pg_constraint "
    "AS f"
    "  JOIN pg_class AS r ON r.oid = f.conrelid AND NOT r.relispartition"
    "  WHERE f.confrelid = c.oid AND f.contype = 'f' AND f.conparentid = 0"
    "  AND NOT EXISTS (SELECT FROM t AS o WHERE o.oid = f.conrelid)),"
    " quote_ident(pg_get_userbyid(c.relowner)),"
    " (SELECT string_agg(s.oid::regclass::text, ', ') FROM pg_depend AS d"
    "  JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'"
    "  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass"
    "  AND d.refobjid = c.oid AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')"
    "  AND NOT (has_sequence_privilege(s.oid, 'SELECT')"
    "   AND has_sequence_privilege(s.oid, 'UPDATE')))"
    " FROM t JOIN pg_class AS c ON c.oid = t.oid ORDER BY t.place";

enum table_field {
    TABLE_USAGE = 1,
    TABLE_SCHEMA,
    TABLE_READS,
    TABLE_WRITES,
    TABLE_OWNS,
    TABLE_ROW_SECURITY,
    TABLE_TRIGGERS,
    TABLE_ALWAYS_TRIGGERS,
    TABLE_FOREIGN_KEYS,
    TABLE_NUMBERS,
    TABLE_OUTSIDERS,
    TABLE_OWNER,
    TABLE_SEQUENCES,
};

/* All kinds of things that are told together. */
struct kinds {
    struct gathered schemas, unread, unwritten, not_owned, row_security, triggers,
        always_triggers, silent, numbers, outsiders, sequences;
    const char *last_owner;
    const char *last_schema;
};

/* The statement is about the owner, once where many of his come together. */
static void gather_owned(struct kinds *kinds, const char *name, const char *owner)
{
    struct gathered *gathered = &kinds->not_owned;
    size_t size = gathered->all.size;

    gather(gathered, name, NULL);
    gathered->all.size = size;
    if (kinds->last_owner != NULL && strcmp(kinds->last_owner, owner) == 0)
        return;
    buffer_put_bytes(&gathered->all, bytes_of_text(size == 0 ? "" : ", "));
    buffer_put_bytes(&gathered->all, bytes_of_text(owner));
    kinds->last_owner = owner;
}

static void sort_out(struct checking *checking, const struct definition *definition,
                     const struct postgres_rows *rows, struct kinds *kinds)
{
    enum table_direction direction =
        table_rules_direction(checking->rules, definition->local_name);
    const char *name = definition->local_name;
    const char *schema = postgres_rows_text(rows, TABLE_SCHEMA);
    const char *triggers = postgres_rows_text(rows, TABLE_TRIGGERS);
    const char *always = postgres_rows_text(rows, TABLE_ALWAYS_TRIGGERS);
    bool takes = checking->needs->takes && direction != TABLE_OUT;

    if (!postgres_rows_bool(rows, TABLE_USAGE) &&
        (kinds->last_schema == NULL || strcmp(kinds->last_schema, schema) != 0)) {
        gather(&kinds->schemas, schema, NULL);
        kinds->last_schema = schema;
    }
    if (!postgres_rows_bool(rows, TABLE_READS))
        gather(&kinds->unread, name, NULL);
    if (takes && !postgres_rows_bool(rows, TABLE_WRITES))
        gather(&kinds->unwritten, name, NULL);
    if (checking->needs->publication != NULL && direction != TABLE_IN &&
        !postgres_rows_bool(rows, TABLE_OWNS))
        gather_owned(kinds, name, postgres_rows_text(rows, TABLE_OWNER));
    if (postgres_rows_bool(rows, TABLE_ROW_SECURITY))
        gather(&kinds->row_security, name, NULL);
    if (takes && triggers != NULL && checking->replica)
        gather(&kinds->silent, name, triggers);
    if (takes && !checking->replica &&
        (triggers != NULL || postgres_rows_bool(rows, TABLE_FOREIGN_KEYS)))
        gather(&kinds->triggers, name, triggers);
    if (takes && always != NULL)
        gather(&kinds->always_triggers, name, always);
    if (!checking->needs->own_numbers && postgres_rows_text(rows, TABLE_NUMBERS) != NULL)
        gather(&kinds->numbers, name, postgres_rows_text(rows, TABLE_NUMBERS));
    if (postgres_rows_text(rows, TABLE_OUTSIDERS) != NULL)
        gather(&kinds->outsiders, name, postgres_rows_text(rows, TABLE_OUTSIDERS));
    if (takes && postgres_rows_text(rows, TABLE_SEQUENCES) != NULL)
        gather(&kinds->sequences, postgres_rows_text(rows, TABLE_SEQUENCES), NULL);
}

/* What each kind means, in the order of struct kinds. */
static enum status tell_kinds(struct checking *checking, struct kinds *kinds,
                              const char *to)
{
    /* Privileges to set parameters came with 15. */
    const char *grant = PQserverVersion(postgres_handle(checking->postgres)) >= 150000
                            ? "GRANT SET ON PARAMETER session_replication_role"
                            : NULL;
    const struct {
        struct gathered *gathered;
        enum finding_severity severity;
        const char *what, *before, *behind;
    } all[] = {
        {&kinds->schemas,         FINDING_REFUSAL, "the role may not use the schema",
         "GRANT USAGE ON SCHEMA ",                                                                                         to          },
        {&kinds->unread,          FINDING_REFUSAL, "the role may not read it",
         "GRANT SELECT ON TABLE ",                                                                                         to          },
        {&kinds->unwritten,       FINDING_REFUSAL, "the role may not write it",
         "GRANT INSERT, UPDATE, DELETE ON TABLE ",                                                                         to          },
        {&kinds->not_owned,       FINDING_REFUSAL,
         "only its owner may publish it: let the role be a member of its owner",      "GRANT ",
         to                                                                                                                            },
        {&kinds->row_security,    FINDING_REFUSAL,
         "row-level security hides rows from the role",                               "ALTER ROLE ",                       " BYPASSRLS"},
        {&kinds->triggers,        FINDING_REFUSAL,
         "it has triggers or foreign keys, and the role may not silence them for what "
         "comes from others",                                                         grant,                               to          },
        {&kinds->sequences,       FINDING_NOTE,
         "the role may not move the sequence past numbers that come from others",     "GRANT SELECT, UPDATE ON SEQUENCE ", to          },
        {&kinds->always_triggers, FINDING_NOTE,
         "these triggers fire for what comes from others, too",                       NULL,                                NULL        },
        {&kinds->silent,          FINDING_NOTE,
         "these triggers do not fire for what comes from others: their effects come as "
         "rows",                                                                      NULL,                                NULL        },
        {&kinds->numbers,         FINDING_NOTE,
         "several nodes would hand out the same numbers as keys: init --ids range gives "
         "each its own, or use uuids",                                                NULL,                                NULL        },
        {&kinds->outsiders,       FINDING_NOTE,
         "tables that are not replicated refer to it, and keep rows whose parents are "
         "deleted elsewhere",                                                         NULL,                                NULL        },
    };
    enum status status = STATUS_OK, told;

    /* Some statements are about other things than the tables that are named. */
    buffer_clear(&kinds->triggers.all);
    buffer_clear(&kinds->row_security.all);
    buffer_put_bytes(&kinds->row_security.all, bytes_of_text(checking->role));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        told = tell(checking, all[i].severity, all[i].gathered, all[i].what,
                    all[i].before, all[i].behind);
        status = status == STATUS_OK ? told : status;
    }
    return status;
}

/* ---- what the definitions know */

static bool has_table(const struct catalog *catalog, const char *name)
{
    for (size_t i = 0; i < catalog->count; i++)
        if (strcmp(catalog->definitions[i]->name, name) == 0)
            return true;
    return false;
}

static void gather_column(struct gathered *gathered, const struct definition *definition,
                          const struct column *column)
{
    struct buffer name = {0};

    buffer_put_bytes(&name, bytes_of_text(definition->local_name));
    buffer_put(&name, '.', 1);
    buffer_put_bytes(&name, bytes_of_text(column->name));
    buffer_put(&name, 0, 1);
    if (name.failed)
        gathered->all.failed = true;
    else
        gather(gathered, (const char *)name.data, NULL);
    buffer_release(&name);
}

static enum status check_definitions(struct checking *checking)
{
    struct gathered numerics = {0}, reals = {0}, deferrable = {0}, behind = {0};
    enum status status[4];

    for (size_t i = 0; i < checking->catalog->count; i++) {
        const struct definition *definition = checking->catalog->definitions[i];

        for (uint32_t at = 0; at < definition->column_count; at++) {
            if (definition->columns[at].type == FLEET_NUMERIC)
                gather_column(&numerics, definition, &definition->columns[at]);
            if (definition->columns[at].type == FLEET_REAL)
                gather_column(&reals, definition, &definition->columns[at]);
        }
        for (uint32_t at = 0; at < definition->unique_count; at++)
            if (definition->uniques[at].deferrable)
                gather(&deferrable, definition->local_name, definition->uniques[at].name);
        for (uint32_t at = 0; at < definition->foreign_key_count; at++) {
            if (!has_table(checking->catalog, definition->foreign_keys[at].parent))
                gather(&behind, definition->local_name,
                       definition->foreign_keys[at].parent);
        }
    }
    status[0] = tell(checking, FINDING_NOTE, &numerics,
                     "SQLite nodes carry numeric exactly, but compute with 15 digits",
                     NULL, NULL);
    status[1] = tell(checking, FINDING_NOTE, &reals,
                     "SQLite has no NaN: it stores NULL instead", NULL, NULL);
    status[2] = tell(checking, FINDING_NOTE, &deferrable,
                     "deferrable constraints are probed row by row when rows come from "
                     "others, which is slow",
                     NULL, NULL);
    status[3] = tell(checking, FINDING_NOTE, &behind,
                     "it refers to a table that is not replicated: elsewhere its rows "
                     "may have no parent",
                     NULL, NULL);
    for (size_t i = 0; i < 4; i++)
        if (status[i] != STATUS_OK)
            return status[i];
    return STATUS_OK;
}

/* A table that is left out; what would change that stands behind the reason. */
static enum status check_skipped(struct checking *checking)
{
    const struct catalog *catalog = checking->catalog;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < catalog->skipped_count && status == STATUS_OK; i++) {
        const char *why = catalog->skipped[i].why;
        const char *sql = strstr(why, ": ALTER TABLE ");
        int size = sql == NULL ? (int)strlen(why) : (int)(sql - why);
        char *text = NULL, *statement = NULL;

        if (asprintf(&text, "%s is not replicated: %.*s", catalog->skipped[i].name, size,
                     why) < 0)
            text = NULL;
        if (sql != NULL && (statement = strdup(sql + 2)) == NULL) {
            free(text);
            text = NULL;
        }
        status =
            findings_add(checking->out, FINDING_LEFT_OUT, text, statement, checking->err);
    }
    return status;
}

/* ---- all of it */

/* The tables' names as an array: "{"public.t"}". */
static void put_names(struct buffer *out, const struct catalog *catalog)
{
    buffer_put(out, '{', 1);
    for (size_t i = 0; i < catalog->count; i++) {
        buffer_put_bytes(out, bytes_of_text(i == 0 ? "\"" : "\",\""));
        for (const char *at = catalog->definitions[i]->local_name; *at != '\0'; at++) {
            if (*at == '"' || *at == '\\')
                buffer_put(out, '\\', 1);
            buffer_put(out, (uint8_t)*at, 1);
        }
    }
    buffer_put_bytes(out, bytes_of_text(catalog->count == 0 ? "}" : "\"}"));
    buffer_put(out, 0, 1);
}

static enum status check_rows(struct checking *checking, struct postgres_rows *rows)
{
    struct kinds kinds = {0};
    char *to = NULL;
    enum status status;

    for (size_t i = 0; i < checking->catalog->count; i++)
        if (postgres_rows_take(rows, i + 1))
            sort_out(checking, checking->catalog->definitions[i], rows, &kinds);
    if (asprintf(&to, " TO %s", checking->role) < 0) {
        to = NULL;
        kinds.schemas.all.failed = true; /* said when it is told */
    }
    status = tell_kinds(checking, &kinds, to);
    free(to);
    return status;
}

enum status postgres_check_tables(struct postgres *postgres,
                                  const struct catalog *catalog,
                                  const struct table_rules *rules,
                                  const struct postgres_needs *needs, const char *role,
                                  bool replica, struct findings *out, struct error *err)
{
    struct checking checking = {.postgres = postgres,
                                .catalog = catalog,
                                .rules = rules,
                                .needs = needs,
                                .role = role,
                                .replica = replica,
                                .out = out,
                                .err = err};
    struct postgres_rows rows = {0};
    struct buffer names = {0};
    enum status status;

    put_names(&names, catalog);
    status = buffer_check(&names, err);
    if (status == STATUS_OK)
        status = postgres_rows_query(postgres, tables_sql, (const char *)names.data,
                                     &rows, err);
    if (status == STATUS_OK)
        status = check_rows(&checking, &rows);
    if (status == STATUS_OK)
        status = check_definitions(&checking);
    if (status == STATUS_OK)
        status = check_skipped(&checking);
    postgres_rows_release(&rows);
    buffer_release(&names);
    return status;
}
