#include "engine/postgres_check.h"

#include "log/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the server and the role */

struct checking {
    struct postgres *postgres;
    const struct postgres_needs *needs;
    PGresult *facts; /* of facts_sql, one row */
    struct findings *out;
    struct error *err;
};

static char *formatted(const char *format, va_list arguments)
    __attribute__((format(printf, 1, 0)));

static char *formatted(const char *format, va_list arguments)
{
    char *text = NULL;

    return vasprintf(&text, format, arguments) < 0 ? NULL : text;
}

/* text: as it is. sql: a format, or NULL. */
static enum status find(struct checking *checking, enum finding_severity severity,
                        const char *text, const char *sql, ...)
    __attribute__((format(printf, 4, 5)));

static enum status find(struct checking *checking, enum finding_severity severity,
                        const char *text, const char *sql, ...)
{
    va_list arguments;
    char *statement = NULL;

    if (sql != NULL) {
        va_start(arguments, sql);
        statement = formatted(sql, arguments);
        va_end(arguments);
        if (statement == NULL)
            return error_set(checking->err, STATUS_NO_MEMORY, "check: out of memory");
    }
    return findings_add(checking->out, severity, strdup(text), statement, checking->err);
}

enum fact {
    FACT_WAL_LEVEL,
    FACT_RECOVERY,
    FACT_SLOTS,
    FACT_SLOTS_FREE,
    FACT_SENDERS,
    FACT_SENDERS_FREE,
    FACT_ENCODING,
    FACT_REPLICATION,
    FACT_CREATE,
    FACT_ROLE,
    FACT_DATABASE,
    FACT_HAS_SLOT,
    FACT_HAS_PUBLICATION,
    FACT_TEMPORARY,
    FACT_REPLICA, /* may set session_replication_role */
};

/* Privileges to set parameters came with 15; before, only a superuser may. Amazon gives
 * the role rds_replication instead of the attribute. */
static const char facts_sql[] =
    "SELECT current_setting('wal_level'), pg_is_in_recovery(),"
    " current_setting('max_replication_slots')::int,"
    " current_setting('max_replication_slots')::int"
    "  - (SELECT count(*) FROM pg_replication_slots),"
    " current_setting('max_wal_senders')::int,"
    " current_setting('max_wal_senders')::int"
    "  - (SELECT count(*) FROM pg_stat_replication),"
    " pg_encoding_to_char(d.encoding),"
    " r.rolsuper OR r.rolreplication OR EXISTS (SELECT FROM pg_roles AS a"
    "  WHERE a.rolname = 'rds_replication' AND pg_has_role(a.oid, 'MEMBER')),"
    " has_database_privilege(d.oid, 'CREATE'),"
    " quote_ident(current_user), quote_ident(d.datname),"
    " EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1),"
    " EXISTS (SELECT FROM pg_publication WHERE pubname = $2),"
    " has_database_privilege(d.oid, 'TEMPORARY'), ";

static const char from_sql[] = " FROM pg_database AS d, pg_roles AS r"
                               " WHERE d.datname = current_database()"
                               " AND r.rolname = current_user";

static enum status query_facts(struct checking *checking)
{
    const char *names[] = {checking->needs->slot, checking->needs->publication};
    bool grants = PQserverVersion(postgres_handle(checking->postgres)) >= 150000;
    struct buffer sql = {0};
    enum status status;

    buffer_put_bytes(&sql, bytes_of_text(facts_sql));
    buffer_put_bytes(
        &sql, bytes_of_text(
                  grants ? "has_parameter_privilege('session_replication_role', 'SET')"
                         : "r.rolsuper"));
    buffer_put_bytes(&sql, bytes_of_text(from_sql));
    buffer_put(&sql, 0, 1);
    status = buffer_check(&sql, checking->err);
    if (status == STATUS_OK)
        status = postgres_query(checking->postgres, (const char *)sql.data, 2, names,
                                &checking->facts, checking->err);
    buffer_release(&sql);
    if (status == STATUS_OK && PQntuples(checking->facts) != 1)
        status = error_set(checking->err, STATUS_IO, "check: no such role or database");
    return status;
}

static const char *fact(const struct checking *checking, enum fact which)
{
    return PQgetvalue(checking->facts, 0, (int)which);
}

static bool is(const struct checking *checking, enum fact which)
{
    return *fact(checking, which) == 't';
}

static enum status check_server(struct checking *checking)
{
    int free_slots = atoi(fact(checking, FACT_SLOTS_FREE));
    int free_senders = atoi(fact(checking, FACT_SENDERS_FREE));
    bool slot = checking->needs->slot != NULL && !is(checking, FACT_HAS_SLOT);
    enum status status = STATUS_OK;

    if (is(checking, FACT_RECOVERY))
        status = find(checking, FINDING_REFUSAL,
                      "the server is a standby: rowferry needs the primary", NULL);
    if (status == STATUS_OK && strcmp(fact(checking, FACT_WAL_LEVEL), "logical") != 0) {
        status = find(checking, FINDING_REFUSAL,
                      "wal_level is not logical (restart the server after the change)",
                      "ALTER SYSTEM SET wal_level = 'logical'");
    }
    if (status == STATUS_OK && slot && free_slots <= 0) {
        status = find(checking, FINDING_REFUSAL,
                      "no replication slot is left: drop one that nobody uses, or raise "
                      "the limit (restart the server after the change)",
                      "ALTER SYSTEM SET max_replication_slots = %d",
                      atoi(fact(checking, FACT_SLOTS)) - free_slots + 5);
    }
    if (status == STATUS_OK && free_senders <= 0) {
        status = find(checking, FINDING_REFUSAL,
                      "no WAL sender is left (restart the server after the change)",
                      "ALTER SYSTEM SET max_wal_senders = %d",
                      atoi(fact(checking, FACT_SENDERS)) - free_senders + 5);
    }
    if (status == STATUS_OK && strcmp(fact(checking, FACT_ENCODING), "UTF8") != 0) {
        status = find(checking, FINDING_REFUSAL,
                      "the database's encoding is not UTF8: dump it and restore it into "
                      "one that is",
                      NULL);
    }
    return status;
}

static enum status check_role(struct checking *checking)
{
    const char *role = fact(checking, FACT_ROLE);
    bool publication =
        checking->needs->publication != NULL && !is(checking, FACT_HAS_PUBLICATION);
    enum status status = STATUS_OK;

    if (!is(checking, FACT_REPLICATION)) {
        status =
            find(checking, FINDING_REFUSAL, "the role has not the attribute REPLICATION",
                 "ALTER ROLE %s REPLICATION", role);
    }
    if (status == STATUS_OK && publication && !is(checking, FACT_CREATE)) {
        status = find(checking, FINDING_REFUSAL, "the role may not make a publication",
                      "GRANT CREATE ON DATABASE %s TO %s", fact(checking, FACT_DATABASE),
                      role);
    }
    if (status == STATUS_OK && checking->needs->takes && !is(checking, FACT_TEMPORARY)) {
        status = find(checking, FINDING_REFUSAL,
                      "the role may not make temporary tables, by which constraints are "
                      "decided",
                      "GRANT TEMPORARY ON DATABASE %s TO %s",
                      fact(checking, FACT_DATABASE), role);
    }
    return status;
}

enum status postgres_check(struct postgres *postgres, const struct catalog *catalog,
                           const struct table_rules *rules,
                           const struct postgres_needs *needs, struct findings *out,
                           struct error *err)
{
    struct checking checking = {
        .postgres = postgres, .needs = needs, .out = out, .err = err};
    struct postgres_needs left = *needs;
    enum status status;

    *out = (struct findings){0};
    status = query_facts(&checking);
    if (status == STATUS_OK)
        status = check_server(&checking);
    if (status == STATUS_OK)
        status = check_role(&checking);
    if (status == STATUS_OK && is(&checking, FACT_HAS_PUBLICATION))
        left.publication = NULL;
    if (status == STATUS_OK) {
        status = postgres_check_tables(postgres, catalog, rules, &left,
                                       fact(&checking, FACT_ROLE),
                                       is(&checking, FACT_REPLICA), out, err);
    }
    PQclear(checking.facts);
    return status;
}
