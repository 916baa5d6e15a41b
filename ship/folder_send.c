#include "ship/folder_survey.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* One visit's writing. */
struct sender {
    struct folder *folder;
    uint64_t node;
    struct folder_survey survey;
    struct visit_counts *counts;
    struct folder_state state; /* as it is to be */
};

/* ---- leftovers */

static enum status remove_leftover(void *data, const char *text,
                                   const struct folder_name *name, uint64_t size,
                                   struct error *err)
{
    const struct sender *sender = data;

    (void)size;
    (void)err;
    if (name->kind == FOLDER_TEMPORARY && name->node == sender->node)
        (void)unlinkat(sender->folder->directory, text,
                       0); /* a later visit tries again */
    return STATUS_OK;
}

/* ---- segments */

/* An own segment that no list names: the visit that wrote it died before it wrote the
 * list. It is listed now, if it is whole. */
static enum status adopt_unlisted(struct sender *sender, struct folder_segment *segment,
                                  struct error *err)
{
    const struct folder *folder = sender->folder;
    enum refusal refusal;
    char name[FOLDER_NAME_SIZE];
    uint64_t next_number;
    FILE *file;
    enum status status;

    folder_segment_name(segment->node, segment->number, name);
    status = folder_open_file(folder->directory, folder->path, name, &file, err);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    status = segment_read_whole(store_identity(folder->store), file, name,
                                &segment->ranges, &refusal, err);
    (void)fclose(file);
    segment->is_known = status == STATUS_OK;
    /* It is about to be listed: a listed number is one that the store has used. */
    if (status == STATUS_OK)
        status = folder_next_number(folder, &next_number, err);
    if (status == STATUS_OK && segment->number >= next_number)
        status = folder_use_number(folder, segment->number, err);
    /* When it is refused, its entries are written again, under another number. */
    return status == STATUS_REFUSED ? STATUS_OK : status;
}

static enum status adopt_all_unlisted(struct sender *sender, struct error *err)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < sender->survey.segment_count && status == STATUS_OK; i++) {
        struct folder_segment *segment = &sender->survey.segments[i];

        if (segment->node == sender->node && !segment->is_listed)
            status = adopt_unlisted(sender, segment, err);
    }
    return status;
}

/* The list of own segments that are there and whole, in order. */
static enum status list_segments(struct sender *sender, struct error *err)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < sender->survey.segment_count && status == STATUS_OK; i++) {
        const struct folder_segment *segment = &sender->survey.segments[i];

        if (segment->node == sender->node && segment->is_known &&
            folder_segment_is_whole(segment))
            status = folder_state_list(&sender->state, segment->number, segment->size,
                                       &segment->ranges, err);
    }
    return status;
}

/* A number that was never used: above the store's count and above all that is here. */
static enum status choose_number(struct sender *sender, uint64_t *number,
                                 struct error *err)
{
    enum status status = folder_next_number(sender->folder, number, err);

    for (size_t i = 0; i < sender->survey.segment_count && status == STATUS_OK; i++) {
        const struct folder_segment *segment = &sender->survey.segments[i];

        if (segment->node == sender->node && segment->number >= *number)
            *number = segment->number + 1;
    }
    return status;
}

/* Receiving has read what the store did not remember; what is left told of a fork, or
 * could not be read. */
static enum status check_forgotten(struct sender *sender, struct error *err)
{
    uint64_t next_number;
    enum status status = folder_next_number(sender->folder, &next_number, err);

    for (size_t i = 0; i < sender->survey.segment_count && status == STATUS_OK; i++) {
        if (folder_segment_is_forgotten(sender->folder, &sender->survey.segments[i],
                                        next_number)) {
            status =
                error_set(err, STATUS_REFUSED,
                          "%s has segments of this node that its store does not know: "
                          "it came back from a backup, or a copy of it is in use: bring "
                          "back the newer one, or " STORE_JOIN_ANEW,
                          sender->folder->path);
        }
    }
    return status;
}

/* Write one segment of what the reader of the folder, who then has `from`, lacks. */
static enum status write_segment(struct sender *sender, const struct version_vector *from,
                                 struct error *err)
{
    struct store *store = sender->folder->store;
    struct segment_ranges ranges = {0};
    struct segment_counts counts = {0};
    struct folder_draft draft = {0};
    char name[FOLDER_NAME_SIZE];
    uint64_t number = 0;
    enum status status = choose_number(sender, &number, err);

    if (status == STATUS_OK) {
        folder_segment_name(sender->node, number, name);
        status = folder_draft_start(&draft, sender->folder->directory,
                                    sender->folder->path, name, err);
    }
    if (status == STATUS_OK)
        status = segment_write_ranges(store, from, 0, draft.file, &ranges, &counts, err);
    if (status == STATUS_OK)
        status = folder_draft_sync(&draft, err);
    /* Only now is the store written: a full folder leaves it as it was. */
    if (status == STATUS_OK)
        status = segment_sign_head(store, err);
    if (status == STATUS_OK)
        status = folder_use_number(sender->folder, number, err);
    if (status == STATUS_OK)
        status = folder_draft_publish(&draft, err);
    if (status == STATUS_OK)
        status = folder_state_list(&sender->state, number, counts.bytes, &ranges, err);
    if (status == STATUS_OK) {
        sender->counts->sent.entries += counts.entries;
        sender->counts->sent.changes += counts.changes;
        sender->counts->sent.bytes += counts.bytes;
    }
    folder_draft_drop(&draft);
    segment_ranges_release(&ranges);
    return status;
}

static enum status send_entries(struct sender *sender, struct error *err)
{
    struct segment_ranges ranges = {0};
    struct version_vector from;
    enum status status;

    version_vector_init(&from);
    status = folder_survey_vector(&sender->survey, &from, err);
    if (status == STATUS_OK)
        status = segment_plan(sender->folder->store, &from, 0, &ranges, err);
    if (status == STATUS_OK && ranges.count > 0)
        status = write_segment(sender, &from, err);
    segment_ranges_release(&ranges);
    version_vector_release(&from);
    return status;
}

/* ---- the state file */

static enum status write_state(struct sender *sender, struct bytes content,
                               struct error *err)
{
    const struct folder *folder = sender->folder;
    struct buffer sealed = {0};
    struct folder_draft draft = {0};
    char name[FOLDER_NAME_SIZE];
    enum status status =
        seal_put(&sealed, SEAL_STATE, store_identity(folder->store), content, err);

    folder_state_name(sender->node, name);
    if (status == STATUS_OK)
        status = folder_draft_start(&draft, folder->directory, folder->path, name, err);
    errno = 0;
    if (status == STATUS_OK &&
        fwrite(sealed.data, 1, sealed.size, draft.file) != sealed.size)
        status =
            folder_failed(err, errno == 0 ? EIO : errno, "write", folder->path, name);
    if (status == STATUS_OK)
        status = folder_draft_sync(&draft, err);
    if (status == STATUS_OK)
        status = folder_draft_publish(&draft, err);
    folder_draft_drop(&draft);
    buffer_release(&sealed);
    return status;
}

static enum status send_state(struct sender *sender, struct error *err)
{
    const struct identity *identity = store_identity(sender->folder->store);
    struct store_txn *txn = NULL;
    struct buffer content = {0};
    enum status status = store_begin(sender->folder->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = acknowledgement_make(txn, &sender->state.ack, err);
    store_abort(txn);
    if (status != STATUS_OK)
        return status;
    sender->state.node = identity->node;
    memcpy(sender->state.name, identity->name, sizeof sender->state.name);
    folder_state_encode(&content, &sender->state);
    status = buffer_check(&content, err);
    if (status == STATUS_OK &&
        !bytes_equal(buffer_view(&content), buffer_view(&sender->survey.own_content)))
        status = write_state(sender, buffer_view(&content), err);
    buffer_release(&content);
    return status;
}

static enum status send(struct sender *sender, struct error *err)
{
    struct visit_counts unheard = {0}; /* receive has said it all */
    struct folder_report report = {.counts = &unheard};
    enum status status =
        folder_survey_make(&sender->survey, sender->folder, &report, err);

    if (status == STATUS_OK)
        status = folder_survey_check_fork(&sender->survey, sender->folder, err);
    if (status == STATUS_OK)
        status = check_forgotten(sender, err);
    if (status == STATUS_OK)
        status = folder_list(sender->folder->directory, sender->folder->path,
                             remove_leftover, sender, err);
    if (status == STATUS_OK)
        status = adopt_all_unlisted(sender, err);
    if (status == STATUS_OK)
        status = list_segments(sender, err);
    if (status == STATUS_OK)
        status = send_entries(sender, err);
    if (status == STATUS_OK)
        status = send_state(sender, err);
    return status;
}

enum status folder_send(struct transport *transport, struct visit_counts *counts,
                        struct error *err)
{
    struct folder *folder = (struct folder *)transport;
    struct sender sender = {
        .folder = folder,
        .node = store_identity(folder->store)->node,
        .counts = counts,
    };
    enum status status = store_lock(folder->store, LOCK_IMPORT, err);

    if (status != STATUS_OK)
        return status;
    status = send(&sender, err);
    store_unlock(folder->store, LOCK_IMPORT);
    folder_survey_release(&sender.survey);
    folder_state_release(&sender.state);
    return status;
}
