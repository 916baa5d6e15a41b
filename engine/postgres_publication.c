#include "engine/postgres_publication.h"

#include "log/buffer.h"

#include <string.h>

enum { FILTERS_VERSION = 150000 };

static void put(struct buffer *sql, const char *text)
{
    buffer_put_bytes(sql, bytes_of_text(text));
}

static enum status find(struct postgres *postgres, const char *name, PGresult **out,
                        struct error *err)
{
    return postgres_query(postgres,
                          "SELECT pubinsert, pubupdate, pubdelete, pubtruncate"
                          " FROM pg_publication WHERE pubname = $1",
                          1, &name, out, err);
}

enum status postgres_publication_create(struct postgres *postgres, const char *name,
                                        const char *const *tables, size_t table_count,
                                        bool via_root, struct error *err)
{
    struct buffer sql = {0};
    PGresult *result;
    enum status status = find(postgres, name, &result, err);
    bool is_there = status == STATUS_OK && PQntuples(result) > 0;

    if (status != STATUS_OK)
        return status;
    PQclear(result);
    if (is_there)
        return error_set(err, STATUS_REFUSED, "publication \"%s\" exists already", name);
    put(&sql, "CREATE PUBLICATION ");
    postgres_put_name(&sql, name);
    for (size_t i = 0; i < table_count; i++) {
        put(&sql, i == 0 ? " FOR TABLE ONLY " : ", ONLY ");
        put(&sql, tables[i]);
    }
    put(&sql, " WITH (publish = 'insert, update, delete, truncate'");
    put(&sql, via_root ? ", publish_via_partition_root = true)" : ")");
    status = postgres_execute_buffer(postgres, &sql, err);
    return status == STATUS_OK ? status : error_wrap(err, status, "publication");
}

static enum status is_published(struct postgres *postgres, const char *name,
                                const char *table, bool *published, struct error *err)
{
    const char *parameters[] = {name, table};
    PGresult *result = NULL;
    enum status status = postgres_query(
        postgres,
        "SELECT FROM pg_publication_tables WHERE pubname = $1"
        " AND quote_ident(schemaname) || '.' || quote_ident(tablename) = $2",
        2, parameters, &result, err);

    *published = status == STATUS_OK && PQntuples(result) > 0;
    PQclear(result);
    return status;
}

enum status postgres_publication_add(struct postgres *postgres, const char *name,
                                     const char *table, struct error *err)
{
    struct buffer sql = {0};
    bool published = false;
    enum status status = is_published(postgres, name, table, &published, err);

    if (status != STATUS_OK || published)
        return status;
    put(&sql, "ALTER PUBLICATION ");
    postgres_put_name(&sql, name);
    put(&sql, " ADD TABLE ONLY ");
    put(&sql, table);
    status = postgres_execute_buffer(postgres, &sql, err);
    return status == STATUS_OK ? status : error_wrap(err, status, "publication");
}

static enum status check_kinds(const char *name, const PGresult *found, struct error *err)
{
    static const char *const kinds[] = {"insert", "update", "delete", "truncate"};

    if (PQntuples(found) == 0) {
        return error_set(err, STATUS_NOT_FOUND, "publication \"%s\" does not exist",
                         name);
    }
    for (int i = 0; i < 4; i++) {
        if (strcmp(PQgetvalue(found, 0, i), "t") == 0)
            continue;
        return error_set(err, STATUS_REFUSED,
                         "publication \"%s\" leaves out every %s: ALTER PUBLICATION "
                         "\"%s\" SET (publish = 'insert, update, delete, truncate')",
                         name, kinds[i], name);
    }
    return STATUS_OK;
}

static void put_tables(struct buffer *sql, const char *const *tables, size_t table_count)
{
    put(sql, "ARRAY[");
    for (size_t i = 0; i < table_count; i++) {
        put(sql, i == 0 ? "" : ", ");
        postgres_put_literal(sql, tables[i]);
    }
    put(sql, "]::text[]");
}

/* Row filters and column lists came with 15. */
static enum status check_filters(struct postgres *postgres, const char *name,
                                 const char *const *tables, size_t table_count,
                                 struct error *err)
{
    struct buffer sql = {0};
    PGresult *result;
    enum status status;

    if (PQserverVersion(postgres_handle(postgres)) < FILTERS_VERSION)
        return STATUS_OK;
    put(&sql, "SELECT t, prqual IS NULL FROM pg_publication_rel"
              " JOIN pg_publication p ON p.oid = prpubid"
              " JOIN pg_class c ON c.oid = prrelid"
              " JOIN pg_namespace n ON n.oid = relnamespace,"
              " concat(quote_ident(nspname), '.', quote_ident(relname)) t"
              " WHERE (prqual IS NOT NULL OR prattrs IS NOT NULL) AND pubname = ");
    postgres_put_literal(&sql, name);
    put(&sql, " AND t = ANY (");
    put_tables(&sql, tables, table_count);
    put(&sql, ") ORDER BY 1 LIMIT 1");
    status = postgres_query_buffer(postgres, &sql, &result, err);
    if (status == STATUS_OK && PQntuples(result) > 0) {
        status = error_set(err, STATUS_REFUSED,
                           "publication \"%s\" leaves out %s of %s: publish it without "
                           "a WHERE or a list of columns",
                           name, PQgetvalue(result, 0, 1)[0] == 't' ? "columns" : "rows",
                           PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    return status;
}

/* One query for all tables: the view is slow to ask. */
static enum status check_tables(struct postgres *postgres, const char *name,
                                const char *const *tables, size_t table_count,
                                struct error *err)
{
    struct buffer sql = {0};
    PGresult *result;
    enum status status;

    put(&sql, "SELECT t FROM unnest(");
    put_tables(&sql, tables, table_count);
    put(&sql, ") t EXCEPT SELECT quote_ident(schemaname) || '.' || quote_ident(tablename)"
              " FROM pg_publication_tables WHERE pubname = ");
    postgres_put_literal(&sql, name);
    put(&sql, " ORDER BY 1");
    status = postgres_query_buffer(postgres, &sql, &result, err);
    if (status == STATUS_OK && PQntuples(result) > 0) {
        status = error_set(err, STATUS_REFUSED,
                           "publication \"%s\" leaves out %d of the tables: ALTER "
                           "PUBLICATION \"%s\" ADD TABLE %s%s",
                           name, PQntuples(result), name, PQgetvalue(result, 0, 0),
                           PQntuples(result) > 1 ? ", ..." : "");
    }
    PQclear(result);
    return status;
}

/* Else rows are told of tables that take no part. */
static enum status check_root(struct postgres *postgres, const char *name,
                              const char *const *tables, size_t table_count,
                              struct error *err)
{
    struct buffer sql = {0};
    PGresult *result;
    enum status status;

    put(&sql, "SELECT t FROM unnest(");
    put_tables(&sql, tables, table_count);
    put(&sql, ") t JOIN pg_class c ON c.oid = t::regclass AND c.relkind = 'p'"
              " JOIN pg_publication p ON NOT p.pubviaroot AND p.pubname = ");
    postgres_put_literal(&sql, name);
    put(&sql, " ORDER BY 1 LIMIT 1");
    status = postgres_query_buffer(postgres, &sql, &result, err);
    if (status == STATUS_OK && PQntuples(result) > 0) {
        status = error_set(err, STATUS_REFUSED,
                           "publication \"%s\" tells the partitions of %s as tables of "
                           "their own: ALTER PUBLICATION \"%s\" SET "
                           "(publish_via_partition_root = true)",
                           name, PQgetvalue(result, 0, 0), name);
    }
    PQclear(result);
    return status;
}

enum status postgres_publication_check(struct postgres *postgres, const char *name,
                                       const char *const *tables, size_t table_count,
                                       struct error *err)
{
    PGresult *found;
    enum status status = find(postgres, name, &found, err);

    if (status != STATUS_OK)
        return status;
    status = check_kinds(name, found, err);
    PQclear(found);
    if (status == STATUS_OK)
        status = check_root(postgres, name, tables, table_count, err);
    if (status == STATUS_OK)
        status = check_filters(postgres, name, tables, table_count, err);
    if (status == STATUS_OK)
        status = check_tables(postgres, name, tables, table_count, err);
    return status;
}

enum status postgres_publication_drop(struct postgres *postgres, const char *name,
                                      struct error *err)
{
    struct buffer sql = {0};

    put(&sql, "DROP PUBLICATION IF EXISTS ");
    postgres_put_name(&sql, name);
    return postgres_execute_buffer(postgres, &sql, err);
}
