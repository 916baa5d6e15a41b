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

static enum status create(struct postgres *postgres, const char *name, bool temporary,
                          struct postgres_slot_start *out, struct error *err)
{
    struct postgres_slot_start start = {0};
    struct buffer sql = {0};
    PGresult *result = NULL;
    enum status status;

    buffer_put_bytes(&sql, bytes_of_text("CREATE_REPLICATION_SLOT "));
    postgres_put_name(&sql, name);
    buffer_put_bytes(&sql, bytes_of_text(temporary ? " TEMPORARY" : ""));
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

enum status postgres_slot_create(struct postgres *postgres, const char *name,
                                 struct postgres_slot_start *out, struct error *err)
{
    return create(postgres, name, false, out, err);
}

enum status postgres_slot_create_temporary(struct postgres *postgres, const char *name,
                                           struct postgres_slot_start *out,
                                           struct error *err)
{
    return create(postgres, name, true, out, err);
}

enum status postgres_slot_check(struct postgres *postgres, const char *name,
                                struct error *err)
{
    const char *database = PQdb(postgres_handle(postgres));
    struct postgres_slot slot = {0};
    enum status status = postgres_slot_read(postgres, name, &slot, err);

    if (status == STATUS_NOT_FOUND) {
        return error_set(err, status,
                         "there is no replication slot %s: SELECT "
                         "pg_create_logical_replication_slot('%s', 'pgoutput')",
                         name, name);
    }
    if (status != STATUS_OK)
        return status;
    if (strcmp(slot.plugin, "pgoutput") != 0) {
        return error_set(err, STATUS_REFUSED,
                         "the replication slot %s is %s%s: one for pgoutput is wanted",
                         name, slot.plugin[0] == '\0' ? "physical" : "for ", slot.plugin);
    }
    if (strcmp(slot.database, database) != 0) {
        return error_set(err, STATUS_REFUSED,
                         "the replication slot %s is of the database %s, not of %s", name,
                         slot.database, database);
    }
    if (slot.two_phase) {
        return error_set(err, STATUS_REFUSED,
                         "the replication slot %s tells transactions before their "
                         "commit: make it without two_phase",
                         name);
    }
    if (slot.wal_status == POSTGRES_WAL_LOST) {
        return error_set(err, STATUS_REFUSED,
                         "the replication slot %s was given up by the server: drop it "
                         "and make it anew",
                         name);
    }
    if (slot.active_pid != 0) {
        return error_set(err, STATUS_REFUSED,
                         "the replication slot %s is being read by process %" PRId64
                         " of the server, or is temporary",
                         name, slot.active_pid);
    }
    return STATUS_OK;
}

enum status postgres_slot_advance(struct postgres *postgres, const char *name,
                                  uint64_t lsn, struct error *err)
{
    struct lsn_text text = lsn_format(lsn);
    const char *parameters[] = {name, text.text};
    PGresult *result = NULL;
    enum status status = postgres_query(
        postgres, "SELECT pg_replication_slot_advance($1::name, $2::pg_lsn)", 2,
        parameters, &result, err);

    PQclear(result);
    return status == STATUS_OK ? status : error_wrap(err, status, "replication slot");
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
