#include "engine/postgres_slot.h"

#include "engine/lsn.h"
#include "log/buffer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTIONS_IN_PARENTHESES = 150000 };

/* Run one of the walsender's commands, which take no parameters, for one row of so many
 * columns. On success *out is the caller's, for PQclear(). */
static enum status command(struct postgres *postgres, const char *sql, int column_count,
                           PGresult **out, struct error *err)
{
    PGresult *result = PQexec(postgres_handle(postgres), sql);
    const char *state = postgres_sqlstate(result);
    enum status status = STATUS_OK;

    *out = NULL;
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        status = postgres_failed(postgres, result, sql, err);
        if (strcmp(state, "42710") == 0 || strcmp(state, "42602") == 0 ||
            strcmp(state, "55000") == 0 || strcmp(state, "53400") == 0)
            status = STATUS_REFUSED;
    } else if (PQntuples(result) != 1 || PQnfields(result) < column_count) {
        status = error_set(err, STATUS_CORRUPT, "%s: an answer of another shape", sql);
    }
    if (status != STATUS_OK) {
        PQclear(result);
        return status;
    }
    *out = result;
    return STATUS_OK;
}

static uint64_t number_at(const PGresult *result, int column)
{
    return strtoumax(PQgetvalue(result, 0, column), NULL, 10);
}

static void copy_name(char out[static POSTGRES_NAME_SIZE], const PGresult *result,
                      int column)
{
    (void)snprintf(out, POSTGRES_NAME_SIZE, "%s", PQgetvalue(result, 0, column));
}

enum status postgres_identify_system(struct postgres *postgres,
                                     struct postgres_system *out, struct error *err)
{
    struct postgres_system system = {0};
    PGresult *result;
    enum status status = command(postgres, "IDENTIFY_SYSTEM", 3, &result, err);

    if (status != STATUS_OK)
        return status;
    system.identifier = number_at(result, 0);
    system.timeline = (uint32_t)number_at(result, 1);
    status = lsn_parse(PQgetvalue(result, 0, 2), &system.flushed_lsn, err);
    PQclear(result);
    if (status == STATUS_OK)
        *out = system;
    return status;
}

static enum status lsn_at(const PGresult *result, int column, uint64_t *lsn,
                          struct error *err)
{
    if (PQgetisnull(result, 0, column)) {
        *lsn = 0;
        return STATUS_OK;
    }
    return lsn_parse(PQgetvalue(result, 0, column), lsn, err);
}

static const char *const names[] = {
    [POSTGRES_WAL_RESERVED] = "reserved",
    [POSTGRES_WAL_EXTENDED] = "extended",
    [POSTGRES_WAL_UNRESERVED] = "unreserved",
    [POSTGRES_WAL_LOST] = "lost",
};

const char *postgres_wal_status_text(enum postgres_wal_status wal_status)
{
    return names[wal_status];
}

static enum status wal_status_at(const PGresult *result, int column,
                                 enum postgres_wal_status *out, struct error *err)
{
    const char *found = PQgetvalue(result, 0, column);

    *out = POSTGRES_WAL_RESERVED; /* NULL: it holds no WAL yet */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(found, names[i]) != 0)
            continue;
        *out = (enum postgres_wal_status)i;
        return STATUS_OK;
    }
    if (PQgetisnull(result, 0, column))
        return STATUS_OK;
    return error_set(err, STATUS_CORRUPT, "wal_status '%s' is unknown", found);
}

enum status postgres_slot_read(struct postgres *postgres, const char *name,
                               struct postgres_slot *out, struct error *err)
{
    static const char sql[] =
        "SELECT coalesce(plugin, ''), coalesce(database, ''), two_phase,"
        " confirmed_flush_lsn, restart_lsn, wal_status, safe_wal_size, active_pid,"
        " CASE WHEN NOT pg_is_in_recovery()"
        "  THEN greatest(pg_current_wal_lsn() - restart_lsn, 0) END"
        " FROM pg_replication_slots WHERE slot_name = $1";
    struct postgres_slot slot = {0};
    PGresult *result;
    enum status status = postgres_query(postgres, sql, 1, &name, &result, err);

    if (status != STATUS_OK)
        return status;
    if (PQntuples(result) == 0) {
        PQclear(result);
        return error_set(err, STATUS_NOT_FOUND, "replication slot \"%s\" does not exist",
                         name);
    }
    copy_name(slot.plugin, result, 0);
    copy_name(slot.database, result, 1);
    slot.two_phase = PQgetvalue(result, 0, 2)[0] == 't';
    slot.is_limited = !PQgetisnull(result, 0, 6);
    slot.safe_wal_size = strtoimax(PQgetvalue(result, 0, 6), NULL, 10);
    slot.active_pid = strtoimax(PQgetvalue(result, 0, 7), NULL, 10);
    slot.kept_size = strtoumax(PQgetvalue(result, 0, 8), NULL, 10);
    status = lsn_at(result, 3, &slot.confirmed_lsn, err);
    if (status == STATUS_OK)
        status = lsn_at(result, 4, &slot.restart_lsn, err);
    if (status == STATUS_OK)
        status = wal_status_at(result, 5, &slot.wal_status, err);
    PQclear(result);
    if (status == STATUS_OK)
        *out = slot;
    return status;
}

enum status postgres_slot_create(struct postgres *postgres, const char *name,
                                 struct postgres_slot_start *out, struct error *err)
{
    struct postgres_slot_start start = {0};
    struct buffer sql = {0};
    PGresult *result = NULL;
    enum status status;

    buffer_put_bytes(&sql, bytes_of_text("CREATE_REPLICATION_SLOT "));
    postgres_put_name(&sql, name);
    buffer_put_bytes(&sql, bytes_of_text(PQserverVersion(postgres_handle(postgres)) >=
                                                 OPTIONS_IN_PARENTHESES
                                             ? " LOGICAL pgoutput (SNAPSHOT 'export')"
                                             : " LOGICAL pgoutput EXPORT_SNAPSHOT"));
    buffer_put(&sql, '\0', 1);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK)
        status = command(postgres, (const char *)sql.data, 3, &result, err);
    buffer_release(&sql);
    if (status != STATUS_OK)
        return status;
    copy_name(start.snapshot, result, 2);
    status = lsn_parse(PQgetvalue(result, 0, 1), &start.lsn, err);
    PQclear(result);
    if (status == STATUS_OK)
        *out = start;
    return status;
}

enum status postgres_slot_drop(struct postgres *postgres, const char *name,
                               struct error *err)
{
    PGresult *result;
    enum status status = postgres_query(postgres, "SELECT pg_drop_replication_slot($1)",
                                        1, &name, &result, err);

    if (status == STATUS_OK)
        PQclear(result);
    return status;
}
