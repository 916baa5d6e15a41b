#include "log/peers.h"

#include "log/log_reader.h"
#include "log/store_private.h"

#include <assert.h>
#include <string.h>

/* Sub-database `peer`.
 *
 *  key                        value
 *  'A', node 8                heard_us 8, the acknowledgement's bytes
 *  'S', a segment's file name size varint, ranges (segment_ranges.h, without hashes)
 */
enum {
    KEY_ACKNOWLEDGEMENT = 'A',
    KEY_SEGMENT = 'S',
    NODE_KEY_SIZE = 9,
    NAME_MAX_SIZE = 255
};

void peer_init(struct peer *peer)
{
    *peer = (struct peer){0};
}

void peer_release(struct peer *peer)
{
    acknowledgement_release(&peer->ack);
    peer_init(peer);
}

static struct bytes node_key(uint8_t out[NODE_KEY_SIZE], uint64_t node)
{
    bytes_put(bytes_put(out, KEY_ACKNOWLEDGEMENT, 1), node, 8);
    return (struct bytes){out, NODE_KEY_SIZE};
}

static enum status decode_peer(struct bytes value, struct peer *out, struct error *err)
{
    enum status status;

    if (!bytes_take(&value, 8, &out->heard_us))
        return error_set(err, STATUS_CORRUPT, "store: a peer's record is cut");
    status = acknowledgement_take(&value, &out->ack, err);
    if (status == STATUS_OK && value.size > 0)
        status = error_set(err, STATUS_CORRUPT, "it is too long");
    if (status != STATUS_OK)
        return error_wrap(err, status, "store: a peer's record");
    return STATUS_OK;
}

enum status peers_get(struct store_txn *txn, uint64_t node, struct peer *out,
                      struct error *err)
{
    uint8_t key[NODE_KEY_SIZE];
    struct bytes value;
    enum status status = store_get(txn, DBI_PEER, node_key(key, node), &value, err);

    if (status != STATUS_OK)
        return status;
    return decode_peer(value, out, err);
}

static enum status put_peer(struct store_txn *txn, const struct acknowledgement *ack,
                            struct error *err)
{
    struct buffer value = {0};
    uint8_t key[NODE_KEY_SIZE];
    enum status status;

    buffer_put(&value, store_now_us(store_of(txn)), 8);
    acknowledgement_put(&value, ack);
    status = buffer_check(&value, err);
    if (status == STATUS_OK)
        status =
            store_put(txn, DBI_PEER, node_key(key, ack->node), buffer_view(&value), err);
    buffer_release(&value);
    return status;
}

/* Whether it says more than what is kept of that node. */
static enum status is_newer(struct store_txn *txn, const struct acknowledgement *ack,
                            bool *newer, struct error *err)
{
    struct peer kept;
    enum status status;

    peer_init(&kept);
    status = peers_get(txn, ack->node, &kept, err);
    *newer = status == STATUS_NOT_FOUND ||
             (status == STATUS_OK && acknowledgement_is_newer(ack, &kept.ack));
    peer_release(&kept);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status peers_learn(struct store_txn *txn, const struct acknowledgement *ack,
                        bool *newer, struct error *err)
{
    const struct identity *identity = store_identity(store_of(txn));
    struct member_record member;
    char node[NODE_ID_TEXT_SIZE];
    bool right = false;
    enum status status;

    *newer = false;
    if (ack->node == identity->node)
        return STATUS_OK;
    status = member_find(txn, ack->node, &member, err);
    if (status != STATUS_OK)
        return status;
    status = acknowledgement_check(ack, identity->fleet, member.member.public_key, &right,
                                   err);
    if (status != STATUS_OK)
        return status;
    if (!right) {
        node_id_text(ack->node, node);
        return error_set(err, STATUS_REFUSED,
                         "an acknowledgement of node %s (%.*s) has a wrong signature: "
                         "somebody else wrote it",
                         node, (int)member.member.name.size,
                         (const char *)member.member.name.data);
    }
    status = is_newer(txn, ack, newer, err);
    if (status == STATUS_OK && *newer && txn->write)
        status = put_peer(txn, ack, err);
    return status;
}

enum status peers_visit(struct store_txn *txn, peer_visit_cb visit, void *data,
                        struct error *err)
{
    uint8_t first[] = {KEY_ACKNOWLEDGEMENT};
    MDB_val key = {sizeof first, first};
    MDB_val value;
    MDB_cursor *cursor = NULL;
    struct peer peer;
    enum status status = STATUS_OK;
    bool more = true;
    int rc = mdb_cursor_open(txn->txn, txn->store->dbi[DBI_PEER], &cursor);

    if (rc != 0)
        return from_lmdb(txn->store, err, rc, "mdb_cursor_open");
    peer_init(&peer);
    for (rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
         rc == 0 && more && *(const uint8_t *)key.mv_data == KEY_ACKNOWLEDGEMENT;
         rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        status = decode_peer((struct bytes){value.mv_data, value.mv_size}, &peer, err);
        if (status != STATUS_OK)
            break;
        more = visit(data, &peer);
    }
    if (rc != 0 && rc != MDB_NOTFOUND)
        status = from_lmdb(txn->store, err, rc, "mdb_cursor_get");
    peer_release(&peer);
    mdb_cursor_close(cursor);
    return status;
}

static struct bytes segment_key(uint8_t out[1 + NAME_MAX_SIZE], const char *name)
{
    size_t size = strlen(name);

    assert(size <= NAME_MAX_SIZE);
    out[0] = KEY_SEGMENT;
    for (size_t i = 0; i < size; i++)
        out[1 + i] = (uint8_t)name[i];
    return (struct bytes){out, 1 + size};
}

enum status peers_segment_get(struct store_txn *txn, const char *name, uint64_t size,
                              struct segment_ranges *ranges, struct error *err)
{
    uint8_t key[1 + NAME_MAX_SIZE];
    struct bytes value;
    uint64_t kept;
    enum status status = store_get(txn, DBI_PEER, segment_key(key, name), &value, err);

    if (status != STATUS_OK)
        return status;
    if (!bytes_take_varint(&value, &kept))
        return error_set(err, STATUS_CORRUPT, "store: the mark of segment %s is cut",
                         name);
    if (kept != size)
        return STATUS_NOT_FOUND;
    status = segment_ranges_take(&value, ranges, false, err);
    if (status != STATUS_OK)
        return error_wrap(err, status, "store: the mark of a segment");
    return STATUS_OK;
}

enum status peers_segment_mark(struct store_txn *txn, const char *name, uint64_t size,
                               const struct segment_ranges *ranges, struct error *err)
{
    uint8_t key[1 + NAME_MAX_SIZE];
    struct buffer value = {0};
    enum status status;

    buffer_put_varint(&value, size);
    segment_ranges_put(&value, ranges, false);
    status = buffer_check(&value, err);
    if (status == STATUS_OK)
        status =
            store_put(txn, DBI_PEER, segment_key(key, name), buffer_view(&value), err);
    buffer_release(&value);
    return status;
}
