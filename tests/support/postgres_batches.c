#include "tests/support/postgres_batches.h"

#include "apply/parking.h"
#include "engine/sqlite_database.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct error err;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

void batches_open(struct batches *batches, struct cluster *cluster,
                  struct apply_node *node)
{
    *batches = (struct batches){.node = node};
    OK(postgres_open(&batches->postgres, cluster->url, POSTGRES_WRITE, &err));
    OK(postgres_execute(batches->postgres, "SET session_replication_role = replica",
                        &err));
    OK(sqlite_scratch_open(&batches->scratch, &err));
    OK(items_open(&batches->items, batches->scratch, &err));
    OK(moved_open(&batches->moved, batches->scratch, &err));
}

void batches_close(struct batches *batches)
{
    postgres_schema_unload(&batches->schema);
    items_close(batches->items);
    moved_close(batches->moved);
    sqlite_database_close(batches->scratch);
    postgres_close(batches->postgres);
}

static void write_intent(struct batches *batches, struct postgres_batch *batch,
                         const struct intent *intent)
{
    struct intent_writer *writer;

    /* No echo tells the store what was written: the plan does, and for rows beyond it the
     * note must. */
    OK(sqlite_execute(batches->scratch,
                      "UPDATE temp.rowferry_item SET kind = 2"
                      " WHERE kind = 5",
                      &err));
    OK(intent_writer_open(&writer, batch->base.store, &err));
    OK(items_write(batch->base.items, writer, &err));
    OK(parking_write(&batch->base, writer, &err));
    OK(intent_writer_end(writer, intent, &err));
    intent_writer_close(writer);
}

static void prepare(struct batches *batches, struct postgres_batch *batch, bool all)
{
    struct store *store = batches->node->scan.store;
    uint64_t generation = 0;

    batch->postgres = batches->postgres;
    batch->mode = BATCH_LOCKED;
    batch->schema = &batches->schema;
    batch->base.ops = &postgres_batch_ops;
    batch->base.schema = &batches->schema.base;
    batch->base.store = store;
    batch->base.items = batches->items;
    batch->base.moved = batches->moved;
    batch->base.now_us = batches->node->scan.now_us;
    batch->base.all = all;
    OK(store_begin(store, TXN_READ, &batch->base.txn, &err));
    if (tables_generation(batch->base.txn, &generation, &err) != STATUS_OK ||
        generation != batches->generation) {
        postgres_schema_unload(&batches->schema);
        OK(postgres_schema_load(&batches->schema, batches->postgres, batch->base.txn,
                                NULL, true, &err));
        batches->generation = generation;
    }
    OK(parked_count(batch->base.txn, &batch->base.parked, &err));
    OK(items_clear(batch->base.items, &err));
    OK(moved_clear(batch->base.moved, &err));
    batch->base.changed =
        calloc(batches->schema.base.group_count + 1, sizeof *batch->base.changed);
}

/* *more: something is left to apply. */
static void run_one(struct batches *batches, uint64_t changes_max, bool all, bool *more)
{
    struct store *store = batches->node->scan.store;
    struct progress_step progress = {0};
    struct postgres_batch batch = {
        .base = {.counts = &batches->counts, .progress = &progress}
    };
    struct plan_extent extent;
    struct intent intent;

    OK(postgres_begin(batches->postgres, &err));
    prepare(batches, &batch, all);
    OK(meta_get(batch.base.txn, META_APPLIED, &batch.base.range.from, &err));
    OK(plan_extent(batch.base.txn, batch.base.range.from, changes_max, &extent, &err));
    batch.base.range.to = extent.to;
    *more = extent.to < scan_last_seq(&batches->node->scan);
    OK(postgres_locked_write_plan(&batch, &err));
    OK(batch_retry(&batch.base, &err));
    OK(parking_resolve(&batch.base, &err));
    store_abort(batch.base.txn);
    intent = (struct intent){.from = batch.base.range.from,
                             .to = extent.to,
                             .counter = 1,
                             .max_stamp_us = extent.max_stamp_us};
    write_intent(batches, &batch, &intent);
    OK(postgres_commit(batches->postgres, &err));
    OK(intent_fold(store, NULL, NULL, 0, &err));
    postgres_batch_release(&batch);
}

void batches_run(struct batches *batches, uint64_t changes_max, bool all)
{
    bool more = true;

    batches->node->scan.now_us += 1000000;
    OK(store_lock(batches->node->scan.store, LOCK_CAPTURE, &err));
    OK(store_lock(batches->node->scan.store, LOCK_APPLY, &err));
    while (more)
        run_one(batches, changes_max, all, &more);
    store_unlock(batches->node->scan.store, LOCK_APPLY);
    store_unlock(batches->node->scan.store, LOCK_CAPTURE);
}

const char *batches_text(struct batches *batches, const char *sql)
{
    static char *text;
    static size_t size;
    PGresult *rows;
    FILE *out;

    free(text);
    out = open_memstream(&text, &size);
    OK(postgres_query(batches->postgres, sql, 0, NULL, &rows, &err));
    for (int i = 0; i < PQntuples(rows); i++)
        (void)fprintf(out, "%s%s", i > 0 ? ";" : "",
                      PQgetisnull(rows, i, 0) ? "NULL" : PQgetvalue(rows, i, 0));
    (void)fclose(out);
    PQclear(rows);
    return text;
}

void batches_expect(struct batches *batches, const char *sql, const char *text)
{
    const char *found = batches_text(batches, sql);

    cr_expect_str_eq(found, text, "%s gives\n  %s\ninstead of\n  %s", sql, found, text);
}
