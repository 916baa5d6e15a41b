/* The sub-database `conflict`:
 *
 *   'N' number 8                            -> the record below
 *   'L' origin 8, origin_seq 8, place 4     -> number 8      the loser's version
 *
 * A record: table 4, noticed_us 8, rule 1, flags 1 (bit 0: two inserts, bit 1: kept
 * both), key sized, then
 * the loser and the winner, each: version, seq varint, definition origin 8, definition
 * varint, image sized (empty: a delete); checksum 8. */
#include "log/conflicts.h"

#include "log/store_private.h"

#include <assert.h>

enum { NUMBER_KEY_SIZE = 9, LOSER_KEY_SIZE = 21 };
enum { FLAG_TWO_INSERTS = 1, FLAG_KEPT_BOTH = 2, FLAGS_MAX = 3 };

static struct bytes number_key(uint8_t out[NUMBER_KEY_SIZE], uint64_t number)
{
    out[0] = 'N';
    bytes_put(out + 1, number, 8);
    return (struct bytes){out, NUMBER_KEY_SIZE};
}

static struct bytes loser_key(uint8_t out[LOSER_KEY_SIZE], const struct version *loser)
{
    uint8_t *at = out;

    *at++ = 'L';
    at = bytes_put(at, loser->origin, 8);
    at = bytes_put(at, loser->origin_seq, 8);
    bytes_put(at, loser->place, 4);
    return (struct bytes){out, LOSER_KEY_SIZE};
}

static void side_put(struct buffer *out, const struct conflict_side *side)
{
    assert(side->live == (side->image.size > 0));
    version_put(out, &side->version);
    buffer_put_varint(out, side->place.seq);
    buffer_put(out, side->definition_origin, 8);
    buffer_put_varint(out, side->definition);
    buffer_put_sized(out, side->image);
}

static bool side_take(struct bytes *in, struct conflict_side *out)
{
    uint64_t seq, definition;

    if (!version_take(in, &out->version) || !bytes_take_varint(in, &seq) ||
        !bytes_take(in, 8, &out->definition_origin) ||
        !bytes_take_varint(in, &definition) || definition > UINT32_MAX ||
        !bytes_take_sized(in, &out->image))
        return false;
    out->place = (struct place){seq, out->version.place};
    out->definition = (uint32_t)definition;
    out->live = out->image.size > 0;
    return true;
}

enum status conflict_get(struct store_txn *txn, uint64_t number, struct conflict *out,
                         struct error *err)
{
    uint8_t key[NUMBER_KEY_SIZE];
    struct bytes in;
    uint64_t table, rule, flags;
    enum status status = store_get(txn, DBI_CONFLICT, number_key(key, number), &in, err);

    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_NOT_FOUND, "there is no conflict %llu",
                         (unsigned long long)number);
    if (status == STATUS_OK)
        status = record_check(&in, "a conflict's record", err);
    if (status != STATUS_OK)
        return status;
    *out = (struct conflict){.number = number};
    if (!bytes_take(&in, 4, &table) || !bytes_take(&in, 8, &out->noticed_us) ||
        !bytes_take(&in, 1, &rule) || rule < RULE_LATER || rule > RULE_JOINED ||
        !bytes_take(&in, 1, &flags) || flags > FLAGS_MAX ||
        !bytes_take_sized(&in, &out->key) || !side_take(&in, &out->loser) ||
        !side_take(&in, &out->winner) || in.size != 0)
        return error_set(err, STATUS_CORRUPT, "conflict %llu does not decode",
                         (unsigned long long)number);
    out->table = (uint32_t)table;
    out->rule = (enum conflict_rule)rule;
    out->two_inserts = (flags & FLAG_TWO_INSERTS) != 0;
    out->kept_both = (flags & FLAG_KEPT_BOTH) != 0;
    return STATUS_OK;
}

enum status conflict_of_loser(struct store_txn *txn, const struct version *loser,
                              uint64_t *number, struct error *err)
{
    uint8_t key[LOSER_KEY_SIZE];
    struct bytes value;
    enum status status = store_get(txn, DBI_CONFLICT, loser_key(key, loser), &value, err);

    if (status != STATUS_OK)
        return status;
    if (value.size != 8)
        return error_set(err, STATUS_CORRUPT, "a conflict's number has a wrong size");
    *number = bytes_get(value.data, 8);
    return STATUS_OK;
}

static enum status put_conflict(struct store_txn *txn, const struct conflict *conflict,
                                struct error *err)
{
    uint8_t key[NUMBER_KEY_SIZE];
    struct buffer record = {0};
    enum status status;

    buffer_put(&record, conflict->table, 4);
    buffer_put(&record, conflict->noticed_us, 8);
    buffer_put(&record, conflict->rule, 1);
    buffer_put(&record,
               (conflict->two_inserts ? FLAG_TWO_INSERTS : 0U) |
                   (conflict->kept_both ? FLAG_KEPT_BOTH : 0U),
               1);
    buffer_put_sized(&record, conflict->key);
    side_put(&record, &conflict->loser);
    side_put(&record, &conflict->winner);
    record_seal(&record);
    status = buffer_check(&record, err);
    if (status == STATUS_OK)
        status = store_put(txn, DBI_CONFLICT, number_key(key, conflict->number),
                           buffer_view(&record), err);
    buffer_release(&record);
    return status;
}

enum status conflict_add(struct store_txn *txn, const struct conflict *conflict,
                         bool *added, struct error *err)
{
    uint8_t key[LOSER_KEY_SIZE], value[8];
    struct conflict numbered = *conflict;
    uint64_t number = 0;
    enum status status = conflict_of_loser(txn, &conflict->loser.version, &number, err);

    assert(version_compare(&conflict->loser.version, &conflict->winner.version) < 0);
    *added = false;
    if (status != STATUS_NOT_FOUND)
        return status;
    status = meta_get(txn, META_NEXT_CONFLICT, &number, err);
    if (status != STATUS_OK)
        return status;
    numbered.number = number == 0 ? 1 : number;
    status = put_conflict(txn, &numbered, err);
    bytes_put(value, numbered.number, sizeof value);
    if (status == STATUS_OK)
        status = store_put(txn, DBI_CONFLICT, loser_key(key, &conflict->loser.version),
                           (struct bytes){value, sizeof value}, err);
    if (status == STATUS_OK)
        status = meta_put(txn, META_NEXT_CONFLICT, numbered.number + 1, err);
    *added = status == STATUS_OK;
    return status;
}

enum status conflict_mark_kept(struct store_txn *txn, uint64_t number, struct error *err)
{
    struct conflict conflict = {0};
    enum status status = conflict_get(txn, number, &conflict, err);

    if (status != STATUS_OK || conflict.kept_both)
        return status;
    conflict.kept_both = true;
    return put_conflict(txn, &conflict, err); /* encoded before the old one goes */
}

enum status conflict_count(struct store_txn *txn, uint64_t *count, struct error *err)
{
    uint64_t next = 0;
    enum status status = meta_get(txn, META_NEXT_CONFLICT, &next, err);

    *count = next == 0 ? 0 : next - 1;
    return status;
}
