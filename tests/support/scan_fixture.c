#include "tests/support/scan_fixture.h"

#include "engine/sqlite_catalog.h"
#include "engine/sqlite_own_write.h"
#include "engine/sqlite_row.h"
#include "log/identity.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct error err;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

/* ---- life */

static uint64_t fixture_now(void *data)
{
    return ((struct scan_node *)data)->now_us;
}

static void log_member(struct scan_node *node)
{
    struct appender *appender;
    struct member member = {
        .event = MEMBER_JOINED,
        .node = node->identity.node,
        .name = bytes_of_text(node->identity.name),
        .engine = MEMBER_SQLITE,
        .formats_max = 1,
    };
    struct local_entry entry = {.kind = ENTRY_MEMBER, .whole_context = true};
    uint64_t seq;

    memcpy(member.public_key, node->identity.public_key, PUBLIC_KEY_SIZE);
    OK(appender_open(&appender, node->store, APPENDER_CAPTURE, &err));
    OK(appender_add_member(appender, &member, &err));
    OK(appender_end_local(appender, &entry, &seq, &err));
    OK(appender_commit(appender, &err));
    appender_close(appender);
}

static void open_source(struct scan_node *node)
{
    OK(sqlite_database_open(&node->database, node->path, SQLITE_DATABASE_WRITE, 0, &err));
    OK(sqlite_scan_open(&node->source, node->database, node->store,
                        &(struct sqlite_scan_options){.rules = node->rules}, &err));
}

static void close_source(struct scan_node *node)
{
    if (node->source != NULL)
        node->source->ops->close(node->source);
    sqlite_database_close(node->database);
    node->source = NULL;
    node->database = NULL;
}

static void found(struct scan_node *node)
{
    struct sqlite_state state;

    OK(identity_make(&node->identity, "founder", &err));
    node->now_us = UINT64_C(4000000000) * 1000000; /* after all that files say */
    node->clock = (struct wall_clock){fixture_now, node};
    OK(store_create(node->place, &node->identity, &err));
    OK(store_open(&node->store, node->place, STORE_READ_WRITE, &err));
    store_set_clock(node->store, &node->clock, CLOCK_MAX_SKEW_US_DEFAULT);
    log_member(node);
    open_source(node);
    OK(sqlite_scan_base(node->source, &node->base, &err));
    state = (struct sqlite_state){node->identity.node, node->identity.incarnation, 0, 0};
    scan_set_state(node, &state);
}

static void make_folder(struct scan_node *node)
{
    *node = (struct scan_node){0};
    (void)snprintf(node->folder, sizeof node->folder, "%s/rowferry-scan-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    cr_assert_not_null(mkdtemp(node->folder));
    (void)snprintf(node->path, sizeof node->path, "%.100s/x.db", node->folder);
    (void)snprintf(node->place, sizeof node->place, "%.100s/store", node->folder);
}

void scan_node_open(struct scan_node *node, const char *schema)
{
    make_folder(node);
    cr_assert_eq(sqlite3_open(node->path, &node->application), SQLITE_OK);
    scan_write(node, schema);
    found(node);
}

void scan_node_open_file(struct scan_node *node, const char *file)
{
    char command[512];

    make_folder(node);
    (void)snprintf(command, sizeof command, "cp '%s' '%s' && chmod u+w '%s'", file,
                   node->path, node->path);
    cr_assert_eq(system(command), 0);
    cr_assert_eq(sqlite3_open(node->path, &node->application), SQLITE_OK);
    found(node);
}

static int remove_one(const char *path, const struct stat *about, int type,
                      struct FTW *walk)
{
    (void)about, (void)type, (void)walk;
    return remove(path);
}

void scan_node_close(struct scan_node *node)
{
    close_source(node);
    store_close(node->store);
    (void)sqlite3_close(node->application);
    (void)nftw(node->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void scan_node_restart(struct scan_node *node)
{
    close_source(node);
    open_source(node);
}

/* ---- doing */

void scan_write(struct scan_node *node, const char *sql)
{
    char *message = NULL;

    cr_assert_eq(sqlite3_exec(node->application, sql, NULL, NULL, &message), SQLITE_OK,
                 "%s: %s", sql, message);
}

enum status scan_capture_try(struct scan_node *node, struct capture_counts *counts,
                             struct error *error)
{
    enum status status;

    *counts = (struct capture_counts){0};
    OK(store_lock(node->store, LOCK_CAPTURE, &err));
    OK(store_lock(node->store, LOCK_APPLY, &err));
    status = node->source->ops->capture(node->source, counts, error);
    store_unlock(node->store, LOCK_APPLY);
    store_unlock(node->store, LOCK_CAPTURE);
    cr_assert_neq(sqlite3_get_autocommit(sqlite_database_handle(node->database)), 0,
                  "a transaction was left open");
    return status;
}

uint64_t scan_capture(struct scan_node *node)
{
    struct capture_counts counts;

    OK(scan_capture_try(node, &counts, &err));
    return counts.changes;
}

void scan_expect(struct scan_node *node, const char *changes)
{
    struct capture_counts counts;
    uint64_t last = scan_last_seq(node);

    OK(scan_capture_try(node, &counts, &err));
    cr_assert_eq(counts.entries, 1);
    cr_assert_eq(scan_last_seq(node), last + 1);
    cr_expect_str_eq(scan_text(node, last + 1), changes);
    scan_node_restart(node);
    OK(scan_capture_try(node, &counts, &err));
    cr_expect_eq(counts.entries, 0, "a second scan logs nothing: %s",
                 counts.entries == 0 ? "" : scan_text(node, last + 2));
}

/* ---- looking */

static struct store_txn *begin(struct scan_node *node, enum txn_mode mode)
{
    struct store_txn *txn;

    OK(store_begin(node->store, mode, &txn, &err));
    return txn;
}

static void print_value(FILE *out, const struct value *value)
{
    switch (value->type) {
    case VALUE_NULL:
        (void)fputs("NULL", out);
        return;
    case VALUE_INTEGER:
        (void)fprintf(out, "%lld", (long long)value->integer);
        return;
    case VALUE_REAL:
        (void)fprintf(out, "%.17gr", value->real);
        return;
    case VALUE_KEY:
        (void)fputs("key", out);
        return;
    case VALUE_ABSENT:
        (void)fputs("absent", out);
        return;
    case VALUE_TYPED:
    case VALUE_BLOB:
    case VALUE_TEXT:
        break;
    }
    (void)fputs(value->type == VALUE_BLOB    ? "x'"
                : value->type == VALUE_TYPED ? "t'"
                                             : "'",
                out);
    for (size_t i = 0; i < value->bytes.size; i++) {
        uint8_t byte = value->bytes.data[i];

        if (value->type == VALUE_BLOB)
            (void)fprintf(out, "%02x", byte);
        else if (byte < 0x20 || byte > 0x7e)
            (void)fprintf(out, "\\%02x", byte);
        else
            (void)fputc(byte, out);
    }
    (void)fputc('\'', out);
}

static void print_key(FILE *out, struct bytes key)
{
    struct buffer scratch = {0};
    struct value value;
    const char *between = "(";

    while (key.size > 0) {
        buffer_clear(&scratch);
        OK(row_key_take(&key, &value, &scratch, &err));
        (void)fputs(between, out);
        print_value(out, &value);
        between = ",";
    }
    (void)fputc(')', out);
    buffer_release(&scratch);
}

static void print_image(FILE *out, const struct change *change,
                        const struct definition *definition)
{
    struct image image;

    image_init(&image);
    OK(image_decode(&image, change->image, definition, change->key, &err));
    for (uint32_t i = 0; i < image.count; i++) {
        (void)fputs(i == 0 ? ": " : ",", out);
        print_value(out, &image.values[i]);
    }
    image_release(&image);
}

static void print_before(FILE *out, struct bytes before)
{
    const char *between = " was ";

    while (before.size > 0) {
        struct value value;
        uint32_t place;

        OK(change_take_before(&before, &place, &value, &err));
        (void)fprintf(out, "%s%u=", between, place);
        print_value(out, &value);
        between = ",";
    }
}

static void print_change(FILE *out, struct store_txn *txn, const struct change *change)
{
    static const char *const ops[] = {"", "insert", "update", "delete"};
    struct table table;

    OK(tables_find(txn, store_identity(store_of(txn))->node, change->definition, &table,
                   &err));
    (void)fprintf(out, "%s %s", ops[change->op], table.definition->name);
    print_key(out, change->key);
    if (change->op != CHANGE_DELETE)
        print_image(out, change, table.definition);
    print_before(out, change->before);
    if (change->has_unseen)
        (void)fprintf(out, " unseen %llx.%llu", (unsigned long long)change->unseen_origin,
                      (unsigned long long)change->unseen_seq);
    cr_expect(change->op == CHANGE_DELETE ||
              change->has_born == (change->op == CHANGE_UPDATE));
}

const char *scan_text(struct scan_node *node, uint64_t seq)
{
    static char *text;
    static size_t size;
    struct store_txn *txn = begin(node, TXN_READ);
    struct change_cursor *cursor;
    struct log_change change;
    FILE *out;

    free(text);
    out = open_memstream(&text, &size);
    OK(change_cursor_open(&cursor, txn, &err));
    OK(change_cursor_start(cursor, seq, 0, &err));
    while (change_cursor_next(cursor, &change, &err) == STATUS_OK) {
        if (ftell(out) > 0)
            (void)fputc('\n', out);
        print_change(out, txn, &change.change);
    }
    change_cursor_close(cursor);
    store_abort(txn);
    (void)fclose(out);
    return text;
}

uint64_t scan_meta(struct scan_node *node, enum meta_key key)
{
    struct store_txn *txn = begin(node, TXN_READ);
    uint64_t value = 0;

    OK(meta_get(txn, key, &value, &err));
    store_abort(txn);
    return value;
}

void scan_set_meta(struct scan_node *node, enum meta_key key, uint64_t value)
{
    OK(sqlite_own_write_put(node->store, &(struct meta_update){key, value}, 1, &err));
}

uint64_t scan_last_seq(struct scan_node *node)
{
    return scan_meta(node, META_LAST_SEQ);
}

struct sqlite_state scan_state(struct scan_node *node)
{
    struct sqlite_state state;

    OK(sqlite_state_read(node->database, &state, &err));
    return state;
}

void scan_set_state(struct scan_node *node, const struct sqlite_state *state)
{
    OK(sqlite_begin_write(node->database, &err));
    OK(sqlite_state_write(node->database, state, &err));
    OK(sqlite_commit(node->database, &err));
}

/* ---- the row index against the database */

/* Compare the statement's row with the index; false for a row without a key. */
static bool expect_row(struct store_txn *txn, uint32_t id,
                       const struct definition *definition, sqlite3_stmt *statement)
{
    struct value *values = calloc(definition->stored_count, sizeof *values);
    struct buffer key = {0};
    struct image image;
    struct table table;
    struct row row;
    bool has_key;

    image_init(&image);
    for (uint32_t i = 0; i < definition->stored_count; i++)
        OK(sqlite_column_value(statement, (int)i, &values[i], &err));
    has_key = image_key(&key, values, definition, &err) == STATUS_OK;
    if (has_key) {
        OK(rows_get(txn, id, buffer_view(&key), &row, &err));
        cr_assert(row.live);
        OK(tables_find(txn, row.definition_origin, row.definition, &table, &err));
        OK(image_decode(&image, row.image, table.definition, row.key, &err));
        for (uint32_t i = 0; i < definition->stored_count; i++)
            cr_expect(value_equal(&image.values[i], &values[i]), "%s: column %u",
                      definition->name, i);
    }
    image_release(&image);
    buffer_release(&key);
    free(values);
    return has_key;
}

static uint64_t expect_table(struct scan_node *node, struct store_txn *txn,
                             const struct definition *definition)
{
    struct buffer sql = {0};
    sqlite3_stmt *statement;
    struct row_cursor *cursor;
    struct row row;
    uint64_t rows = 0;
    uint64_t live = 0;
    uint32_t id;

    OK(tables_id(txn, definition->name, &id, &err));
    for (uint32_t i = 0; i < definition->column_count; i++) {
        if (definition->columns[i].generated != GENERATED_NO)
            continue;
        buffer_put_bytes(&sql, bytes_of_text(sql.size == 0 ? "SELECT " : ", "));
        sqlite_put_quoted(&sql, definition->columns[i].name);
    }
    buffer_put_bytes(&sql, bytes_of_text(" FROM "));
    sqlite_put_quoted(&sql, definition->name);
    buffer_put(&sql, 0, 1);
    OK(sqlite_prepare(node->database, (const char *)sql.data, &statement, &err));
    while (sqlite3_step(statement) == SQLITE_ROW)
        rows += expect_row(txn, id, definition, statement);
    (void)sqlite3_finalize(statement);
    OK(row_cursor_open(&cursor, txn, id, false, &err));
    while (row_cursor_next(cursor, &row, &err) == STATUS_OK)
        live += row.live;
    row_cursor_close(cursor);
    cr_expect_eq(live, rows, "%s: %llu rows in the index, %llu in the database",
                 definition->name, (unsigned long long)live, (unsigned long long)rows);
    buffer_release(&sql);
    return rows;
}

uint64_t scan_expect_same(struct scan_node *node)
{
    struct store_txn *txn = begin(node, TXN_READ);
    struct catalog catalog;
    uint64_t rows = 0;

    OK(sqlite_begin_read(node->database, &err));
    OK(sqlite_catalog_read(node->database, NULL, NULL, &catalog, &err));
    for (size_t i = 0; i < catalog.count; i++)
        rows += expect_table(node, txn, catalog.definitions[i]);
    catalog_release(&catalog);
    sqlite_rollback(node->database);
    store_abort(txn);
    return rows;
}
