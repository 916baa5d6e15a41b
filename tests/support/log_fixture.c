#include "tests/support/log_fixture.h"

#include "log/conflicts.h"
#include "log/image.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct error err;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

static struct column columns[] = {
    {.name = "id",
     .declared_type = "INTEGER",
     .collation = "BINARY",
     .type = FLEET_INTEGER,
     .key_position = 1},
    {.name = "a",            .declared_type = "TEXT",              .collation = "BINARY", .type = FLEET_TEXT},
    {.name = "b",            .declared_type = "TEXT",              .collation = "BINARY", .type = FLEET_TEXT},
};

static const struct definition item = {
    .number = 1,
    .name = "item",
    .local_name = "item",
    .dialect = DIALECT_SQLITE,
    .ddl = "CREATE TABLE item (id INTEGER PRIMARY KEY, a TEXT, b TEXT);\n",
    .columns = columns,
    .column_count = 3,
    .stored_count = 3,
    .key_count = 1,
};

static uint64_t fixture_now(void *data)
{
    return ((struct log_node *)data)->now_us;
}

static struct appender *append(struct log_node *node, enum appender_owner owner)
{
    struct appender *appender;

    OK(appender_open(&appender, node->store, owner, &err));
    return appender;
}

static void found(struct log_node *node)
{
    struct appender *appender = append(node, APPENDER_CAPTURE);
    struct member member = {
        .event = MEMBER_JOINED,
        .node = node->identity.node,
        .name = bytes_of_text(node->identity.name),
        .engine = MEMBER_SQLITE,
        .formats_max = 1,
    };
    uint64_t seq;

    memcpy(member.public_key, node->identity.public_key, PUBLIC_KEY_SIZE);
    OK(appender_add_member(appender, &member, &err));
    OK(appender_end_local(appender, &(struct local_entry){.kind = ENTRY_MEMBER}, &seq,
                          &err));
    OK(appender_add_definition(appender, &item, &err));
    OK(appender_end_local(appender, &(struct local_entry){.kind = ENTRY_TABLES}, &seq,
                          &err));
    OK(appender_commit(appender, &err));
    appender_close(appender);
}

void log_fixture_open(struct log_fixture *fixture, size_t count)
{
    cr_assert_leq(count, LOG_NODES_MAX);
    *fixture = (struct log_fixture){.count = count};
    (void)snprintf(fixture->folder, sizeof fixture->folder, "%s/rowferry-log-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    cr_assert_not_null(mkdtemp(fixture->folder));
    for (size_t i = 0; i < count; i++) {
        struct log_node *node = &fixture->nodes[i];

        (void)snprintf(node->folder, sizeof node->folder, "%.100s/%zu", fixture->folder,
                       i);
        node->identity =
            (struct identity){.node = i + 1, .incarnation = 1, .key_generation = 1};
        (void)snprintf(node->identity.name, sizeof node->identity.name, "node %zu",
                       i + 1);
        crypto_sign_seed_keypair(
            node->identity.public_key, node->identity.secret_key,
            (const uint8_t[crypto_sign_SEEDBYTES]){(uint8_t)(i + 1)});
        node->now_us = 1000000;
        node->clock = (struct wall_clock){fixture_now, node};
        OK(store_create(node->folder, &node->identity, &err));
        log_node_reopen(node);
        found(node);
    }
}

static int remove_one(const char *path, const struct stat *stat, int type,
                      struct FTW *walk)
{
    (void)stat;
    (void)type;
    (void)walk;
    return remove(path);
}

void log_fixture_close(struct log_fixture *fixture)
{
    for (size_t i = 0; i < fixture->count; i++)
        store_close(fixture->nodes[i].store);
    (void)nftw(fixture->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void log_node_reopen(struct log_node *node)
{
    store_close(node->store);
    OK(store_open(&node->store, node->folder, STORE_READ_WRITE, &err));
    store_set_clock(node->store, &node->clock, CLOCK_MAX_SKEW_US_DEFAULT);
}

void item_key(struct buffer *out, int64_t id)
{
    const struct value value = {.type = VALUE_INTEGER, .integer = id};

    OK(row_key_put(out, &value, &err));
}

static struct value text_value(const char *text)
{
    if (text == NULL)
        return (struct value){.type = VALUE_NULL};
    return (struct value){.type = VALUE_TEXT, .bytes = bytes_of_text(text)};
}

void item_image(struct buffer *out, int64_t id, const char *a, const char *b)
{
    const struct value values[] = {
        {.type = VALUE_INTEGER, .integer = id},
        text_value(a),
        text_value(b),
    };

    image_encode(out, values, &item);
}

/* All columns of what is held as the values before. */
static void put_before(struct buffer *out, const struct row *held)
{
    struct image image;

    image_init(&image);
    OK(image_decode(&image, held->image, &item, held->key, &err));
    for (uint32_t i = 0; i < image.count; i++) {
        buffer_put_varint(out, i);
        value_put(out, &image.values[i]);
    }
    image_release(&image);
}

uint64_t log_write(struct log_node *node, int64_t id, const char *a, const char *b)
{
    struct appender *appender = append(node, APPENDER_CAPTURE);
    struct buffer key = {0}, image = {0}, before = {0};
    struct change change = {.definition = 1};
    struct store_txn *txn;
    struct parked parked;
    struct row held, winner;
    uint64_t seq;
    bool from_held;

    item_key(&key, id);
    OK(appender_txn(appender, &txn, &err));
    OK(rows_holding(txn, 1, buffer_view(&key), &held, &from_held, &err));
    change.op = a == NULL ? CHANGE_DELETE : held.live ? CHANGE_UPDATE : CHANGE_INSERT;
    change.key = buffer_view(&key);
    change.has_born = change.op != CHANGE_INSERT;
    change.born = held.born;
    if (held.live)
        put_before(&before, &held);
    change.before = buffer_view(&before);
    if (parked_get(txn, 1, change.key, &parked, &err) == STATUS_OK) {
        OK(rows_get(txn, 1, change.key, &winner, &err));
        change.has_unseen = true;
        change.unseen_origin = winner.version.origin;
        change.unseen_seq = winner.version.origin_seq;
    }
    if (a != NULL)
        item_image(&image, id, a, b);
    change.image = buffer_view(&image);
    OK(appender_add_change(appender, &change, &err));
    OK(appender_end_local(appender, &(struct local_entry){.kind = ENTRY_CHANGES}, &seq,
                          &err));
    OK(appender_commit(appender, &err));
    appender_close(appender);
    buffer_release(&key);
    buffer_release(&image);
    buffer_release(&before);
    return seq;
}

static void carry_entry(struct log_node *from, uint64_t seq, struct appender *to)
{
    struct log_entry entry;
    struct store_txn *txn;
    struct bytes piece;
    uint32_t next = 0;
    uint64_t there;
    enum status status;

    OK(store_begin(from->store, TXN_READ, &txn, &err));
    OK(log_get(txn, seq, &entry, &err));
    while ((status = log_body_piece(txn, &entry, &next, &piece, &err)) == STATUS_OK)
        OK(appender_add_items(to, piece, &err));
    cr_assert_eq(status, STATUS_NOT_FOUND, "%s", err.text);
    OK(appender_end_import(to, entry.header_bytes, entry.hash, &there, &err));
    store_abort(txn);
}

static bool is_lacking(struct log_node *from, uint64_t seq, struct log_node *to)
{
    struct store_txn *txn;
    struct log_entry entry;
    struct origin_head head;
    uint64_t origin, origin_seq;

    OK(store_begin(from->store, TXN_READ, &txn, &err));
    OK(log_get(txn, seq, &entry, &err));
    origin = entry.header.origin;
    origin_seq = entry.header.origin_seq;
    store_abort(txn);
    OK(store_begin(to->store, TXN_READ, &txn, &err));
    OK(log_head(txn, origin, &head, &err));
    store_abort(txn);
    return origin_seq > head.seq;
}

void log_carry(struct log_node *from, struct log_node *to, uint64_t most)
{
    uint64_t last = log_last(from), carried = 0;
    struct appender *appender = append(to, APPENDER_IMPORT);

    for (uint64_t seq = 1; seq <= last && (most == 0 || carried < most); seq++) {
        if (!is_lacking(from, seq, to))
            continue;
        carry_entry(from, seq, appender);
        OK(appender_commit(appender, &err));
        carried++;
    }
    appender_close(appender);
}

static bool next_held(struct store_txn *txn, struct buffer *key)
{
    struct row_cursor *cursor;
    struct row row;
    enum status status;

    buffer_clear(key);
    OK(row_cursor_open(&cursor, txn, 1, true, &err));
    status = row_cursor_next(cursor, &row, &err);
    if (status == STATUS_OK)
        buffer_put_bytes(key, row.key);
    row_cursor_close(cursor);
    return status == STATUS_OK;
}

void log_take_all(struct log_node *node)
{
    struct version_vector vector;
    struct buffer bytes = {0};
    struct store_txn *txn;
    uint64_t last, clock;

    version_vector_init(&vector);
    OK(store_begin(node->store, TXN_WRITE, &txn, &err));
    while (next_held(txn, &bytes))
        OK(held_delete(txn, 1, buffer_view(&bytes), &err));
    OK(meta_get(txn, META_LAST_SEQ, &last, &err));
    OK(meta_put(txn, META_APPLIED, last, &err));
    OK(meta_get(txn, META_CLOCK, &clock, &err));
    for (uint64_t seq = 1; seq <= last; seq++) {
        struct log_entry entry;

        OK(log_get(txn, seq, &entry, &err));
        if (entry.header.stamp_us > clock)
            clock = entry.header.stamp_us;
    }
    OK(meta_put(txn, META_CLOCK, clock, &err));
    OK(meta_get_vector(txn, META_VECTOR, &vector, &err));
    buffer_clear(&bytes);
    version_vector_put(&bytes, &vector);
    OK(meta_put_bytes(txn, META_APPLIED_VECTOR, buffer_view(&bytes), &err));
    OK(store_commit(txn, &err));
    version_vector_release(&vector);
    buffer_release(&bytes);
}

static const char *row_text(const struct row *row)
{
    static char text[256];
    struct image image;

    if (version_is_nothing(&row->version))
        return "nothing";
    if (!row->live)
        return "deleted";
    image_init(&image);
    OK(image_decode(&image, row->image, &item, row->key, &err));
    (void)snprintf(text, sizeof text, "a=%.*s b=%.*s", (int)image.values[1].bytes.size,
                   (const char *)image.values[1].bytes.data,
                   (int)image.values[2].bytes.size,
                   (const char *)image.values[2].bytes.data);
    image_release(&image);
    return text;
}

static const char *row_of(struct log_node *node, int64_t id, bool holding)
{
    struct buffer key = {0};
    struct store_txn *txn;
    struct row row = {0};
    const char *text;
    bool from_held;
    enum status status;

    item_key(&key, id);
    OK(store_begin(node->store, TXN_READ, &txn, &err));
    status = holding ? rows_holding(txn, 1, buffer_view(&key), &row, &from_held, &err)
                     : rows_get(txn, 1, buffer_view(&key), &row, &err);
    cr_assert(status == STATUS_OK || status == STATUS_NOT_FOUND, "%s", err.text);
    text = row_text(&row);
    store_abort(txn);
    buffer_release(&key);
    return text;
}

const char *log_winner(struct log_node *node, int64_t id)
{
    return row_of(node, id, false);
}

const char *log_holding(struct log_node *node, int64_t id)
{
    return row_of(node, id, true);
}

uint64_t log_conflicts(struct log_node *node)
{
    struct store_txn *txn;
    uint64_t count;

    OK(store_begin(node->store, TXN_READ, &txn, &err));
    OK(conflict_count(txn, &count, &err));
    store_abort(txn);
    return count;
}

uint64_t log_last(struct log_node *node)
{
    struct store_txn *txn;
    uint64_t last;

    OK(store_begin(node->store, TXN_READ, &txn, &err));
    OK(meta_get(txn, META_LAST_SEQ, &last, &err));
    store_abort(txn);
    return last;
}
