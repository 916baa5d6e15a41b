/* What parking asks of SQLite, and who does it. */
#include "apply/sqlite_batch.h"
#include "apply/sqlite_mend.h"
#include "apply/sqlite_other.h"
#include "apply/sqlite_overrule.h"
#include "apply/sqlite_unique.h"

static struct sqlite_schema *schema_of(struct batch *batch)
{
    return sqlite_batch_of(batch)->schema;
}

static struct sqlite_writer *writer_of(struct batch_table *table)
{
    return sqlite_table_of(table)->writer;
}

/* ---- the row at hand */

static enum status key(struct batch *batch, struct batch_table *table, struct bytes bytes,
                       struct error *err)
{
    enum write_result result;
    enum status status =
        sqlite_schema_writer(schema_of(batch), sqlite_table_of(table), err);

    return status == STATUS_OK
               ? sqlite_writer_key(writer_of(table), NULL, bytes, &result, err)
               : status;
}

static enum status map(struct batch *batch, struct batch_table *table,
                       const struct definition *from, struct bytes image,
                       struct bytes bytes, enum write_result *result, struct error *err)
{
    enum status status =
        sqlite_schema_writer(schema_of(batch), sqlite_table_of(table), err);

    return status == STATUS_OK
               ? sqlite_writer_map(writer_of(table), from, image, bytes, result, err)
               : status;
}

static enum status carry(struct batch *batch, struct batch_table *table,
                         const struct definition *from, struct bytes image,
                         struct bytes bytes, bool *carried, struct error *err)
{
    (void)batch;
    return sqlite_writer_carry(writer_of(table), from, image, bytes, carried, err);
}

static enum status find(struct batch *batch, struct batch_table *table, bool *found,
                        struct error *err)
{
    (void)batch;
    return sqlite_writer_find(writer_of(table), found, err);
}

static enum status take_away(struct batch *batch, struct batch_table *table,
                             struct error *err)
{
    return sqlite_batch_remove(sqlite_batch_of(batch), sqlite_table_of(table), err);
}

static enum status write_row(struct batch *batch, const struct batch_row *row,
                             struct error *err)
{
    sqlite_schema_fire(schema_of(batch), row->table->fires);
    return sqlite_batch_write(sqlite_batch_of(batch), row, err);
}

static enum status placed(struct batch *batch, const struct batch_row *row,
                          struct error *err)
{
    return schema_of(batch)->triggers_write
               ? sqlite_overrule_row(sqlite_batch_of(batch), row, err)
               : sqlite_batch_note_written(sqlite_batch_of(batch), row, err);
}

/* ---- rows that are kept out of their table */

static enum status try_row(struct batch *batch, struct batch_table *table,
                           enum write_result *result, struct error *err)
{
    return sqlite_other_try(schema_of(batch), sqlite_table_of(table), result, err);
}

static enum status keep(struct batch *batch, struct batch_table *table, int64_t id,
                        struct error *err)
{
    return sqlite_other_keep(schema_of(batch), sqlite_table_of(table), id, err);
}

static enum status take(struct batch *batch, struct batch_table *table, int64_t id,
                        struct error *err)
{
    return sqlite_other_take(schema_of(batch), sqlite_table_of(table), id, err);
}

static enum status load(struct batch *batch, struct batch_table *table, int64_t id,
                        enum write_result *result, struct error *err)
{
    return sqlite_other_load(schema_of(batch), sqlite_table_of(table), id, result, err);
}

static enum status place(struct batch *batch, struct batch_table *table, int64_t id,
                         enum write_result *result, struct error *err)
{
    return sqlite_other_place(schema_of(batch), sqlite_table_of(table), id, result, err);
}

static enum status drop(struct batch *batch, struct batch_table *table, int64_t id,
                        struct error *err)
{
    return sqlite_other_drop(schema_of(batch), sqlite_table_of(table), id, err);
}

static enum status image(struct batch *batch, struct batch_table *table, int64_t id,
                         struct buffer *out, struct error *err)
{
    return sqlite_other_image(schema_of(batch), sqlite_table_of(table), id, out, err);
}

/* ---- constraints */

/* A unique index has a value once. */
static enum status holder(struct batch *batch, struct batch_table *table, uint32_t at,
                          uint32_t skip, struct buffer *out, struct error *err)
{
    return skip > 0 ? STATUS_NOT_FOUND
                    : sqlite_unique_holder(schema_of(batch), sqlite_table_of(table), at,
                                           out, err);
}

static enum status holds(struct batch *batch, struct batch_foreign *foreign,
                         bool *it_holds, bool *sure, struct error *err)
{
    (void)batch;
    return sqlite_foreign_holds(sqlite_foreign_of(foreign),
                                sqlite_writer_values(writer_of(foreign->child)), it_holds,
                                sure, err);
}

static enum status violated(struct batch *batch, struct batch_foreign *foreign,
                            enum row_place where, bool *is_violated, struct error *err)
{
    (void)batch;
    return sqlite_foreign_violated(sqlite_foreign_of(foreign),
                                   where == ROW_IN_TABLE ? SCHEMA_MAIN : SCHEMA_SCRATCH,
                                   is_violated, err);
}

static enum status blocker(struct batch *batch, struct batch_foreign *foreign,
                           struct buffer *out, struct error *err)
{
    (void)batch;
    return sqlite_foreign_blocker(sqlite_foreign_of(foreign), out, err);
}

static enum status note_gone(struct batch *batch, struct batch_foreign *foreign,
                             struct error *err)
{
    (void)batch;
    return sqlite_foreign_note_gone(sqlite_foreign_of(foreign), err);
}

static enum status forget_gone(struct batch *batch, struct batch_foreign *foreign,
                               struct error *err)
{
    (void)batch;
    return sqlite_foreign_forget_gone(sqlite_foreign_of(foreign), err);
}

static enum status next_orphan(struct batch *batch, struct batch_foreign *foreign,
                               bool all, struct buffer *out, struct error *err)
{
    (void)batch;
    return sqlite_foreign_next_orphan(sqlite_foreign_of(foreign), all, out, err);
}

static void stop(struct batch *batch, struct batch_foreign *foreign)
{
    (void)batch;
    sqlite_foreign_stop(sqlite_foreign_of(foreign));
}

/* ---- the batch */

static enum status mend_first(struct batch *batch, struct error *err)
{
    return sqlite_mend_first(sqlite_batch_of(batch), err);
}

static enum status end(struct batch *batch, uint32_t table, struct bytes bytes,
                       struct error *err)
{
    return sqlite_batch_end(sqlite_batch_of(batch), table, bytes, err);
}

const struct batch_ops sqlite_batch_ops = {
    .key = key,
    .map = map,
    .carry = carry,
    .find = find,
    .remove = take_away,
    .write = write_row,
    .placed = placed,
    .try_row = try_row,
    .keep = keep,
    .take = take,
    .load = load,
    .place = place,
    .drop = drop,
    .image = image,
    .holder = holder,
    .holds = holds,
    .violated = violated,
    .blocker = blocker,
    .note_gone = note_gone,
    .forget_gone = forget_gone,
    .next_orphan = next_orphan,
    .stop = stop,
    .mend_first = mend_first,
    .end = end,
};
