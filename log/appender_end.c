/* Ending an entry: what a local one says of itself, what an imported one must match. */
#include "log/appender_private.h"

#include <assert.h>
#include <string.h>

static void count_entry(struct append_counts *counts, const struct entry_header *header,
                        uint64_t conflicts)
{
    counts->entries++;
    if (header->kind == ENTRY_CHANGES)
        counts->changes += header->item_count;
    counts->conflicts += conflicts;
}

/* Into the open group, which is committed when it is large. */
static enum status admit_to_group(struct appender *appender, struct admission *admission,
                                  uint64_t *seq, struct error *err)
{
    uint64_t conflicts = 0;
    enum status status;

    admission->body = buffer_view(&appender->items);
    status =
        admit_whole(appender->write, admission, &appender->memory, seq, &conflicts, err);
    if (status != STATUS_OK)
        return status;
    count_entry(&appender->in_group, &admission->header, conflicts);
    appender->group_bytes += appender->body_size;
    if (appender->group_bytes < GROUP_BYTES &&
        store_row_writes(appender->write) < GROUP_ROW_WRITES)
        return STATUS_OK;
    return appender_commit_group(appender, err);
}

/* After the open group, and durable on return. */
static enum status admit_run(struct appender *appender, struct admission *admission,
                             uint64_t *seq, struct error *err)
{
    uint64_t conflicts = 0;
    enum status status =
        meta_put(appender->write, (enum meta_key)appender_run_key(appender), 0, err);

    if (status == STATUS_OK)
        status = admit_parts(appender->write, admission, seq, err);
    if (status == STATUS_OK)
        status = appender_commit_group(appender, err);
    if (status == STATUS_OK)
        status = adoption_settle(appender->store, &conflicts, err);
    if (status == STATUS_OK)
        count_entry(&appender->counts, &admission->header, conflicts);
    return status;
}

static enum status admit(struct appender *appender, struct admission *admission,
                         uint64_t *seq, struct error *err)
{
    enum status status;

    admission->run = appender->run;
    status = appender->run == 0 ? admit_to_group(appender, admission, seq, err)
                                : admit_run(appender, admission, seq, err);
    if (status == STATUS_OK)
        appender_reset(appender);
    return status;
}

/* Bring the entry's last items to where they belong and open the transaction that ends
 * it. */
static enum status begin_end(struct appender *appender, struct error *err)
{
    if (appender->run != 0 && appender->part_count > 0) {
        enum status status = appender_write_part(appender, err);

        if (status != STATUS_OK)
            return status;
    }
    return appender_begin_group(appender, err);
}

/* The context of a local entry: what the database (or, for a member, the store) has. */
static enum status local_context(struct appender *appender,
                                 const struct local_entry *entry,
                                 struct version_vector *context, struct error *err)
{
    uint64_t node = appender->store->identity.node;
    enum status status;

    if (entry->flags & ENTRY_BASE) {
        context->count = 0;
        return STATUS_OK;
    }
    status = meta_get_vector(appender->write,
                             entry->whole_context ? META_VECTOR : META_APPLIED_VECTOR,
                             context, err);
    if (status == STATUS_OK)
        status = version_vector_set(context, node, 0, err);
    return status;
}

/* Fill in header: everything but its context. */
static enum status local_header(struct appender *appender,
                                const struct local_entry *entry,
                                const struct origin_head *head,
                                struct entry_header *header, struct error *err)
{
    struct store *store = appender->store;
    struct hybrid_clock clock = {0};
    uint64_t now_us = store_now_us(store);
    enum status status = meta_get(appender->write, META_CLOCK, &clock.last_us, err);

    if (status != STATUS_OK)
        return status;
    *header = (struct entry_header){
        .kind = entry->kind,
        .flags = entry->flags,
        .origin = store->identity.node,
        .origin_seq = head->seq + 1,
        .commit_us = entry->commit_us,
        .item_count = appender_item_count(appender),
        .body_size = appender->body_size,
        .fields = entry->fields,
    };
    if (entry->flags & ENTRY_BASE)
        return STATUS_OK;
    header->stamp_us =
        hybrid_clock_next(&clock, entry->commit_us == 0 ? now_us : entry->commit_us,
                          now_us, store->max_skew_us);
    return meta_put(appender->write, META_CLOCK, clock.last_us, err);
}

static void finish_hash(struct appender *appender, const struct origin_head *head,
                        struct bytes header, uint8_t hash[HASH_SIZE])
{
    crypto_generichash_state state = appender->hash;
    uint8_t body[HASH_SIZE];

    (void)crypto_generichash_final(&state, body, sizeof body);
    entry_hash(hash, head->hash, header, body);
}

/* A base entry's context is empty although the origin may know more by then: what it says
 * is only about its own changes, so the cumulative context goes on from before. */
static enum status local_delta(struct appender *appender, const struct local_entry *entry,
                               struct contexts *contexts, struct error *err)
{
    enum status status = log_head_context(appender->write, appender->store->identity.node,
                                          &contexts->before, err);

    if (status == STATUS_OK)
        status =
            version_vector_set(&contexts->before, appender->store->identity.node, 0, err);
    if (status == STATUS_OK)
        status = local_context(appender, entry, &contexts->now, err);
    if (status == STATUS_OK) /* what was seen once stays seen */
        status = version_vector_merge(&contexts->now, &contexts->before, err);
    if (status == STATUS_OK)
        status = version_vector_delta(&contexts->delta, &contexts->before, &contexts->now,
                                      err);
    if (status != STATUS_OK)
        return status;
    buffer_clear(&contexts->delta_bytes);
    version_vector_put(&contexts->delta_bytes, &contexts->delta);
    return buffer_check(&contexts->delta_bytes, err);
}

enum status appender_end_local(struct appender *appender, const struct local_entry *entry,
                               uint64_t *seq, struct error *err)
{
    struct contexts *contexts = &appender->contexts;
    struct origin_head head;
    struct admission admission = {
        .local = true,
        .context = &contexts->now,
        .updates = entry->updates,
        .update_count = entry->update_count,
    };
    enum status status;

    assert(appender_item_count(appender) > 0);
    status = begin_end(appender, err);
    if (status == STATUS_OK)
        status = log_head(appender->write, appender->store->identity.node, &head, err);
    if (status == STATUS_OK)
        status = local_delta(appender, entry, contexts, err);
    if (status == STATUS_OK)
        status = local_header(appender, entry, &head, &admission.header, err);
    if (status == STATUS_OK) {
        admission.header.context = buffer_view(&contexts->delta_bytes);
        buffer_clear(&appender->header);
        entry_header_encode(&appender->header, &admission.header);
        status = buffer_check(&appender->header, err);
    }
    if (status == STATUS_OK) {
        admission.header_bytes = buffer_view(&appender->header);
        finish_hash(appender, &head, admission.header_bytes, admission.hash);
        status = admit(appender, &admission, seq, err);
    }
    return status;
}

/* Whether the items are what the header and the hash say, and the entry is the next. */
static enum status check_import(struct appender *appender,
                                const struct entry_header *header,
                                const struct origin_head *head,
                                const uint8_t hash[HASH_SIZE], struct bytes header_bytes,
                                struct error *err)
{
    uint8_t found[HASH_SIZE];

    if (header->origin_seq != head->seq + 1) {
        return error_set(err, STATUS_REFUSED,
                         "entry %llu of node %016llx does not follow its entry %llu",
                         (unsigned long long)header->origin_seq,
                         (unsigned long long)header->origin,
                         (unsigned long long)head->seq);
    }
    finish_hash(appender, head, header_bytes, found);
    if (header->item_count != appender_item_count(appender) ||
        header->body_size != appender->body_size || memcmp(found, hash, HASH_SIZE) != 0) {
        return error_set(
            err, STATUS_REFUSED, "entry %llu of node %016llx does not have its hash",
            (unsigned long long)header->origin_seq, (unsigned long long)header->origin);
    }
    return STATUS_OK;
}

enum status appender_end_import(struct appender *appender, struct bytes header_bytes,
                                const uint8_t hash[HASH_SIZE], uint64_t *seq,
                                struct error *err)
{
    struct version_vector context, delta;
    struct admission admission = {.header_bytes = header_bytes, .context = &context};
    struct origin_head head;
    struct bytes delta_bytes;
    enum status status;

    assert(appender->owner == APPENDER_IMPORT);
    version_vector_init(&context);
    version_vector_init(&delta);
    memcpy(admission.hash, hash, HASH_SIZE);
    status = begin_end(appender, err);
    if (status == STATUS_OK)
        status = entry_header_decode(header_bytes, &admission.header, err);
    if (status == STATUS_OK)
        status = log_head(appender->write, admission.header.origin, &head, err);
    if (status == STATUS_OK)
        status =
            check_import(appender, &admission.header, &head, hash, header_bytes, err);
    if (status == STATUS_OK)
        status =
            log_head_context(appender->write, admission.header.origin, &context, err);
    delta_bytes = admission.header.context;
    if (status == STATUS_OK)
        status = version_vector_take(&delta_bytes, &delta, err);
    if (status == STATUS_OK)
        status = version_vector_merge(&context, &delta, err);
    if (status == STATUS_OK)
        status = version_vector_set(&context, admission.header.origin, 0, err);
    if (status == STATUS_OK)
        status = admit(appender, &admission, seq, err);
    version_vector_release(&context);
    version_vector_release(&delta);
    return status;
}
