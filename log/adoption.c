/* META_ADOPTION while an entry in parts is being merged:
 *
 *   seq 8, next index 4, now_us 8, then the entry's cumulative context
 *
 * The entry's record stands in `log` already, but META_LAST_SEQ, META_VECTOR and its
 * origin's head pass it only with the last step: until then nobody counts it. */
#include "log/adoption.h"

#include <assert.h>
#include <string.h>

struct adoption {
    uint64_t seq;
    uint32_t next_index;
    uint64_t now_us;
    struct version_vector context;
};

static enum status adoption_put(struct store_txn *txn, const struct adoption *adoption,
                                struct error *err)
{
    struct buffer record = {0};
    enum status status;

    buffer_put(&record, adoption->seq, 8);
    buffer_put(&record, adoption->next_index, 4);
    buffer_put(&record, adoption->now_us, 8);
    version_vector_put(&record, &adoption->context);
    status = buffer_check(&record, err);
    if (status == STATUS_OK)
        status = meta_put_bytes(txn, META_ADOPTION, buffer_view(&record), err);
    buffer_release(&record);
    return status;
}

/* NOT_FOUND: none is pending. adoption->context is initialised by the caller. */
static enum status adoption_get(struct store_txn *txn, struct adoption *out,
                                struct error *err)
{
    struct bytes record;
    uint64_t next;
    enum status status = meta_get_bytes(txn, META_ADOPTION, &record, err);

    if (status == STATUS_OK && record.size == 0)
        return STATUS_NOT_FOUND;
    if (status != STATUS_OK)
        return status;
    if (!bytes_take(&record, 8, &out->seq) || !bytes_take(&record, 4, &next) ||
        !bytes_take(&record, 8, &out->now_us))
        return error_set(err, STATUS_CORRUPT, "the pending adoption does not decode");
    out->next_index = (uint32_t)next;
    return version_vector_take(&record, &out->context, err);
}

/* ---- what every entry does on its way in */

void admit_memory_release(struct admit_memory *memory)
{
    merge_release(&memory->merge);
    walks_release(&memory->walks);
    notes_release(&memory->notes);
    buffer_release(&memory->noted);
    buffer_release(&memory->record);
    version_vector_release(&memory->vector);
}

static enum status put_place(struct store_txn *txn, const struct admission *admission,
                             uint64_t seq, struct bytes notes, uint64_t now_us,
                             struct buffer *record, struct error *err)
{
    uint8_t key[ORIGIN_KEY_SIZE], value[8];
    struct log_entry entry = {
        .seq = seq,
        .header_bytes = admission->header_bytes,
        .arrived_us = now_us,
        .local = admission->local,
        .in_parts = admission->run != 0,
        .run = admission->run,
        .body = admission->body,
        .notes = notes,
    };
    enum status status;

    memcpy(entry.hash, admission->hash, HASH_SIZE);
    buffer_clear(record);
    log_record_encode(record, &entry);
    status = buffer_check(record, err);
    if (status == STATUS_OK)
        status = store_put(txn, DBI_LOG, seq_key(key, seq), buffer_view(record), err);
    bytes_put(value, seq, sizeof value);
    if (status == STATUS_OK) {
        status = store_put(
            txn, DBI_ORIGIN,
            origin_key(key, admission->header.origin, admission->header.origin_seq),
            (struct bytes){value, sizeof value}, err);
    }
    for (size_t i = 0; status == STATUS_OK && i < admission->update_count; i++)
        status =
            meta_put(txn, admission->updates[i].key, admission->updates[i].value, err);
    return status;
}

/* The entry is whole: let the log's end, the vector and its origin's head pass it. */
static enum status pass(struct store_txn *txn, uint64_t seq,
                        const struct entry_header *header, const uint8_t hash[HASH_SIZE],
                        const struct version_vector *context, struct admit_memory *memory,
                        struct error *err)
{
    struct origin_head head = {.seq = header->origin_seq};
    struct version_vector *vector = &memory->vector;
    struct buffer *bytes = &memory->record;
    enum status status;

    memcpy(head.hash, hash, HASH_SIZE);
    status = head_put(txn, header->origin, &head, context, err);
    if (status == STATUS_OK)
        status = meta_get_vector(txn, META_VECTOR, vector, err);
    if (status == STATUS_OK)
        status = version_vector_set(vector, header->origin, header->origin_seq, err);
    if (status == STATUS_OK) {
        buffer_clear(bytes);
        version_vector_put(bytes, vector);
        status = buffer_check(bytes, err);
    }
    if (status == STATUS_OK)
        status = meta_put_bytes(txn, META_VECTOR, buffer_view(bytes), err);
    if (status == STATUS_OK)
        status = meta_put(txn, META_LAST_SEQ, seq, err);
    return status;
}

static enum status put_member(struct store_txn *txn, uint64_t seq, struct bytes item,
                              struct error *err)
{
    uint8_t key[8];
    struct buffer record = {0};
    struct member member;
    enum status status = member_decode(item, &member, err);

    if (status != STATUS_OK)
        return status;
    bytes_put(key, member.node, sizeof key);
    buffer_put(&record, seq, 8);
    buffer_put_bytes(&record, item);
    status = buffer_check(&record, err);
    if (status == STATUS_OK)
        status = store_put(txn, DBI_MEMBER, (struct bytes){key, sizeof key},
                           buffer_view(&record), err);
    buffer_release(&record);
    return status;
}

/* Merge the items of a body or part, first of them at merge->notes_first. */
static enum status merge_items(struct merge *merge, struct bytes items, uint32_t count,
                               struct notes *notes, struct error *err)
{
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        struct change change;
        struct bytes item;

        if (merge->header->kind == ENTRY_CHANGES) {
            status = change_take(&items, &change, err);
            if (status == STATUS_OK)
                status = merge_change(merge, &change, merge->notes_first + i, notes, err);
        } else if (!bytes_take_sized(&items, &item)) {
            status = error_set(err, STATUS_CORRUPT, "an entry's items are cut short");
        } else if (merge->header->kind == ENTRY_TABLES) {
            status = tables_add(merge->txn, merge->header->origin, item, err);
        } else {
            status = put_member(merge->txn, merge->seq, item, err);
        }
    }
    if (status == STATUS_OK && items.size != 0)
        status = error_set(err, STATUS_CORRUPT, "an entry has more items than it says");
    return status;
}

static enum status next_seq(struct store_txn *txn, uint64_t *seq, struct error *err)
{
    enum status status = meta_get(txn, META_LAST_SEQ, seq, err);

    ++*seq;
    return status;
}

static void begin_merge(struct admit_memory *memory, struct store_txn *txn,
                        const struct admission *admission)
{
    struct merge *merge = &memory->merge;

    *merge = (struct merge){
        .txn = txn,
        .header = &admission->header,
        .context = admission->context,
        .local = admission->local,
        .now_us = store_now_us(store_of(txn)),
        .walks = &memory->walks,
        .scratch = merge->scratch,
        .memory = merge->memory,
        .co = merge->co,
        .held = merge->held,
    };
}

enum status admit_whole(struct store_txn *txn, const struct admission *admission,
                        struct admit_memory *memory, uint64_t *seq, uint64_t *conflicts,
                        struct error *err)
{
    struct merge *merge = &memory->merge;
    enum status status;

    assert(admission->run == 0);
    begin_merge(memory, txn, admission);
    notes_clear(&memory->notes);
    buffer_clear(&memory->noted);
    status = next_seq(txn, &merge->seq, err);
    if (status == STATUS_OK)
        status = merge_start(merge, err);
    if (status == STATUS_OK)
        status = merge_items(merge, admission->body, admission->header.item_count,
                             &memory->notes, err);
    if (status == STATUS_OK) {
        notes_encode(&memory->noted, &memory->notes);
        status = buffer_check(&memory->noted, err);
    }
    if (status == STATUS_OK)
        status = put_place(txn, admission, merge->seq, buffer_view(&memory->noted),
                           merge->now_us, &memory->record, err);
    if (status == STATUS_OK)
        status = pass(txn, merge->seq, &admission->header, admission->hash,
                      admission->context, memory, err);
    if (status != STATUS_OK)
        walks_clear(&memory->walks);
    *seq = merge->seq;
    *conflicts += merge->conflicts;
    return status;
}

enum status admit_parts(struct store_txn *txn, const struct admission *admission,
                        uint64_t *seq, struct error *err)
{
    struct adoption adoption = {.now_us = store_now_us(store_of(txn))};
    struct buffer record = {0};
    enum status status = next_seq(txn, &adoption.seq, err);

    assert(admission->run != 0);
    adoption.context = *admission->context;
    if (status == STATUS_OK)
        status = put_place(txn, admission, adoption.seq, (struct bytes){NULL, 0},
                           adoption.now_us, &record, err);
    buffer_release(&record);
    if (status == STATUS_OK)
        status = adoption_put(txn, &adoption, err);
    *seq = adoption.seq;
    return status;
}

/* ---- the steps */

/* Copies of what a step reads: its writes would pull LMDB's views from under it. */
struct step {
    struct admit_memory memory;
    struct log_entry entry;
    struct buffer header_bytes, items;
};

static void step_release(struct step *step)
{
    buffer_release(&step->header_bytes);
    buffer_release(&step->items);
    admit_memory_release(&step->memory);
}

static enum status step_read(struct step *step, struct store_txn *txn,
                             const struct adoption *adoption, struct walks *walks,
                             uint32_t *next_index, struct error *err)
{
    struct bytes piece;
    enum status status = log_get(txn, adoption->seq, &step->entry, err);

    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_CORRUPT, "the entry being adopted is missing");
    if (status != STATUS_OK)
        return status;
    buffer_put_bytes(&step->header_bytes, step->entry.header_bytes);
    status = log_body_piece(txn, &step->entry, next_index, &piece, err);
    if (status != STATUS_OK)
        return status;
    buffer_put_bytes(&step->items, piece);
    status = buffer_check(&step->items, err);
    if (status == STATUS_OK)
        status = buffer_check(&step->header_bytes, err);
    if (status == STATUS_OK)
        status = entry_header_decode(buffer_view(&step->header_bytes),
                                     &step->entry.header, err);
    step->memory.merge = (struct merge){
        .txn = txn,
        .seq = adoption->seq,
        .header = &step->entry.header,
        .context = &adoption->context,
        .local = step->entry.local,
        .now_us = adoption->now_us,
        .notes_first = adoption->next_index,
        .walks = walks,
    };
    return status;
}

static enum status put_notes(struct step *step, uint32_t first, struct error *err)
{
    uint8_t key[PART_KEY_SIZE];
    struct buffer bytes = {0};
    enum status status;

    notes_encode(&bytes, &step->memory.notes);
    part_encode(&step->memory.noted, step->memory.notes.count, buffer_view(&bytes));
    status = buffer_check(&step->memory.noted, err);
    if (status == STATUS_OK) {
        status = store_put(step->memory.merge.txn, DBI_PART,
                           part_key(key, step->entry.run, first, PART_NOTES),
                           buffer_view(&step->memory.noted), err);
    }
    buffer_release(&bytes);
    return status;
}

/* Merge the part that comes next. */
static enum status take_step(struct store_txn *txn, struct adoption *adoption,
                             struct walks *walks, uint64_t *conflicts, struct error *err)
{
    struct step step = {0};
    uint32_t first = adoption->next_index, next = first;
    bool last;
    enum status status = step_read(&step, txn, adoption, walks, &next, err);

    if (status == STATUS_OK)
        status = merge_start(&step.memory.merge, err);
    if (status == STATUS_OK)
        status = merge_items(&step.memory.merge, buffer_view(&step.items), next - first,
                             &step.memory.notes, err);
    if (status == STATUS_OK && step.memory.notes.count > 0)
        status = put_notes(&step, first, err);
    last = next == step.entry.header.item_count;
    adoption->next_index = next;
    if (status == STATUS_OK && last)
        status = pass(txn, adoption->seq, &step.entry.header, step.entry.hash,
                      &adoption->context, &step.memory, err);
    if (status == STATUS_OK)
        status = last ? meta_put_bytes(txn, META_ADOPTION, (struct bytes){NULL, 0}, err)
                      : adoption_put(txn, adoption, err);
    if (status == STATUS_OK)
        *conflicts += step.memory.merge.conflicts;
    step_release(&step);
    return status;
}

static enum status watch_steps(struct store_txn *txn, const struct adoption *adoption,
                               struct progress_step *progress, struct error *err)
{
    struct log_entry entry;
    enum status status = log_get(txn, adoption->seq, &entry, err);

    if (status == STATUS_NOT_FOUND)
        return STATUS_OK; /* the step says so */
    if (status == STATUS_OK) {
        progress_begin(progress, txn->store->progress,
                       &(struct progress_state){.step = "index",
                                                .unit = PROGRESS_ROWS,
                                                .all = entry.header.item_count});
    }
    return status;
}

enum status adoption_settle(struct store *store, uint64_t *conflicts, struct error *err)
{
    struct adoption adoption = {0};
    struct store_txn *txn = NULL;
    struct progress_step progress = {0};
    struct walks walks;
    enum status status = STATUS_OK;

    walks_init(&walks);
    assert(!store->settling);
    store->settling = true;
    version_vector_init(&adoption.context);
    while (status == STATUS_OK) {
        status = store_begin(store, TXN_WRITE, &txn, err);
        if (status == STATUS_OK)
            status = adoption_get(txn, &adoption, err);
        if (status == STATUS_OK && store->progress != NULL && progress.progress == NULL)
            status = watch_steps(txn, &adoption, &progress, err);
        if (status == STATUS_OK)
            status = take_step(txn, &adoption, &walks, conflicts, err);
        if (status == STATUS_OK) {
            status = store_commit(txn, err);
            txn = NULL;
        }
        if (status == STATUS_OK)
            progress_reach(&progress, adoption.next_index);
    }
    store_abort(txn);
    walks_release(&walks);
    version_vector_release(&adoption.context);
    store->settling = false;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
