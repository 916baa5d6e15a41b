#include "log/appender.h"
#include "log/peers.h"
#include "log/segment_check.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- the second pass: what was verified enters */

struct importer {
    struct segment_check *check;
    struct appender *appender;
    struct buffer header_bytes;
    struct entry_header header; /* views into header_bytes */
    uint8_t hash[HASH_SIZE];
    uint64_t body_left;
    bool is_taken; /* the entry at hand is new and may enter */
};

static enum status end_entry(struct importer *importer, struct error *err)
{
    uint64_t seq;

    if (!importer->is_taken)
        return STATUS_OK;
    return appender_end_import(importer->appender, buffer_view(&importer->header_bytes),
                               importer->hash, &seq, err);
}

static enum status changed_meanwhile(const struct importer *importer, struct error *err)
{
    return error_set(err, STATUS_IO,
                     "segment %s was changed while it was read: import it again",
                     importer->check->name);
}

static enum status begin_entry(struct importer *importer, struct bytes payload,
                               struct error *err)
{
    const struct segment_origin *origin;
    struct bytes hash;
    enum status status;

    if (!bytes_take_view(&payload, HASH_SIZE, &hash))
        return changed_meanwhile(importer, err);
    memcpy(importer->hash, hash.data, HASH_SIZE);
    buffer_clear(&importer->header_bytes);
    buffer_put_bytes(&importer->header_bytes, payload);
    status = buffer_check(&importer->header_bytes, err);
    if (status == STATUS_OK)
        status = entry_header_decode(buffer_view(&importer->header_bytes),
                                     &importer->header, err);
    if (status != STATUS_OK)
        return status;
    origin = segment_origins_find(&importer->check->origins, importer->header.origin);
    importer->is_taken = origin != NULL && importer->header.origin_seq > origin->held &&
                         importer->header.origin_seq <= origin->accepted;
    importer->body_left = importer->header.body_size;
    return importer->body_left == 0 ? end_entry(importer, err) : STATUS_OK;
}

static enum status add_body(struct importer *importer, struct bytes piece,
                            struct error *err)
{
    enum status status = STATUS_OK;

    if (piece.size > importer->body_left)
        return changed_meanwhile(importer, err);
    if (importer->is_taken)
        status = appender_add_items(importer->appender, piece, err);
    importer->body_left -= piece.size;
    if (status == STATUS_OK && importer->body_left == 0)
        status = end_entry(importer, err);
    return status;
}

static enum status import_records(struct importer *importer,
                                  struct segment_reader *reader, struct error *err)
{
    enum status status = STATUS_OK;

    while (status == STATUS_OK) {
        struct segment_record record;

        status = segment_reader_next(reader, &record, &importer->check->refusal, err);
        if (status == STATUS_OK && record.type == RECORD_ENTRY)
            status = begin_entry(importer, record.payload, err);
        else if (status == STATUS_OK && record.type == RECORD_BODY)
            status = add_body(importer, record.payload, err);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Entries that ended before a failure stay; a repeat finishes. */
static enum status import_entries(struct segment_check *check, FILE *file,
                                  struct segment_counts *counts, struct error *err)
{
    const struct identity *identity = store_identity(check->store);
    struct importer importer = {.check = check};
    struct segment_reader *reader = NULL;
    struct append_counts appended;
    enum status status;
    enum status committed;

    status = appender_open(&importer.appender, check->store, APPENDER_IMPORT, err);
    if (status != STATUS_OK)
        return status;
    status =
        segment_reader_open(&reader, identity, file, check->name, &check->refusal, err);
    /* The nonce is random: the same one means the same segment as was verified. */
    if (status == STATUS_OK &&
        memcmp(segment_reader_nonce(reader), check->nonce, SEAL_NONCE_SIZE) != 0)
        status = changed_meanwhile(&importer, err);
    if (status == STATUS_OK) {
        segment_reader_watch(reader, check->store, "import", check->bytes);
        status = import_records(&importer, reader, err);
    }
    if (status == STATUS_OK) {
        committed = appender_commit(importer.appender, err);
        status = committed;
    }
    appended = appender_counts(importer.appender);
    counts->entries = appended.entries;
    counts->changes = appended.changes;
    counts->conflicts = appended.conflicts;
    segment_reader_close(reader);
    buffer_release(&importer.header_bytes);
    appender_close(importer.appender);
    return status;
}

/* ---- what is kept beside the log */

/* Whether there is an acknowledgement in it that says something new. Members that the
 * segment itself brought are in the store by now, unless they wait. */
static enum status has_newer_ack(struct segment_check *check, struct store_txn *txn,
                                 bool *newer, struct error *err)
{
    enum status status = STATUS_OK;

    *newer = false;
    for (size_t i = 0; i < check->ack_count && status == STATUS_OK && !*newer; i++) {
        status = peers_learn(txn, &check->acks[i], newer, err);
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    return status;
}

static enum status learn(struct segment_check *check, struct error *err)
{
    struct store_txn *txn = NULL;
    bool newer = false;
    enum status status = store_begin(check->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = has_newer_ack(check, txn, &newer, err);
    store_abort(txn);
    txn = NULL;
    if (status != STATUS_OK || (!newer && check->signature_count == 0))
        return status;

    status = store_begin(check->store, TXN_WRITE, &txn, err);
    for (size_t i = 0; i < check->signature_count && status == STATUS_OK; i++) {
        status = log_signature_put(txn, check->signatures[i].origin,
                                   check->signatures[i].origin_seq,
                                   check->signatures[i].signature, err);
    }
    for (size_t i = 0; i < check->ack_count && status == STATUS_OK; i++) {
        status = peers_learn(txn, &check->acks[i], &newer, err);
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    if (status == STATUS_OK)
        return store_commit(txn, err);
    store_abort(txn);
    return status;
}

/* ---- clocks */

enum { DURATION_TEXT_SIZE = 80 };

/* "10 years 3 days": the two largest units. */
static void duration_text(uint64_t us, char out[DURATION_TEXT_SIZE])
{
    static const struct {
        const char *name;
        uint64_t seconds;
    } units[] = {
        {"year",   31536000},
        {"day",    86400   },
        {"hour",   3600    },
        {"minute", 60      },
        {"second", 1       }
    };
    uint64_t seconds = us / 1000000;
    size_t at = 0;
    int named = 0;

    (void)snprintf(out, DURATION_TEXT_SIZE, "less than a second");
    for (size_t i = 0; i < sizeof units / sizeof *units && named < 2; i++) {
        uint64_t count = seconds / units[i].seconds;
        int size;

        seconds %= units[i].seconds;
        if (count == 0)
            continue;
        size =
            snprintf(out + at, DURATION_TEXT_SIZE - at, "%s%" PRIu64 " %s%s",
                     named == 0 ? "" : " ", count, units[i].name, count == 1 ? "" : "s");
        assert(size > 0);
        at += (size_t)size;
        named++;
    }
}

/* When this node made its newest entry, by its own clock of then; 0: never. */
static enum status newest_own_us(struct store_txn *txn, uint64_t *us, struct error *err)
{
    uint64_t own = store_identity(store_of(txn))->node;
    struct origin_head head;
    struct log_entry entry;
    uint64_t seq;
    enum status status = log_head(txn, own, &head, err);

    *us = 0;
    if (status == STATUS_OK)
        status = log_find(txn, own, head.seq, &seq, err);
    if (status == STATUS_OK)
        status = log_get(txn, seq, &entry, err);
    if (status == STATUS_OK && entry.local)
        *us = entry.arrived_us;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Whose clock is wrong, and by how much. */
static enum status refuse_skewed(struct segment_check *check, struct error *err)
{
    uint64_t now_us = store_now_us(check->store);
    struct store_txn *txn = NULL;
    uint64_t newest_us = 0;
    char label[NODE_LABEL_SIZE];
    char duration[DURATION_TEXT_SIZE];
    enum status status = store_begin(check->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = newest_own_us(txn, &newest_us, err);
    if (status == STATUS_OK)
        segment_origins_label(&check->origins, txn, check->skewed_origin, label);
    store_abort(txn);
    if (status != STATUS_OK)
        return status;
    check->refusal = REFUSAL_SKEWED;
    if (now_us < newest_us && newest_us - now_us > store_max_skew_us(check->store)) {
        duration_text(newest_us - now_us, duration);
        return error_set(err, STATUS_REFUSED,
                         "segment %s: this machine's clock is %s before the newest entry "
                         "that was made here: set it right and sync again",
                         check->name, duration);
    }
    duration_text(check->skew_us, duration);
    return error_set(
        err, STATUS_REFUSED,
        "segment %s: %s: its clock is %s ahead of this machine's, %" PRIu64
        " of its entries (and what follows from them) wait until this clock "
        "is there: set its clock right, and if that is too long, there " STORE_JOIN_ANEW,
        check->name, label, duration, check->waiting);
}

/* ---- both passes */

static enum status import(struct segment_check *check, FILE *file,
                          struct segment_counts *counts, struct error *err)
{
    off_t start = ftello(file);
    struct stat found;
    enum status status;

    if (start < 0)
        return error_set(err, STATUS_IO, "segment %s cannot be read twice: %s",
                         check->name, strerror(errno));
    if (fstat(fileno(file), &found) == 0 && found.st_size > start)
        check->size = (uint64_t)(found.st_size - start);
    /* What a dead importer had as good as done counts as held. */
    status = appender_settle(check->store, err);
    if (status == STATUS_OK)
        status = segment_check_run(check, file, err);
    if (status != STATUS_OK)
        return status;
    counts->bytes = check->bytes;
    counts->waiting = check->waiting;
    if (check->fresh > 0) {
        if (fseeko(file, start, SEEK_SET) != 0)
            return error_set(err, STATUS_IO, "segment %s cannot be read again: %s",
                             check->name, strerror(errno));
        status = import_entries(check, file, counts, err);
    }
    if (status == STATUS_OK)
        status = learn(check, err);
    if (status == STATUS_OK && check->waiting > 0)
        status = refuse_skewed(check, err);
    return status;
}

enum status segment_import(struct store *store, FILE *file, const char *name,
                           struct segment_counts *counts, struct error *err)
{
    struct segment_check check = {.store = store, .name = name};
    enum status status;

    *counts = (struct segment_counts){0};
    status = import(&check, file, counts, err);
    counts->refusal = status == STATUS_REFUSED ? check.refusal : REFUSAL_NONE;
    segment_check_release(&check);
    return status;
}
