/* The begin of a batch and its end: what may still be refused there, constraint triggers
 * that wait for the commit and yet fire for a replica, is refused with the whole
 * transaction. */
#include "apply/postgres_refusal.h"
#include "apply/postgres_sequences.h"
#include "apply/postgres_sql.h"
#include "apply/postgres_target_private.h"
#include "engine/postgres_mark.h"

#include <string.h>

enum status postgres_target_mark(struct postgres_target *target,
                                 const struct intent *intent, struct error *err)
{
    struct postgres_mark mark = {.node = store_identity(target->store)->node,
                                 .from = intent->from,
                                 .to = intent->to,
                                 .counter = intent->counter};
    char content[POSTGRES_MARK_SIZE];
    const char *parameters[] = {POSTGRES_MARK_PREFIX, content};
    PGresult *done = NULL;
    enum status status;

    postgres_mark_format(content, &mark);
    status = postgres_query(target->postgres,
                            "SELECT pg_logical_emit_message(true, $1::text, $2::text)", 2,
                            parameters, &done, err);
    PQclear(done);
    return status;
}

/* Whatever can still be asked of the database before the commit. */
enum status postgres_target_conclude(struct postgres_target *target, struct error *err)
{
    enum status status = postgres_sequences_move(&target->schema, err);

    return status == STATUS_OK ? postgres_guard_own(&target->guard, target->postgres, err)
                               : status;
}

/* Halves of the batch, until the entry to blame is alone: what its rows are held against
 * is its own whole. Only then row by row. */
static enum status refused(struct postgres_target *target, struct postgres_batch *batch,
                           struct error *err)
{
    uint64_t entries = batch->base.range.to - batch->base.range.from;
    uint64_t most = target->narrow > 0 && target->narrow < batch->changes
                        ? target->narrow
                        : batch->changes;

    if (entries > 1 && most > 1) {
        target->narrow = most / 2;
    } else if (!target->immediate) {
        target->immediate = true;
    } else {
        return error_wrap(err, STATUS_IO, "COMMIT");
    }
    batch->again = true;
    return STATUS_CONSTRAINT;
}

static void widen(struct postgres_target *target)
{
    target->immediate = false;
    target->narrow = target->narrow < POSTGRES_NARROW_MAX ? target->narrow * 2 : 0;
}

enum status postgres_target_commit(struct postgres_target *target,
                                   struct postgres_batch *batch, struct error *err)
{
    PGresult *result;
    enum status status = STATUS_OK;

    if (batch->schema->own_paths)
        status = postgres_execute(target->postgres, POSTGRES_OWN_PATH, err);
    if (status != STATUS_OK)
        return status;
    result = PQexec(postgres_handle(target->postgres), "COMMIT");
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        status = postgres_refusal(target->postgres, result, "COMMIT", err);
        if (status == STATUS_CONSTRAINT)
            status = refused(target, batch, err);
    } else if (strcmp(PQcmdStatus(result), "COMMIT") != 0) {
        /* A transaction that had failed is rolled back by COMMIT, without an error. */
        status = error_set(err, STATUS_IO, "COMMIT: the transaction had failed before");
    } else {
        widen(target);
    }
    PQclear(result);
    return status;
}
