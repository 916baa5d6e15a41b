/* Batches of our own, seen again: what the database holds from there on. */
#include "capture/postgres_source_private.h"

#include "engine/postgres_mark.h"
#include "engine/postgres_slot.h"
#include "log/echo.h"

#include <inttypes.h>

enum status postgres_echo_begin(struct postgres_source *self, struct bytes content,
                                struct error *err)
{
    struct postgres_mark mark;
    struct store_txn *txn;
    struct intent intent;
    enum status status;

    if (!postgres_mark_parse(content, &mark) ||
        mark.node != store_identity(self->store)->node)
        return STATUS_OK;
    status = appender_txn(self->run.appender, &txn, err);
    if (status == STATUS_OK)
        status = intent_get(txn, &intent, err);
    if (status == STATUS_NOT_FOUND ||
        (status == STATUS_OK && (intent.counter != mark.counter ||
                                 intent.from != mark.from || intent.to != mark.to))) {
        return error_set(err, STATUS_REFUSED,
                         "the database has a batch (%" PRIu64 ", entries %" PRIu64
                         " to %" PRIu64 ") that the store knows nothing of: the store is "
                         "an older copy: bring back the newer one, or, if this is the "
                         "newest, " POSTGRES_RESYNC,
                         mark.counter, mark.from + 1, mark.to);
    }
    if (status != STATUS_OK)
        return status;
    self->told.echo = true;
    self->told.intent = intent;
    self->told.intent.out = (struct bytes){NULL, 0}; /* a view */
    return STATUS_OK;
}

/* Whether the row has columns that what was written says nothing of. */
static bool lacks(const struct definition *from, const struct definition *own)
{
    if (from == own)
        return false;
    for (uint32_t i = 0; i < own->column_count; i++) {
        if (own->columns[i].generated == GENERATED_NO &&
            definition_map_column(own, i, from) < 0)
            return true;
    }
    return false;
}

/* Encode what the row is now: what was written, and for the rest what the database has,
 * which is in the layer's values. */
static enum status compose(struct postgres_relation *relation,
                           const struct echo_row *echo, const struct definition *from,
                           struct buffer *out, struct error *err)
{
    const struct definition *own = postgres_relation_definition(relation);
    struct value *values = row_layer_values(postgres_relation_layer(relation));
    struct image image;
    uint32_t place = 0;
    enum status status;

    image_init(&image);
    status = image_decode(&image, echo->row.image, from, echo->row.key, err);
    for (uint32_t i = 0; status == STATUS_OK && i < own->column_count; i++) {
        int32_t column, there;

        if (own->columns[i].generated != GENERATED_NO)
            continue;
        column = definition_map_column(own, i, from);
        there = column < 0 ? -1 : definition_image_place(from, (uint32_t)column);
        if (there >= 0 && image.values[there].type != VALUE_ABSENT)
            values[place] = image.values[there];
        place++;
    }
    buffer_clear(out);
    if (status == STATUS_OK)
        image_encode(out, values, own);
    image_release(&image);
    return status == STATUS_OK ? buffer_check(out, err) : status;
}

/* What the row is here beyond what was written, in self->moved; empty: nothing. */
static enum status find_kept(struct postgres_source *self,
                             struct postgres_relation *relation, struct store_txn *txn,
                             const struct echo_row *echo, struct error *err)
{
    struct row_layer *layer = postgres_relation_layer(relation);
    struct table from;
    enum status status;

    buffer_clear(&self->moved);
    if (!echo->row.live)
        return STATUS_OK;
    status =
        tables_find(txn, echo->row.definition_origin, echo->row.definition, &from, err);
    if (status != STATUS_OK ||
        !lacks(from.definition, postgres_relation_definition(relation)))
        return status;
    /* What is out of line and was not told is as it was. */
    status = row_layer_fill(layer, &self->run, echo->row.key, err);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        status = compose(relation, echo, from.definition, &self->moved, err);
    return status;
}

/* Rows that are held now, in steps: told again, each comes to the same. */
static enum status count_row(struct postgres_source *self, struct error *err)
{
    if (++self->told.held < STEP_CHANGES || appender_item_count(self->run.appender) > 0)
        return STATUS_OK;
    self->told.held = 0;
    return appender_commit(self->run.appender, err);
}

enum status postgres_echo_row(struct postgres_source *self,
                              struct postgres_relation *relation, bool live, bool *ours,
                              struct error *err)
{
    const struct definition *own = postgres_relation_definition(relation);
    struct row_layer *layer = postgres_relation_layer(relation);
    uint32_t table = postgres_relation_table(relation);
    struct store_txn *txn;
    struct echo_row echo;
    enum status status;

    buffer_clear(&self->new_key);
    status = image_key(&self->new_key, row_layer_values(layer), own, err);
    if (status == STATUS_OK)
        status = buffer_check(&self->new_key, err);
    if (status == STATUS_OK)
        status = appender_write_txn(self->run.appender, &txn, err);
    if (status == STATUS_OK)
        status = echo_find(txn, &self->told.intent, table, buffer_view(&self->new_key),
                           &echo, err);
    *ours = status == STATUS_OK;
    if (status != STATUS_OK || echo.settled)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    if (live != echo.row.live) {
        *ours = !live;
        return live ? STATUS_OK : echo_gone(txn, &echo, err);
    }
    status = find_kept(self, relation, txn, &echo, err);
    if (status == STATUS_OK) {
        status = echo_hold(txn, &self->told.intent, &echo, buffer_view(&self->moved),
                           own->number, &self->old_key, err);
    }
    return status == STATUS_OK ? count_row(self, err) : status;
}

enum status postgres_echo_end(struct postgres_source *self, uint64_t end_lsn,
                              struct error *err)
{
    struct meta_update updates[] = {
        {META_LSN,      end_lsn                  },
        {META_LOOK_LSN, self->look_lsn           },
        {META_LOOK_US,  self->look_us            },
        {META_SEEN,     self->told.intent.counter}  /* the next batch has another */
    };
    enum status status = postgres_run_yield(self, err);

    self->told.echo = false;
    self->told.held = 0;
    if (status == STATUS_OK)
        status = intent_fold(self->store, NULL, updates, 4, err);
    if (status == STATUS_OK)
        status = postgres_run_resume(self, err);
    if (status != STATUS_OK)
        return status;
    self->kept = self->lsn = end_lsn;
    postgres_stream_confirm(self->stream, self->kept);
    return STATUS_OK;
}
