/* Messages of the stream, laid over what the store says the database holds. */
#include "capture/postgres_source_private.h"

#include "capture/schema_log.h"
#include "engine/postgres_mark.h"
#include "engine/postgres_slot.h"
#include "log/entry.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* pg_logical_emit_message(true, this, why): the note of the transaction's entry. */
#define NOTE_PREFIX "rowferry.note"

/* ---- whose rows they are */

static enum status end_definitions(struct postgres_source *self, struct error *err)
{
    struct local_entry entry = {.kind = ENTRY_TABLES};
    uint64_t seq;
    enum status status;

    if (appender_item_count(self->run.appender) == 0)
        return STATUS_OK;
    status = appender_end_local(self->run.appender, &entry, &seq, err);
    return status == STATUS_OK ? appender_commit(self->run.appender, err) : status;
}

/* The definition comes before the entry that uses it: what was added of that one is
 * dropped, and is told again. */
static enum status log_definition(struct postgres_source *self,
                                  struct definition *definition, struct error *err)
{
    enum status status;

    self->again = appender_item_count(self->run.appender) > 0;
    appender_drop(self->run.appender);
    status = postgres_run_forget(self, err);
    if (status == STATUS_OK)
        status = schema_log_add(definition, self->run.appender, err);
    return status == STATUS_OK ? end_definitions(self, err) : status;
}

/* *out is NULL when the rows are to be passed over. */
static enum status find_relation(struct postgres_source *self, uint32_t oid,
                                 struct postgres_relation **out, struct error *err)
{
    struct definition *definition = NULL;
    enum relation_need need = RELATION_FOREIGN;
    struct store_txn *txn;
    enum status status;

    for (int i = 0; i < 2; i++) {
        status = appender_txn(self->run.appender, &txn, err);
        if (status == STATUS_OK)
            status = postgres_relations_find(self->relations, txn, oid, &need, out,
                                             &definition, err);
        if (status != STATUS_OK || need != RELATION_NEW)
            break;
        status = log_definition(self, definition, err);
        definition_close(definition);
        if (status != STATUS_OK || self->again)
            break;
    }
    if (status != STATUS_OK || self->again || need != RELATION_READY)
        *out = NULL;
    return status;
}

/* ---- rows */

static enum status put(struct postgres_source *self, struct postgres_relation *relation,
                       struct error *err)
{
    bool held = false;
    enum status status =
        row_layer_put(postgres_relation_layer(relation), &self->run, &held, err);

    /* The store does not know the row that the database changed. */
    if (status == STATUS_NOT_FOUND) {
        return error_set(err, STATUS_REFUSED,
                         "%s: an update tells only a part of a row that is not in the "
                         "log: " POSTGRES_RESYNC,
                         postgres_relation_definition(relation)->name);
    }
    return status;
}

static enum status lay_insert(struct postgres_source *self,
                              struct postgres_relation *relation,
                              const struct pgoutput_message *message, struct error *err)
{
    enum status status = postgres_relation_take(relation, &message->row.after, err);

    return status == STATUS_OK ? put(self, relation, err) : status;
}

static enum status lay_delete(struct postgres_source *self,
                              struct postgres_relation *relation,
                              const struct pgoutput_message *message, struct error *err)
{
    enum status status = postgres_relation_take(relation, &message->row.before, err);

    return status == STATUS_OK
               ? row_layer_delete(postgres_relation_layer(relation), &self->run, err)
               : status;
}

static bool is_partial(const struct value *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (values[i].type == VALUE_ABSENT)
            return true;
    return false;
}

/* What is out of line and did not change stands in the row before: of a key always, of
 * the rest when the whole of it is told. */
static void fill_from_old(struct postgres_relation *relation, enum pgoutput_old kind,
                          const struct value *old)
{
    const struct definition *definition = postgres_relation_definition(relation);
    struct value *values = row_layer_values(postgres_relation_layer(relation));
    uint32_t place = 0;

    for (uint32_t i = 0; i < definition->column_count; i++) {
        const struct column *column = &definition->columns[i];

        if (column->generated != GENERATED_NO)
            continue;
        if (values[place].type == VALUE_ABSENT &&
            (column->key_position > 0 || kind == PGOUTPUT_OLD_FULL))
            values[place] = old[place];
        place++;
    }
}

static enum status put_key(struct buffer *key, const struct value *values,
                           const struct definition *definition, struct error *err)
{
    enum status status;

    buffer_clear(key);
    status = image_key(key, values, definition, err);
    return status == STATUS_OK ? buffer_check(key, err) : status;
}

/* Copy what the values show, which is then self->moved's. */
static enum status keep_values(struct postgres_source *self, struct value *values,
                               uint32_t count, struct error *err)
{
    struct buffer *kept = &self->moved;
    enum status status;
    size_t at = 0;

    buffer_clear(kept);
    for (uint32_t i = 0; i < count; i++)
        if (values[i].type >= VALUE_TEXT && values[i].type <= VALUE_TYPED)
            buffer_put_bytes(kept, values[i].bytes);
    status = buffer_check(kept, err);
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        if (values[i].type < VALUE_TEXT || values[i].type > VALUE_TYPED ||
            values[i].bytes.size == 0)
            continue;
        values[i].bytes.data = kept->data + at;
        at += values[i].bytes.size;
    }
    return status;
}

/* The row goes from its old key; what of it was not told goes along. */
static enum status leave_key(struct postgres_source *self,
                             struct postgres_relation *relation, const struct value *old,
                             struct error *err)
{
    struct row_layer *layer = postgres_relation_layer(relation);
    uint32_t count = postgres_relation_definition(relation)->stored_count;
    struct value *values = row_layer_values(layer);
    struct value *moved = calloc(count, sizeof *moved);
    enum status status = STATUS_OK;

    if (moved == NULL)
        return error_set(err, STATUS_NO_MEMORY, "capture: out of memory");
    /* Views of what the store has end with the next change: what they show is copied. */
    if (is_partial(values, count)) {
        status = row_layer_fill(layer, &self->run, buffer_view(&self->old_key), err);
        if (status == STATUS_OK)
            status = keep_values(self, values, count, err);
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK; /* put() says so */
    }
    if (status == STATUS_OK) {
        memcpy(moved, values, count * sizeof *moved);
        memcpy(values, old, count * sizeof *values);
        status = row_layer_delete(layer, &self->run, err);
        memcpy(values, moved, count * sizeof *values);
    }
    free(moved);
    return status;
}

static enum status lay_update(struct postgres_source *self,
                              struct postgres_relation *relation,
                              const struct pgoutput_message *message, struct error *err)
{
    const struct definition *definition = postgres_relation_definition(relation);
    struct value *old = NULL;
    enum status status = postgres_relation_take(relation, &message->row.after, err);

    if (status != STATUS_OK || message->row.old_kind == PGOUTPUT_OLD_NONE)
        return status == STATUS_OK ? put(self, relation, err) : status;
    status = postgres_relation_take_old(relation, &message->row.before, &old, err);
    if (status != STATUS_OK)
        return status;
    fill_from_old(relation, message->row.old_kind, old);
    status = put_key(&self->old_key, old, definition, err);
    if (status == STATUS_OK) {
        status =
            put_key(&self->new_key, row_layer_values(postgres_relation_layer(relation)),
                    definition, err);
    }
    if (status == STATUS_OK &&
        !bytes_equal(buffer_view(&self->old_key), buffer_view(&self->new_key)))
        status = leave_key(self, relation, old, err);
    return status == STATUS_OK ? put(self, relation, err) : status;
}

/* A row of a batch of our own. What triggers wrote in it is a local write like others. */
static enum status lay_echo(struct postgres_source *self,
                            struct postgres_relation *relation,
                            const struct pgoutput_message *message, bool *ours,
                            struct error *err)
{
    bool live = message->kind != PGOUTPUT_DELETE;
    enum status status;

    *ours = !self->told.intent.echoed; /* the fold knows it all */
    if (*ours)
        return STATUS_OK;
    status = postgres_relation_take(
        relation, live ? &message->row.after : &message->row.before, err);
    return status == STATUS_OK ? postgres_echo_row(self, relation, live, ours, err)
                               : status;
}

static enum status lay_row(struct postgres_source *self,
                           const struct pgoutput_message *message, struct error *err)
{
    struct postgres_relation *relation = NULL;
    enum status status = find_relation(self, message->row.relation, &relation, err);

    if (status != STATUS_OK || relation == NULL)
        return status;
    if (self->told.echo) {
        bool ours = false;

        status = lay_echo(self, relation, message, &ours, err);
        if (status != STATUS_OK || ours)
            return status;
    }
    self->run.pending = self->pending;
    if (message->kind == PGOUTPUT_INSERT)
        return lay_insert(self, relation, message, err);
    if (message->kind == PGOUTPUT_DELETE)
        return lay_delete(self, relation, message, err);
    return lay_update(self, relation, message, err);
}

/* Every row that the database held goes. */
static enum status lay_truncate(struct postgres_source *self,
                                const struct pgoutput_message *message, struct error *err)
{
    struct bytes relations = message->truncate.relations;
    struct postgres_relation *relation;
    enum status status = STATUS_OK;
    uint32_t oid;

    while (status == STATUS_OK && !self->again &&
           pgoutput_take_relation(&relations, &oid)) {
        status = find_relation(self, oid, &relation, err);
        self->run.pending = self->pending;
        if (status == STATUS_OK && relation != NULL)
            status = row_layer_gone(postgres_relation_layer(relation), &self->run, NULL,
                                    NULL, err);
    }
    return status;
}

/* ---- transactions */

static void begin(struct postgres_source *self, const struct pgoutput_message *message)
{
    self->told.open = true;
    self->told.skipped = message->begin.final_lsn < self->lsn;
    self->told.echo = false;
    buffer_clear(&self->told.note);
}

static enum status commit_echo(struct postgres_source *self,
                               const struct local_entry *written, struct error *err)
{
    struct local_entry entry = *written;
    enum status status = STATUS_OK;
    uint64_t seq;

    entry.update_count = 0; /* the transaction counts when all of it is folded */
    if (appender_item_count(self->run.appender) > 0)
        status = appender_end_local(self->run.appender, &entry, &seq, err);
    return status == STATUS_OK ? postgres_echo_end(self, self->lsn, err) : status;
}

static enum status commit(struct postgres_source *self,
                          const struct pgoutput_message *message, struct error *err)
{
    int64_t commit_us = message->commit.commit_us;
    struct meta_update update = {META_LSN, message->commit.end_lsn};
    struct local_entry entry = {
        .kind = ENTRY_CHANGES,
        .commit_us = commit_us > 0 ? (uint64_t)commit_us : 1,
        .updates = &update,
        .update_count = 1,
    };
    struct buffer fields = {0};
    uint64_t seq;
    enum status status = STATUS_OK;

    self->told.open = false;
    if (self->told.skipped)
        return STATUS_OK;
    if (self->run.pending != NULL)
        status = postgres_run_forget(self, err);
    if (status != STATUS_OK)
        return status;
    self->lsn = message->commit.end_lsn;
    if (self->told.echo)
        return commit_echo(self, &entry, err);
    if (appender_item_count(self->run.appender) == 0)
        return STATUS_OK;
    if (self->told.note.size > 0)
        entry_field_put(&fields, FIELD_NOTE, buffer_view(&self->told.note));
    status = buffer_check(&fields, err);
    entry.fields = buffer_view(&fields);
    if (status == STATUS_OK)
        status = appender_end_local(self->run.appender, &entry, &seq, err);
    self->waiting = status == STATUS_OK;
    buffer_release(&fields);
    return status;
}

static enum status take_message(struct postgres_source *self,
                                const struct pgoutput_message *message, struct error *err)
{
    if (!self->told.open || self->told.skipped || !message->message.transactional)
        return STATUS_OK;
    if (strcmp(message->message.prefix, POSTGRES_MARK_PREFIX) == 0)
        return postgres_echo_begin(self, message->message.content, err);
    if (strcmp(message->message.prefix, NOTE_PREFIX) == 0) {
        buffer_clear(&self->told.note);
        buffer_put_bytes(&self->told.note, message->message.content);
    }
    return STATUS_OK;
}

enum status postgres_source_lay(struct postgres_source *self,
                                const struct pgoutput_message *message, struct error *err)
{
    switch (message->kind) {
    case PGOUTPUT_BEGIN:
        begin(self, message);
        return STATUS_OK;
    case PGOUTPUT_COMMIT:
        return commit(self, message, err);
    case PGOUTPUT_RELATION:
        return postgres_relations_take(self->relations, message, err);
    case PGOUTPUT_INSERT:
    case PGOUTPUT_UPDATE:
    case PGOUTPUT_DELETE:
        return self->told.skipped ? STATUS_OK : lay_row(self, message, err);
    case PGOUTPUT_TRUNCATE:
        return self->told.skipped ? STATUS_OK : lay_truncate(self, message, err);
    case PGOUTPUT_MESSAGE:
        return take_message(self, message, err);
    default:
        return STATUS_OK;
    }
}
