#include "ship/folder_survey.h"

#include "log/peers.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS_MIN = 32, REFUSAL_LINES_MAX = 5 };

/* Larger than any real one (10,000 nodes, 100,000 segments), small enough to hold. */
enum { STATE_SIZE_MAX = 64 << 20 };

/* ---- reports */

void folder_report_unready(struct folder_report *report, const char *line)
{
    report->counts->unready++;
    if (report->notice != NULL)
        report->notice(report->data, line);
}

void folder_report_refusal(struct folder_report *report, enum status status,
                           const struct error *why)
{
    assert(status != STATUS_OK);
    report->refusals++;
    if (report->first == STATUS_OK) {
        report->first = status;
        report->first_err = *why;
    } else if (report->notice != NULL && report->refusals <= REFUSAL_LINES_MAX) {
        report->notice(report->data, why->text);
    }
}

enum status folder_report_end(struct folder_report *report, struct error *err)
{
    if (report->notice != NULL && report->refusals > REFUSAL_LINES_MAX) {
        char line[80];

        (void)snprintf(line, sizeof line, "%" PRIu64 " more files were refused",
                       report->refusals - REFUSAL_LINES_MAX);
        report->notice(report->data, line);
    }
    if (report->first != STATUS_OK)
        *err = report->first_err;
    return report->first;
}

/* ---- the list of segments */

void folder_survey_release(struct folder_survey *survey)
{
    for (size_t i = 0; i < survey->segment_count; i++) {
        segment_ranges_release(&survey->segments[i].ranges);
        free(survey->segments[i].waits);
    }
    for (size_t i = 0; i < survey->state_count; i++)
        folder_state_release(&survey->states[i]);
    free(survey->segments);
    free(survey->states);
    buffer_release(&survey->own_content);
    *survey = (struct folder_survey){0};
}

/* NULL: out of memory. */
static struct folder_segment *add_segment(struct folder_survey *survey, uint64_t node,
                                          uint64_t number, struct error *err)
{
    size_t capacity =
        survey->segment_capacity == 0 ? ITEMS_MIN : survey->segment_capacity * 2;
    struct folder_segment *segment = survey->segments;

    if (survey->segment_count == survey->segment_capacity) {
        segment = realloc(segment, capacity * sizeof *segment);
        if (segment == NULL) {
            (void)error_set(err, STATUS_NO_MEMORY, "survey a folder: out of memory");
            return NULL;
        }
        survey->segments = segment;
        survey->segment_capacity = capacity;
    }
    segment += survey->segment_count++;
    *segment = (struct folder_segment){.node = node, .number = number};
    return segment;
}

static int compare_segments(const void *left, const void *right)
{
    const struct folder_segment *a = left;
    const struct folder_segment *b = right;

    if (a->node != b->node)
        return a->node < b->node ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

static void sort_segments(struct folder_survey *survey)
{
    if (survey->segment_count > 0)
        qsort(survey->segments, survey->segment_count, sizeof *survey->segments,
              compare_segments);
}

/* Of the first count segments, which are sorted. */
static struct folder_segment *find_segment(const struct folder_survey *survey,
                                           size_t count, uint64_t node, uint64_t number)
{
    struct folder_segment key = {.node = node, .number = number};

    return count == 0
               ? NULL
               : bsearch(&key, survey->segments, count, sizeof key, compare_segments);
}

struct folder_segment *folder_survey_find(const struct folder_survey *survey,
                                          uint64_t node, uint64_t number)
{
    return find_segment(survey, survey->segment_count, node, number);
}

bool folder_segment_is_whole(const struct folder_segment *segment)
{
    return segment->is_present &&
           (!segment->is_listed || segment->size == segment->listed_size);
}

/* ---- states */

struct listing {
    struct folder_survey *survey;
    uint64_t *state_nodes; /* owned */
    size_t state_count;
    size_t state_capacity;
};

static enum status add_state_node(struct listing *listing, uint64_t node,
                                  struct error *err)
{
    size_t capacity =
        listing->state_capacity == 0 ? ITEMS_MIN : listing->state_capacity * 2;

    if (listing->state_count == listing->state_capacity) {
        uint64_t *nodes = realloc(listing->state_nodes, capacity * sizeof *nodes);

        if (nodes == NULL)
            return error_set(err, STATUS_NO_MEMORY, "survey a folder: out of memory");
        listing->state_nodes = nodes;
        listing->state_capacity = capacity;
    }
    listing->state_nodes[listing->state_count++] = node;
    return STATUS_OK;
}

static enum status note_file(void *data, const char *text, const struct folder_name *name,
                             uint64_t size, struct error *err)
{
    struct listing *listing = data;
    struct folder_segment *segment;

    (void)text;
    if (name->kind == FOLDER_STATE)
        return add_state_node(listing, name->node, err);
    if (name->kind != FOLDER_SEGMENT)
        return STATUS_OK;
    segment = add_segment(listing->survey, name->node, name->number, err);
    if (segment == NULL)
        return STATUS_NO_MEMORY;
    segment->is_present = true;
    segment->size = size;
    return STATUS_OK;
}

/* Mark the state's segments as listed. The first `present` segments are sorted; those
 * that are not there are appended. */
static enum status note_listed(struct folder_survey *survey,
                               const struct folder_state *state, size_t present,
                               struct error *err)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < state->listed_count && status == STATUS_OK; i++) {
        const struct folder_listed *listed = &state->listed[i];
        struct folder_segment *segment =
            find_segment(survey, present, state->node, listed->number);

        if (segment == NULL)
            segment = add_segment(survey, state->node, listed->number, err);
        if (segment == NULL)
            return STATUS_NO_MEMORY;
        segment->is_listed = true;
        segment->is_known = true;
        segment->listed_size = listed->size;
        status = segment_ranges_copy(&segment->ranges, &listed->ranges, err);
    }
    return status;
}

/* Room for one more, not counted yet. NULL: out of memory. */
static struct folder_state *next_state(struct folder_survey *survey, struct error *err)
{
    size_t capacity =
        survey->state_capacity == 0 ? ITEMS_MIN : survey->state_capacity * 2;
    struct folder_state *state = survey->states;

    if (survey->state_count == survey->state_capacity) {
        state = realloc(state, capacity * sizeof *state);
        if (state == NULL) {
            (void)error_set(err, STATUS_NO_MEMORY, "survey a folder: out of memory");
            return NULL;
        }
        survey->states = state;
        survey->state_capacity = capacity;
    }
    state += survey->state_count;
    folder_state_init(state);
    return state;
}

/* Open one state file. *refusal: why not. */
static enum status open_state(const struct folder *folder, uint64_t node,
                              struct buffer *content, struct folder_state *state,
                              enum refusal *refusal, struct error *err)
{
    const struct identity *identity = store_identity(folder->store);
    char name[FOLDER_NAME_SIZE];
    struct buffer sealed = {0};
    enum status status;

    *refusal = REFUSAL_NONE;
    folder_state_name(node, name);
    status = folder_read_file(folder->directory, folder->path, name, STATE_SIZE_MAX,
                              &sealed, err);
    if (status == STATUS_OK)
        status = seal_take(buffer_view(&sealed), SEAL_STATE, identity, name, content,
                           refusal, err);
    buffer_release(&sealed);
    if (status != STATUS_OK)
        return status;
    status = folder_state_decode(buffer_view(content), state, err);
    if (status == STATUS_CORRUPT) {
        struct error callee = *err;

        status =
            error_set(err, STATUS_REFUSED, "state file %s: %s: its writer is at fault",
                      name, callee.text);
    }
    if (status == STATUS_OK && state->node != node) {
        char other[NODE_ID_TEXT_SIZE];

        node_id_text(state->node, other);
        status =
            error_set(err, STATUS_REFUSED,
                      "state file %s is node %s's: files were renamed; the node's next "
                      "visit writes it again",
                      name, other);
    }
    return status;
}

static enum status read_state(struct folder_survey *survey, const struct folder *folder,
                              uint64_t node, size_t present, struct folder_report *report,
                              struct error *err)
{
    bool own = node == store_identity(folder->store)->node;
    struct buffer content = {0};
    struct folder_state *state = next_state(survey, err);
    enum refusal refusal;
    enum status status;

    if (state == NULL)
        return STATUS_NO_MEMORY;
    status = open_state(folder, node, &content, state, &refusal, err);
    if (status == STATUS_OK) {
        survey->state_count++;
        status = note_listed(survey, state, present, err);
        if (own) {
            buffer_release(&survey->own_content);
            survey->own_content = content;
            buffer_init(&content);
        }
    } else {
        folder_state_release(state);
        /* Its own one is written again by the same visit. */
        if (status == STATUS_REFUSED &&
            (own || refusal == REFUSAL_CUT || refusal == REFUSAL_BLANK)) {
            folder_report_unready(report, err->text);
            status = STATUS_OK;
        } else if (status == STATUS_REFUSED || status == STATUS_UNAVAILABLE) {
            folder_report_refusal(report, status, err);
            status = STATUS_OK;
        } else if (status == STATUS_NOT_FOUND) {
            status = STATUS_OK; /* removed since it was listed */
        }
    }
    buffer_release(&content);
    return status;
}

/* ---- the survey */

/* What unlisted segments held when they were opened at an earlier visit. */
static enum status recall_unlisted(struct folder_survey *survey,
                                   const struct folder *folder, struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(folder->store, TXN_READ, &txn, err);

    for (size_t i = 0; i < survey->segment_count && status == STATUS_OK; i++) {
        struct folder_segment *segment = &survey->segments[i];
        char name[FOLDER_NAME_SIZE];

        if (segment->is_listed)
            continue;
        folder_segment_name(segment->node, segment->number, name);
        status = peers_segment_get(txn, name, segment->size, &segment->ranges, err);
        segment->is_known = status == STATUS_OK;
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    store_abort(txn);
    return status;
}

enum status folder_survey_make(struct folder_survey *survey, const struct folder *folder,
                               struct folder_report *report, struct error *err)
{
    struct listing listing = {.survey = survey};
    enum status status =
        folder_list(folder->directory, folder->path, note_file, &listing, err);
    size_t present = survey->segment_count;

    sort_segments(survey);
    for (size_t i = 0; i < listing.state_count && status == STATUS_OK; i++)
        status = read_state(survey, folder, listing.state_nodes[i], present, report, err);
    sort_segments(survey);
    if (status == STATUS_OK)
        status = recall_unlisted(survey, folder, err);
    free(listing.state_nodes);
    return status;
}

enum status folder_survey_vector(const struct folder_survey *survey,
                                 struct version_vector *vector, struct error *err)
{
    enum status status = STATUS_OK;
    bool progress = true;

    vector->count = 0;
    /* A segment counts when what must come before it does: a gap ends its origin. */
    while (progress && status == STATUS_OK) {
        progress = false;
        for (size_t i = 0; i < survey->segment_count && status == STATUS_OK; i++) {
            const struct folder_segment *segment = &survey->segments[i];

            if (!segment->is_known || !folder_segment_is_whole(segment) ||
                !segment_ranges_ready(&segment->ranges, vector) ||
                segment_ranges_known(&segment->ranges, vector))
                continue;
            status = segment_ranges_raise(&segment->ranges, vector, err);
            progress = true;
        }
    }
    return status;
}

enum status folder_store_vector(const struct folder *folder,
                                struct version_vector *vector, struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(folder->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = meta_get_vector(txn, META_VECTOR, vector, err);
    store_abort(txn);
    return status;
}

enum status folder_next_number(const struct folder *folder, uint64_t *number,
                               struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(folder->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = meta_get(txn, META_NEXT_SEGMENT, number, err);
    store_abort(txn);
    if (status == STATUS_OK && *number == 0)
        *number = 1;
    return status;
}

bool folder_segment_is_forgotten(const struct folder *folder,
                                 const struct folder_segment *segment,
                                 uint64_t next_number)
{
    return segment->node == store_identity(folder->store)->node && segment->is_listed &&
           folder_segment_is_whole(segment) && segment->number >= next_number;
}

enum status folder_use_number(const struct folder *folder, uint64_t number,
                              struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(folder->store, TXN_WRITE, &txn, err);

    if (status == STATUS_OK)
        status = meta_put(txn, META_NEXT_SEGMENT, number + 1, err);
    if (status == STATUS_OK)
        return store_commit(txn, err);
    store_abort(txn);
    return status;
}

enum status folder_survey_check_fork(const struct folder_survey *survey,
                                     const struct folder *folder, struct error *err)
{
    uint64_t node = store_identity(folder->store)->node;
    uint64_t known = 0;
    struct version_vector vector;
    enum status status;

    for (size_t i = 0; i < survey->state_count; i++) {
        uint64_t seq = version_vector_get(&survey->states[i].ack.holds, node);

        known = seq > known ? seq : known;
    }
    for (size_t i = 0; i < survey->segment_count; i++) {
        const struct segment_range *range =
            segment_ranges_find(&survey->segments[i].ranges, node);

        if (range != NULL && range->to > known)
            known = range->to;
    }
    version_vector_init(&vector);
    status = folder_store_vector(folder, &vector, err);
    if (status == STATUS_OK && known > version_vector_get(&vector, node)) {
        status = error_set(
            err, STATUS_REFUSED,
            "%s knows entries of this node up to %" PRIu64 ", its store ends at %" PRIu64
            ": the store came back from a backup, or a copy of it is in use: bring back "
            "the newer one, or " STORE_JOIN_ANEW,
            folder->path, known, version_vector_get(&vector, node));
    }
    version_vector_release(&vector);
    return status;
}
