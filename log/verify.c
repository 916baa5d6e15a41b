/* One pass over the log proves the chains and finds, for each row of the index, the
 * change that it stands for: every change must have a row that is not older, and as many
 * rows as there are must have met their own change. Only when the numbers differ are
 * the rows looked at one by one to name one that met none. */
#include "log/verify.h"

#include "log/image.h"
#include "log/layered.h"
#include "log/log_record.h"
#include "log/row_record.h"
#include "log/signing.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct chain {
    uint64_t origin;
    uint64_t seq;
    uint8_t hash[HASH_SIZE];
};

struct verifier {
    struct store_txn *txn;
    struct verify_report *report;
    struct change_cursor *cursor;
    struct chain *chains; /* owned */
    size_t chain_count;
    size_t chain_capacity;
    uint64_t last;
    bool adopting;  /* rows may stand for a change of entry last + 1 already */
    uint64_t met;   /* rows that met their change */
    uint64_t ahead; /* rows that stand for a change of the entry being adopted */
    struct progress_step progress; /* changes */
};

/* What is wrong with an entry. */
static enum status bad(struct verifier *verifier, uint64_t seq, struct error *err,
                       const char *what)
{
    struct error told;

    (void)snprintf(told.text, sizeof told.text, "%s", what);
    verifier->report->bad_seq = seq;
    return error_set(err, STATUS_DIFFERENT, "entry %" PRIu64 ": %.900s", seq, told.text);
}

/* A failure to decode is a finding; any other failure is one of the machine. */
static enum status judge(struct verifier *verifier, uint64_t seq, enum status status,
                         struct error *err)
{
    static const char prefix[] = "entry ";
    const char *text = err->text;

    if (status != STATUS_CORRUPT)
        return status;
    if (strncmp(text, prefix, sizeof prefix - 1) == 0 && strstr(text, ": ") != NULL)
        text = strstr(text, ": ") + 2;
    return bad(verifier, seq, err, text);
}

static struct chain *find_chain(struct verifier *verifier, uint64_t origin)
{
    for (size_t i = 0; i < verifier->chain_count; i++) {
        if (verifier->chains[i].origin == origin)
            return &verifier->chains[i];
    }
    if (verifier->chain_count == verifier->chain_capacity) {
        size_t capacity = verifier->chain_capacity * 2 + 8;
        struct chain *chains = realloc(verifier->chains, capacity * sizeof *chains);

        if (chains == NULL)
            return NULL;
        verifier->chains = chains;
        verifier->chain_capacity = capacity;
    }
    verifier->chains[verifier->chain_count] = (struct chain){.origin = origin};
    return &verifier->chains[verifier->chain_count++];
}

/* ---- chain and signature of one entry */

static enum status hash_body(struct verifier *verifier, const struct log_entry *entry,
                             uint8_t out[HASH_SIZE], struct error *err)
{
    crypto_generichash_state state;
    struct bytes piece;
    uint32_t next = 0;
    enum status status;

    (void)crypto_generichash_init(&state, NULL, 0, HASH_SIZE);
    while ((status = log_body_piece(verifier->txn, entry, &next, &piece, err)) ==
           STATUS_OK)
        (void)crypto_generichash_update(&state, piece.data, piece.size);
    (void)crypto_generichash_final(&state, out, HASH_SIZE);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status check_signature(struct verifier *verifier,
                                   const struct log_entry *entry, struct error *err)
{
    const struct identity *identity = store_identity(store_of(verifier->txn));
    const struct entry_header *header = &entry->header;
    uint8_t key[ORIGIN_KEY_SIZE];
    struct member_record member;
    struct bytes record;
    enum status status =
        store_get(verifier->txn, DBI_ORIGIN,
                  origin_key(key, header->origin, header->origin_seq), &record, err);

    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && record.size < 8))
        return bad(verifier, entry->seq, err, "its origin's index does not have it");
    if (status != STATUS_OK)
        return status;
    if (bytes_get(record.data, 8) != entry->seq)
        return bad(verifier, entry->seq, err, "its origin's index names another entry");
    if (record.size == 8)
        return STATUS_OK;
    status = member_find(verifier->txn, header->origin, &member, err);
    if (status == STATUS_NOT_FOUND)
        return bad(verifier, entry->seq, err, "its node is not a member");
    if (status != STATUS_OK)
        return status;
    if (record.size != 8 + SIGNATURE_SIZE ||
        !signing_head_is_right(record.data + 8, identity->fleet, member.member.public_key,
                               header->origin, header->origin_seq, entry->hash))
        return bad(verifier, entry->seq, err, "its signature is not its node's");
    verifier->report->signatures++;
    return STATUS_OK;
}

static enum status check_chain(struct verifier *verifier, const struct log_entry *entry,
                               struct error *err)
{
    struct chain *chain = find_chain(verifier, entry->header.origin);
    uint8_t body[HASH_SIZE], hash[HASH_SIZE];
    char text[160];
    enum status status;

    if (chain == NULL)
        return error_set(err, STATUS_NO_MEMORY, "verify: out of memory");
    if (entry->header.origin_seq != chain->seq + 1) {
        (void)snprintf(text, sizeof text,
                       "it is entry %" PRIu64 " of node %016" PRIx64
                       ", after that node's entry %" PRIu64,
                       entry->header.origin_seq, entry->header.origin, chain->seq);
        return bad(verifier, entry->seq, err, text);
    }
    status = hash_body(verifier, entry, body, err);
    if (status != STATUS_OK)
        return judge(verifier, entry->seq, status, err);
    entry_hash(hash, chain->hash, entry->header_bytes, body);
    if (memcmp(hash, entry->hash, HASH_SIZE) != 0)
        return bad(verifier, entry->seq, err, "its hash does not follow from its bytes");
    chain->seq++;
    memcpy(chain->hash, hash, HASH_SIZE);
    return check_signature(verifier, entry, err);
}

/* ---- rows */

/* The row's winner is this change: it must say the same. */
static bool stands_for(const struct row *row, const struct log_change *change)
{
    const struct change *said = &change->change;
    const struct version *born = said->has_born ? &said->born : &change->version;

    if (version_compare(&row->version, &change->version) != 0 ||
        row->live != (said->op != CHANGE_DELETE) ||
        row->definition_origin != change->version.origin ||
        row->definition != said->definition || !bytes_equal(row->key, said->key))
        return false;
    return !row->live || (bytes_equal(row->image, said->image) &&
                          version_compare(&row->born, born) == 0);
}

static enum status check_change(struct verifier *verifier,
                                const struct log_change *change, struct error *err)
{
    struct table table;
    struct row row;
    enum status status = tables_find(verifier->txn, change->version.origin,
                                     change->change.definition, &table, err);

    if (status == STATUS_NOT_FOUND)
        return bad(verifier, change->seq, err, "it uses a definition that is not there");
    if (status == STATUS_OK)
        status = rows_get(verifier->txn, table.id, change->change.key, &row, err);
    if (status == STATUS_NOT_FOUND)
        return bad(verifier, change->seq, err,
                   "a row that it changed is not in the index");
    if (status != STATUS_OK)
        return judge(verifier, change->seq, status, err);
    if (version_compare(&row.version, &change->version) < 0)
        return bad(verifier, change->seq, err,
                   "the index has an older version of its row");
    if (row.winner.seq != change->seq || row.winner.index != change->index)
        return STATUS_OK;
    if (!change->won || !stands_for(&row, change))
        return bad(verifier, change->seq, err, "the index says otherwise of its row");
    verifier->met++;
    return STATUS_OK;
}

static enum status check_changes(struct verifier *verifier, uint64_t seq,
                                 struct error *err)
{
    struct log_change change;
    enum status status = change_cursor_start(verifier->cursor, seq, 0, err);

    while (status == STATUS_OK) {
        status = change_cursor_next(verifier->cursor, &change, err);
        if (status == STATUS_OK) {
            verifier->report->changes++;
            progress_add(&verifier->progress, 1);
            status = check_change(verifier, &change, err);
        }
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : judge(verifier, seq, status, err);
}

/* ---- the index from its own side */

/* Name the entry that a row stands for without having met it. */
static enum status check_row(struct verifier *verifier, const struct row *row,
                             struct error *err)
{
    struct log_change change;
    enum status status;

    if (row->winner.seq == verifier->last + 1 && verifier->adopting) {
        verifier->ahead++;
        return STATUS_OK;
    }
    status = log_change_at(verifier->txn, row->winner, &change, err);
    if (status == STATUS_NOT_FOUND)
        return bad(verifier, row->winner.seq, err,
                   "a row stands for it, but it is missing");
    if (status != STATUS_OK)
        return judge(verifier, row->winner.seq, status, err);
    if (!stands_for(row, &change))
        return bad(verifier, row->winner.seq, err, "the index says otherwise of its row");
    return STATUS_OK;
}

static enum status check_table(struct verifier *verifier, uint32_t table,
                               struct error *err)
{
    struct row_cursor *cursor;
    struct row row;
    enum status status = row_cursor_open(&cursor, verifier->txn, table, false, err);

    while (status == STATUS_OK) {
        status = row_cursor_next(cursor, &row, err);
        if (status == STATUS_OK)
            status = check_row(verifier, &row, err);
    }
    row_cursor_close(cursor);
    if (status == STATUS_CORRUPT)
        return bad(verifier, verifier->last, err, "a row of the index does not decode");
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status count_keys(struct verifier *verifier, enum store_dbi layer,
                              uint64_t *count, struct error *err)
{
    static const uint8_t first[1];
    struct run_walk *walk = NULL;
    struct bytes key, record;
    enum status status = layered_walk(verifier->txn, layer, &walk, err);

    *count = 0;
    if (status == STATUS_OK)
        status = run_walk_seek(walk, (struct bytes){first, 1}, false, err);
    while (status == STATUS_OK) {
        status = run_walk_next(walk, &key, &record, err);
        *count += status == STATUS_OK && record.size > 0;
    }
    layered_walk_end(verifier->txn, layer, walk);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status check_index(struct verifier *verifier, struct error *err)
{
    uint64_t rows;
    uint32_t tables;
    enum status status = count_keys(verifier, DBI_ROW, &rows, err);

    verifier->report->rows = rows;
    if (status != STATUS_OK || verifier->met == rows)
        return judge(verifier, verifier->last, status, err);
    status = tables_count(verifier->txn, &tables, err);
    for (uint32_t id = 1; status == STATUS_OK && id <= tables; id++)
        status = check_table(verifier, id, err);
    if (status == STATUS_OK && verifier->met + verifier->ahead != rows)
        status = bad(verifier, verifier->last, err,
                     "the index has rows that no entry accounts for");
    return status;
}

/* Held images are dropped as a whole when the store counts none: so it has to count
 * right.
 */
static enum status check_counts(struct verifier *verifier, struct error *err)
{
    uint64_t held, known_rows, known_held;
    enum status status = count_keys(verifier, DBI_HELD, &held, err);

    if (status == STATUS_OK)
        status = layered_count(verifier->txn, DBI_HELD, &known_held, err);
    if (status == STATUS_OK)
        status = layered_count(verifier->txn, DBI_ROW, &known_rows, err);
    if (status != STATUS_OK)
        return judge(verifier, verifier->last, status, err);
    if (known_rows != verifier->report->rows)
        return bad(verifier, verifier->last, err, "the rows of the index are miscounted");
    if (known_held != held)
        return bad(verifier, verifier->last, err, "the held images are miscounted");
    return STATUS_OK;
}

static enum status check_vector(struct verifier *verifier, struct error *err)
{
    struct version_vector vector;
    enum status status;
    bool equal;

    version_vector_init(&vector);
    status = meta_get_vector(verifier->txn, META_VECTOR, &vector, err);
    equal = vector.count == verifier->chain_count;
    for (size_t i = 0; status == STATUS_OK && i < verifier->chain_count; i++) {
        const struct chain *chain = &verifier->chains[i];
        struct origin_head head;

        equal = equal && version_vector_get(&vector, chain->origin) == chain->seq;
        status = log_head(verifier->txn, chain->origin, &head, err);
        equal = equal && head.seq == chain->seq &&
                memcmp(head.hash, chain->hash, HASH_SIZE) == 0;
    }
    version_vector_release(&vector);
    if (status == STATUS_OK && !equal)
        return bad(verifier, verifier->last, err,
                   "the version vector is not that of the entries");
    return judge(verifier, verifier->last, status, err);
}

static enum status check_entry(struct verifier *verifier, uint64_t seq, struct error *err)
{
    struct log_entry entry;
    enum status status = log_get(verifier->txn, seq, &entry, err);

    if (status == STATUS_NOT_FOUND)
        return bad(verifier, seq, err, "it is missing");
    if (status != STATUS_OK)
        return judge(verifier, seq, status, err);
    status = check_chain(verifier, &entry, err);
    if (status == STATUS_OK && entry.header.kind == ENTRY_CHANGES)
        status = check_changes(verifier, seq, err);
    verifier->report->entries++;
    return status;
}

static enum status start(struct verifier *verifier, struct store *store,
                         struct error *err)
{
    struct bytes adoption;
    enum status status = store_begin(store, TXN_READ, &verifier->txn, err);

    if (status == STATUS_OK)
        status = change_cursor_open(&verifier->cursor, verifier->txn, err);
    if (status == STATUS_OK)
        status = meta_get(verifier->txn, META_LAST_SEQ, &verifier->last, err);
    if (status == STATUS_OK)
        status = meta_get_bytes(verifier->txn, META_ADOPTION, &adoption, err);
    if (status == STATUS_OK)
        verifier->adopting = adoption.size > 0;
    return status;
}

/* Somebody watches: count what there is to read. What can't be read, reading names. */
static void watch_changes(struct verifier *verifier, const struct store *store)
{
    struct progress_state state = {.step = "verify", .unit = PROGRESS_ROWS};
    struct log_entry entry;
    struct error ignored;

    for (uint64_t seq = 1; store_progress(store) != NULL && seq <= verifier->last;
         seq++) {
        if (log_get(verifier->txn, seq, &entry, &ignored) == STATUS_OK &&
            entry.header.kind == ENTRY_CHANGES)
            state.all += entry.header.item_count;
    }
    progress_begin(&verifier->progress, store_progress(store), &state);
}

enum status verify_store(struct store *store, struct verify_report *report,
                         struct error *err)
{
    struct verifier verifier = {.report = report};
    enum status status = start(&verifier, store, err);

    *report = (struct verify_report){0};
    if (status == STATUS_OK)
        watch_changes(&verifier, store);
    for (uint64_t seq = 1; status == STATUS_OK && seq <= verifier.last; seq++)
        status = check_entry(&verifier, seq, err);
    if (status == STATUS_OK)
        status = check_vector(&verifier, err);
    if (status == STATUS_OK)
        status = check_index(&verifier, err);
    if (status == STATUS_OK)
        status = check_counts(&verifier, err);
    change_cursor_close(verifier.cursor);
    store_abort(verifier.txn);
    free(verifier.chains);
    return status;
}
