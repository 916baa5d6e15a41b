#include "ship/folder_survey.h"

#include "log/peers.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* One visit's reading. */
struct receiver {
    struct folder *folder;
    struct folder_survey survey;
    struct folder_report report;
    struct version_vector vector; /* of the store, as of now */
    uint64_t next_number; /* of an own segment; none of that or above was written by
                             this store as it is now */
    bool progress;        /* something entered in this round */
};

/* ---- acknowledgements */

static enum status learn_ack(struct receiver *receiver, struct store_txn *txn,
                             const struct folder_state *state, bool *newer,
                             struct error *err)
{
    enum status status = peers_learn(txn, &state->ack, newer, err);

    if (status == STATUS_REFUSED)
        folder_report_refusal(&receiver->report, status, err);
    if (status == STATUS_REFUSED || status == STATUS_NOT_FOUND) {
        *newer = false;
        return STATUS_OK;
    }
    return status;
}

/* What the nodes say of themselves. A transaction that writes only when there is news. */
static enum status learn_acks(struct receiver *receiver, struct error *err)
{
    struct folder_survey *survey = &receiver->survey;
    struct store *store = receiver->folder->store;
    struct store_txn *txn = NULL;
    bool *newer = calloc(survey->state_count + 1, sizeof *newer);
    bool any = false;
    enum status status;

    if (newer == NULL)
        return error_set(err, STATUS_NO_MEMORY, "read a folder: out of memory");
    status = store_begin(store, TXN_READ, &txn, err);
    for (size_t i = 0; i < survey->state_count && status == STATUS_OK; i++) {
        status = learn_ack(receiver, txn, &survey->states[i], &newer[i], err);
        any = any || newer[i];
    }
    store_abort(txn);
    txn = NULL;
    if (status == STATUS_OK && any) {
        status = store_begin(store, TXN_WRITE, &txn, err);
        for (size_t i = 0; i < survey->state_count && status == STATUS_OK; i++)
            if (newer[i])
                status = peers_learn(txn, &survey->states[i].ack, &newer[i], err);
        if (status == STATUS_OK)
            status = store_commit(txn, err);
        else
            store_abort(txn);
    }
    free(newer);
    return status;
}

/* ---- segments */

static void add_counts(struct segment_counts *total, const struct segment_counts *more)
{
    total->entries += more->entries;
    total->changes += more->changes;
    total->conflicts += more->conflicts;
    total->waiting += more->waiting;
    if (more->entries > 0)
        total->bytes += more->bytes;
}

/* Remember what an unlisted segment holds, so that it is opened once. */
static enum status mark(struct receiver *receiver, const struct folder_segment *segment,
                        const char *name, struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(receiver->folder->store, TXN_WRITE, &txn, err);

    if (status == STATUS_OK)
        status = peers_segment_mark(txn, name, segment->size, &segment->ranges, err);
    if (status == STATUS_OK)
        return store_commit(txn, err);
    store_abort(txn);
    return status;
}

/* Whether a later visit may find what this one misses. What is as long as its list says
 * and ends too early all the same is damaged; zeros in it are a copy at work. */
static bool may_become_whole(const struct folder_segment *segment, enum refusal refusal)
{
    if (refusal == REFUSAL_CUT)
        return !segment->is_listed || segment->size < segment->listed_size;
    return refusal == REFUSAL_BLANK;
}

/* What came of one segment: what stops only it goes to the report. */
static enum status settle(struct receiver *receiver, struct folder_segment *segment,
                          enum status status, enum refusal refusal, struct error *err)
{
    if (status == STATUS_NOT_FOUND) { /* renamed or removed since it was listed */
        segment->is_present = false;
        return STATUS_OK;
    }
    if (status != STATUS_REFUSED && status != STATUS_UNAVAILABLE)
        return status;
    if (status == STATUS_REFUSED && refusal == REFUSAL_MISSING) {
        free(segment->waits);
        segment->waits = strdup(err->text);
        segment->is_done = false;
        return STATUS_OK;
    }
    segment->is_done = true;
    if (status == STATUS_REFUSED && may_become_whole(segment, refusal))
        folder_report_unready(&receiver->report, err->text);
    else
        folder_report_refusal(&receiver->report, status, err);
    return STATUS_OK;
}

/* What an unlisted segment holds. When it is nothing new, that it is whole: what is
 * marked counts as being in the folder. */
static enum status read_unlisted(struct receiver *receiver,
                                 struct folder_segment *segment, FILE *file,
                                 const char *name, enum refusal *refusal,
                                 struct error *err)
{
    const struct identity *identity = store_identity(receiver->folder->store);
    enum status status =
        segment_read_ranges(identity, file, name, &segment->ranges, refusal, err);

    rewind(file);
    if (status != STATUS_OK || !segment_ranges_known(&segment->ranges, &receiver->vector))
        return status;
    status = segment_read_whole(identity, file, name, &segment->ranges, refusal, err);
    if (status == STATUS_OK)
        status = mark(receiver, segment, name, err);
    segment->is_done = status == STATUS_OK;
    return status;
}

static enum status import_file(struct receiver *receiver, struct folder_segment *segment,
                               FILE *file, const char *name, enum refusal *refusal,
                               struct error *err)
{
    struct store *store = receiver->folder->store;
    struct segment_counts counts = {0};
    enum status status = STATUS_OK;
    enum status vector;
    struct error ignored;

    if (!segment->is_known) {
        status = read_unlisted(receiver, segment, file, name, refusal, err);
        if (status != STATUS_OK || segment->is_done)
            return status;
    }
    if (status == STATUS_OK) {
        status = segment_import(store, file, name, &counts, err);
        *refusal = counts.refusal;
    }
    add_counts(&receiver->report.counts->received, &counts);
    receiver->progress = receiver->progress || counts.entries > 0;
    segment->is_done = status == STATUS_OK;
    if (counts.entries > 0) {
        vector = folder_store_vector(receiver->folder, &receiver->vector, &ignored);
        if (vector != STATUS_OK && status == STATUS_OK) {
            *err = ignored;
            status = vector;
        }
    }
    if (status == STATUS_OK && !segment->is_known)
        status = mark(receiver, segment, name, err);
    if (status == STATUS_OK &&
        folder_segment_is_forgotten(receiver->folder, segment, receiver->next_number)) {
        receiver->next_number = segment->number + 1;
        status = folder_use_number(receiver->folder, segment->number, err);
    }
    return status;
}

static enum status take_segment(struct receiver *receiver, struct folder_segment *segment,
                                struct error *err)
{
    const struct folder *folder = receiver->folder;
    enum refusal refusal = REFUSAL_NONE;
    char name[FOLDER_NAME_SIZE];
    FILE *file;
    enum status status;

    folder_segment_name(segment->node, segment->number, name);
    status = folder_open_file(folder->directory, folder->path, name, &file, err);
    if (status == STATUS_OK) {
        receiver->report.counts->segments_opened++;
        status = import_file(receiver, segment, file, name, &refusal, err);
        (void)fclose(file);
    }
    return settle(receiver, segment, status, refusal, err);
}

/* Whether a segment has something for us that can be read now. */
static bool is_candidate(const struct receiver *receiver,
                         const struct folder_segment *segment)
{
    if (segment->is_done || !segment->is_present)
        return false;
    if (segment->is_listed && segment->size < segment->listed_size)
        return false;
    if (!segment->is_known ||
        folder_segment_is_forgotten(receiver->folder, segment, receiver->next_number))
        return true;
    return !segment_ranges_known(&segment->ranges, &receiver->vector) &&
           segment_ranges_ready(&segment->ranges, &receiver->vector);
}

/* Round by round, as long as what entered may let others enter. */
static enum status take_segments(struct receiver *receiver, struct error *err)
{
    struct folder_survey *survey = &receiver->survey;
    enum status status = STATUS_OK;

    receiver->progress = true;
    while (receiver->progress && status == STATUS_OK) {
        receiver->progress = false;
        for (size_t i = 0; i < survey->segment_count && status == STATUS_OK; i++)
            if (is_candidate(receiver, &survey->segments[i]))
                status = take_segment(receiver, &survey->segments[i], err);
    }
    return status;
}

/* ---- what is left */

/* The first range of a segment that must come before it. */
static void report_range(struct receiver *receiver, const struct folder_segment *segment,
                         const char *name)
{
    struct error line;

    for (size_t i = 0; i < segment->ranges.count; i++) {
        const struct segment_range *range = &segment->ranges.items[i];
        uint64_t held = version_vector_get(&receiver->vector, range->origin);

        if (held >= range->from)
            continue;
        (void)error_set(&line, STATUS_REFUSED,
                        "segment %s must wait: entries %" PRIu64 "..%" PRIu64
                        " of node %016" PRIx64 " are missing: meet a node that has them",
                        name, held + 1, range->from, range->origin);
        folder_report_unready(&receiver->report, line.text);
        return;
    }
}

/* Whether there is something for us in it that did not enter. */
static bool is_left(const struct receiver *receiver, const struct folder_segment *segment)
{
    if (segment->is_done || (!segment->is_present && !segment->is_listed))
        return false;
    return !segment->is_known ||
           !segment_ranges_known(&segment->ranges, &receiver->vector);
}

static bool any_left(const struct receiver *receiver)
{
    for (size_t i = 0; i < receiver->survey.segment_count; i++)
        if (is_left(receiver, &receiver->survey.segments[i]))
            return true;
    return false;
}

/* Let a segment stand as it did at the first look. True: more of it is here. */
static bool carry_over(struct folder_survey *first, struct folder_segment *segment)
{
    struct folder_segment *before =
        folder_survey_find(first, segment->node, segment->number);

    segment->is_late = before == NULL;
    if (before == NULL)
        return segment->is_present;
    segment->is_done = before->is_done;
    segment->waits = before->waits;
    before->waits = NULL;
    return segment->is_present && (!before->is_present || segment->size != before->size);
}

/* Others publish while the folder is being read, so that what is left over may stand on
 * what had come just before it, yet was not seen. A second look sees all of that; and
 * what came since the first one is no trouble yet. */
static enum status look_again(struct receiver *receiver, struct error *err)
{
    struct folder_survey first = receiver->survey;
    struct visit_counts ignored = {0};
    struct folder_report silent = {.counts = &ignored};
    bool more = false;
    enum status status;

    receiver->survey = (struct folder_survey){0};
    status = folder_survey_make(&receiver->survey, receiver->folder, &silent, err);
    for (size_t i = 0; i < receiver->survey.segment_count && status == STATUS_OK; i++)
        more = carry_over(&first, &receiver->survey.segments[i]) || more;
    if (status == STATUS_OK && more)
        status = take_segments(receiver, err);
    folder_survey_release(&first);
    return status;
}

static void report_left(struct receiver *receiver)
{
    struct folder_survey *survey = &receiver->survey;
    struct error line;

    for (size_t i = 0; i < survey->segment_count; i++) {
        const struct folder_segment *segment = &survey->segments[i];
        char name[FOLDER_NAME_SIZE];

        if (segment->is_late || !is_left(receiver, segment))
            continue;
        folder_segment_name(segment->node, segment->number, name);
        if (!segment->is_present ||
            (segment->is_listed && segment->size < segment->listed_size)) {
            (void)error_set(&line, STATUS_REFUSED,
                            "segment %s is not whole yet (%" PRIu64 " of %" PRIu64
                            " bytes are here): the next visit takes it",
                            name, segment->is_present ? segment->size : 0,
                            segment->listed_size);
            folder_report_unready(&receiver->report, line.text);
        } else if (segment->waits != NULL) {
            folder_report_unready(&receiver->report, segment->waits);
        } else {
            report_range(receiver, segment, name);
        }
    }
}

static enum status receive(struct receiver *receiver, struct error *err)
{
    struct folder *folder = receiver->folder;
    enum status status =
        folder_survey_make(&receiver->survey, folder, &receiver->report, err);

    if (status == STATUS_OK)
        status = folder_survey_check_fork(&receiver->survey, folder, err);
    if (status == STATUS_OK)
        status = folder_store_vector(folder, &receiver->vector, err);
    if (status == STATUS_OK)
        status = folder_next_number(folder, &receiver->next_number, err);
    if (status == STATUS_OK)
        status = take_segments(receiver, err);
    if (status == STATUS_OK && any_left(receiver))
        status = look_again(receiver, err);
    if (status == STATUS_OK)
        report_left(receiver);
    /* After the segments: they may have brought the members whose words these are. */
    if (status == STATUS_OK)
        status = learn_acks(receiver, err);
    return status == STATUS_OK ? folder_report_end(&receiver->report, err) : status;
}

enum status folder_receive(struct transport *transport, struct visit_counts *counts,
                           void (*notice)(void *data, const char *line), void *data,
                           struct error *err)
{
    struct folder *folder = (struct folder *)transport;
    struct receiver receiver = {
        .folder = folder,
        .report = {.counts = counts, .notice = notice, .data = data},
    };
    enum status status = store_lock(folder->store, LOCK_IMPORT, err);

    if (status != STATUS_OK)
        return status;
    status = receive(&receiver, err);
    store_unlock(folder->store, LOCK_IMPORT);
    folder_survey_release(&receiver.survey);
    version_vector_release(&receiver.vector);
    return status;
}
