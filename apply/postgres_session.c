/* The target's session with the server. */
#include "apply/postgres_target_private.h"

#include <inttypes.h>
#include <stdio.h>

void postgres_target_disconnect(struct postgres_target *target)
{
    postgres_schema_unload(&target->schema);
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

/* Foreign keys and triggers have run where the rows come from. Who may not say so writes
 * like anybody else. */
static enum status choose_role(struct postgres_target *target, struct error *err)
{
    enum status status =
        postgres_execute(target->postgres, "SET session_replication_role = replica", err);

    return status == STATUS_UNAVAILABLE ? STATUS_OK : status;
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
    /* Sets are found by key: planned once, whatever their size. */
    if (status == STATUS_OK)
        status = postgres_execute(target->postgres,
                                  "SET plan_cache_mode = force_generic_plan", err);
    if (status != STATUS_OK)
        postgres_target_disconnect(target);
    return status;
}
