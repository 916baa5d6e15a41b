#include "node/write_back.h"

#include "node/node_private.h"

#include <string.h>

enum status write_back_lock(struct node *node, struct error *err)
{
    struct join_plan plan;
    enum status status = join_recall(node->store, &plan, err);

    if (status == STATUS_OK && plan.pending)
        return error_set(err, STATUS_REFUSED,
                         "this node has not joined its fleet yet: sync first");
    return status == STATUS_OK ? node_lock(node, false, err) : status;
}

void write_back_unlock(struct node *node)
{
    node_unlock(node, false);
}

/* ---- the transaction */

enum status write_back_bring_up(struct node *node, struct write_back_counts *counts,
                                struct error *err)
{
    enum status status = node_capture_locked(node, &counts->captured, err);

    return status == STATUS_OK ? node_apply_locked(node, &counts->applied, err) : status;
}

enum status write_back_begin(struct write_back *back, struct node *node,
                             struct write_back_counts *counts, struct error *err)
{
    enum status status = write_back_bring_up(node, counts, err);

    *back = (struct write_back){
        .node = node,
        .ops = node->sqlite != NULL ? &write_back_sqlite_ops : &write_back_postgres_ops,
    };
    if (status == STATUS_OK)
        status = node_source(node, &back->source, err);
    if (status == STATUS_OK)
        status = back->ops->begin(back, err);
    return status == STATUS_OK ? store_begin(node->store, TXN_READ, &back->txn, err)
                               : status;
}

static enum status refuse_table(const struct write_back *back, const char *name,
                                struct error *err)
{
    for (size_t i = 0; i < back->catalog.skipped_count; i++) {
        if (strcmp(back->catalog.skipped[i].name, name) == 0)
            return error_set(err, STATUS_REFUSED, "%s is not replicated here: %s", name,
                             back->catalog.skipped[i].why);
    }
    return error_set(err, STATUS_REFUSED,
                     "this database has no table %s, or leaves it out", name);
}

enum status write_back_table(struct write_back *back, uint32_t id, struct error *err)
{
    struct node *node = back->node;
    const char *name = NULL, *local = NULL;
    bool here = false;
    enum status status = tables_name(back->txn, id, &name, err);

    if (status == STATUS_OK)
        status = back->ops->read_catalog(back, err);
    for (size_t i = 0; status == STATUS_OK && i < back->catalog.count && !here; i++) {
        here = strcmp(back->catalog.definitions[i]->name, name) == 0;
        local = here ? back->catalog.definitions[i]->local_name : local;
    }
    if (status == STATUS_OK && !here)
        return refuse_table(back, name, err);
    if (status == STATUS_OK &&
        table_rules_direction(&node->config.rules, local) == TABLE_IN) {
        return error_set(
            err, STATUS_REFUSED,
            "%s: this node only takes it (direction = in): decide on another "
            "node",
            name);
    }
    if (status == STATUS_OK)
        status = tables_newest(back->txn, store_identity(node->store)->node, id,
                               &back->table, err);
    return status == STATUS_OK ? back->ops->open_table(back, err) : status;
}

enum status write_back_check(enum write_result result, struct error *err)
{
    struct error why = *err;

    return result == WRITE_DONE ? STATUS_OK
                                : error_set(err, STATUS_REFUSED,
                                            "the database refuses it, nothing was "
                                            "changed: %s",
                                            why.text);
}

static void end_reading(struct write_back *back)
{
    store_abort(back->txn);
    back->txn = NULL;
}

static enum status find_seq(struct write_back *back, struct bytes key, uint64_t *seq,
                            struct error *err)
{
    struct row row = {0};
    enum status status = store_begin(back->node->store, TXN_READ, &back->txn, err);

    if (status == STATUS_OK)
        status = rows_get(back->txn, back->table.id, key, &row, err);
    if (status == STATUS_NOT_FOUND)
        status = error_set(err, STATUS_IO, "the row is not in the log");
    *seq = row.last.seq;
    end_reading(back);
    return status;
}

enum status write_back_commit(struct write_back *back, const char *note, struct bytes key,
                              struct write_back_counts *counts, uint64_t *seq,
                              struct error *err)
{
    bool committed = false;
    enum status status;

    end_reading(back);
    status = back->ops->commit(back, note, &counts->captured, &committed, err);
    if (status == STATUS_OK)
        status = find_seq(back, key, seq, err);
    if (status != STATUS_OK && committed) {
        return error_wrap(err, status,
                          "the row is written, but not in the log yet (the next capture "
                          "takes it)");
    }
    return status == STATUS_OK ? node_apply_locked(back->node, &counts->applied, err)
                               : status;
}

void write_back_end(struct write_back *back)
{
    end_reading(back);
    catalog_release(&back->catalog);
    back->ops->end(back);
}
