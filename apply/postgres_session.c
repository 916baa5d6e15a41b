/* The target's session with the server. */
#include "apply/postgres_target_private.h"

#include <inttypes.h>
#include <stdio.h>

void postgres_target_disconnect(struct postgres_target *target)
{
    postgres_schema_unload(&target->schema);
    /* After a crash the server may give the same numbers to others. */
    target->guard.known_count = target->guard.learned_count = 0;
    postgres_close(target->postgres);
    target->postgres = NULL;
}

/* One applier at a time, and none while a session that was left behind still commits. */
static enum status take_turn(struct postgres_target *target, struct error *err)
{
    char sql[128];
    enum status status;

    (void)snprintf(sql, sizeof sql,
                   "SET lock_timeout = '10s'; SELECT pg_advisory_lock(%" PRId64 ")",
                   (int64_t)store_identity(target->store)->node);
    status = postgres_execute(target->postgres, sql, err);
    if (status == STATUS_BUSY)
        return error_set(err, STATUS_BUSY,
                         "another session of this node still writes into the database");
    return status;
}

/* Foreign keys and triggers have run where the rows come from. */
static enum status choose_role(struct postgres_target *target, struct error *err)
{
    enum status status =
        postgres_execute(target->postgres, "SET session_replication_role = replica", err);

    target->replica = status == STATUS_OK;
    return status == STATUS_UNAVAILABLE ? STATUS_OK : status;
}

/* Those of replicated tables, deferrable unique constraints apart. */
static const char firing_sql[] =
    ") AND EXISTS (SELECT FROM pg_trigger AS g"
    " LEFT JOIN pg_constraint AS f ON f.oid = g.tgconstraint"
    " WHERE g.tgrelid = c.oid AND g.tgenabled = 'O'"
    " AND (NOT g.tgisinternal OR f.contype = 'f')) ORDER BY 1 LIMIT 1";

static enum status put_question(const struct postgres_target *target, struct buffer *sql,
                                struct error *err)
{
    const struct postgres_schema *schema = &target->schema;

    buffer_put_bytes(sql,
                     bytes_of_text("SELECT c.oid::regclass, quote_ident(current_user)"
                                   " FROM pg_class AS c WHERE c.oid IN (NULL"));
    for (size_t i = 0; i < schema->base.count; i++) {
        const char *name = schema->tables[i].base.definition->local_name;

        if (table_rules_direction(target->options.rules, name) == TABLE_OUT)
            continue;
        buffer_put_bytes(sql, bytes_of_text(", "));
        postgres_put_literal(sql, name);
        buffer_put_bytes(sql, bytes_of_text("::regclass"));
    }
    buffer_put_bytes(sql, bytes_of_text(firing_sql));
    buffer_put(sql, 0, 1);
    return buffer_check(sql, err);
}

enum status postgres_target_check_role(struct postgres_target *target, struct error *err)
{
    struct buffer sql = {0};
    PGresult *found = NULL;
    enum status status;

    if (target->replica)
        return STATUS_OK;
    status = put_question(target, &sql, err);
    if (status == STATUS_OK) {
        status = postgres_query(target->postgres, (const char *)sql.data, 0, NULL, &found,
                                err);
    }
    if (status == STATUS_OK && PQntuples(found) > 0) {
        status =
            error_set(err, STATUS_UNAVAILABLE,
                      "%s has triggers or foreign keys, and the role may not silence "
                      "them for what comes from others: GRANT SET ON PARAMETER "
                      "session_replication_role TO %s",
                      PQgetvalue(found, 0, 0), PQgetvalue(found, 0, 1));
    }
    PQclear(found);
    buffer_release(&sql);
    return status;
}

/* Capture waits for a batch's echo, which is told when it is flushed: with what a
 * database may be set to, that is at leisure. */
static enum status flush_at_commit(struct postgres_target *target, struct error *err)
{
    return postgres_execute(target->postgres,
                            "SELECT set_config('synchronous_commit', 'local', false)"
                            " WHERE current_setting('synchronous_commit') = 'off'",
                            err);
}

enum status postgres_target_connect(struct postgres_target *target, struct error *err)
{
    enum status status;

    if (target->postgres != NULL &&
        PQstatus(postgres_handle(target->postgres)) == CONNECTION_OK)
        return STATUS_OK;
    postgres_target_disconnect(target);
    status = postgres_open(&target->postgres, target->options.url, POSTGRES_WRITE, err);
    if (status == STATUS_OK)
        status = take_turn(target, err);
    if (status == STATUS_OK)
        status = choose_role(target, err);
    if (status == STATUS_OK)
        status = flush_at_commit(target, err);
    /* Then what is held is left. Shorter than deadlock_timeout's default. */
    if (status == STATUS_OK)
        status = postgres_execute(target->postgres, "SET lock_timeout = '900ms'", err);
    /* Sets are found by key: planned once, whatever their size. */
    if (status == STATUS_OK)
        status = postgres_execute(target->postgres,
                                  "SET plan_cache_mode = force_generic_plan", err);
    if (status != STATUS_OK)
        postgres_target_disconnect(target);
    return status;
}
