#include "tests/support/apply_fixture.h"

#include "log/row_key.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct error err;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

/* ---- life */

static enum status capture(void *data, bool *logged, struct error *error)
{
    struct apply_node *node = data;
    enum status status = sqlite_scan_locked(node->scan.source, logged, error);

    if (node->options.triggers == TRIGGERS_ON) /* as node/ does */
        sqlite_scan_forget(node->scan.source);
    return status;
}

void apply_node_open(struct apply_node *node, const char *schema, bool foreign_keys)
{
    *node = (struct apply_node){0};
    scan_node_open(&node->scan, schema);
    node->options.capture = capture;
    node->options.capture_data = node;
    node->options.foreign_keys = foreign_keys;
}

static void close_target(struct apply_node *node)
{
    if (node->target != NULL)
        node->target->ops->close(node->target);
    node->target = NULL;
}

void apply_node_close(struct apply_node *node)
{
    close_target(node);
    scan_node_close(&node->scan);
}

void apply_node_restart(struct apply_node *node)
{
    close_target(node);
    scan_node_restart(&node->scan);
}

/* ---- doing */

void apply_touch(struct apply_node *node)
{
    struct timespec times[2];

    times[0].tv_sec = (time_t)(node->scan.now_us / 1000000);
    times[0].tv_nsec = (long)(node->scan.now_us % 1000000) * 1000;
    times[1] = times[0];
    cr_assert_eq(utimensat(AT_FDCWD, node->scan.path, times, 0), 0);
}

void apply_write(struct apply_node *node, const char *sql)
{
    scan_write(&node->scan, sql);
    node->scan.now_us += 1000000;
    apply_touch(node);
    (void)scan_capture(&node->scan);
}

static bool is_lacking(struct apply_node *from, uint64_t seq, struct apply_node *to)
{
    struct store_txn *txn;
    struct log_entry entry;
    struct origin_head head;
    uint64_t origin, origin_seq;

    OK(store_begin(from->scan.store, TXN_READ, &txn, &err));
    OK(log_get(txn, seq, &entry, &err));
    origin = entry.header.origin;
    origin_seq = entry.header.origin_seq;
    store_abort(txn);
    OK(store_begin(to->scan.store, TXN_READ, &txn, &err));
    OK(log_head(txn, origin, &head, &err));
    store_abort(txn);
    return origin_seq > head.seq;
}

static void carry_entry(struct apply_node *from, uint64_t seq, struct apply_node *to)
{
    struct appender *appender;
    struct log_entry entry;
    struct store_txn *txn;
    struct bytes piece;
    uint32_t next = 0;
    uint64_t there;
    enum status status;

    OK(appender_open(&appender, to->scan.store, APPENDER_IMPORT, &err));
    OK(store_begin(from->scan.store, TXN_READ, &txn, &err));
    OK(log_get(txn, seq, &entry, &err));
    while ((status = log_body_piece(txn, &entry, &next, &piece, &err)) == STATUS_OK)
        OK(appender_add_items(appender, piece, &err));
    cr_assert_eq(status, STATUS_NOT_FOUND, "%s", err.text);
    OK(appender_end_import(appender, entry.header_bytes, entry.hash, &there, &err));
    store_abort(txn);
    OK(appender_commit(appender, &err));
    appender_close(appender);
}

uint64_t apply_carry(struct apply_node *from, struct apply_node *to, uint64_t most)
{
    uint64_t last = scan_last_seq(&from->scan), carried = 0;

    for (uint64_t seq = 1; seq <= last && (most == 0 || carried < most); seq++) {
        if (!is_lacking(from, seq, to))
            continue;
        carry_entry(from, seq, to);
        carried++;
    }
    if (to->scan.now_us < from->scan.now_us)
        to->scan.now_us = from->scan.now_us;
    return carried;
}

enum status apply_try(struct apply_node *node, struct error *error)
{
    enum status status;

    if (node->target == NULL)
        OK(sqlite_target_open(&node->target, node->scan.database, node->scan.store,
                              &node->options, &err));
    OK(store_lock(node->scan.store, LOCK_CAPTURE, &err));
    OK(store_lock(node->scan.store, LOCK_APPLY, &err));
    status = applier_run_once(node->target, &node->counts, error);
    store_unlock(node->scan.store, LOCK_APPLY);
    store_unlock(node->scan.store, LOCK_CAPTURE);
    cr_assert_neq(sqlite3_get_autocommit(sqlite_database_handle(node->scan.database)), 0,
                  "a transaction was left open");
    return status;
}

void apply_run(struct apply_node *node)
{
    node->scan.now_us += 1000000;
    OK(apply_try(node, &err));
}

/* ---- looking */

const char *apply_text(struct apply_node *node, const char *sql)
{
    static char *text;
    static size_t size;
    sqlite3_stmt *statement;
    FILE *out;
    int rc;

    free(text);
    out = open_memstream(&text, &size);
    cr_assert_eq(sqlite3_prepare_v2(node->scan.application, sql, -1, &statement, NULL),
                 SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(node->scan.application));
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *column = (const char *)sqlite3_column_text(statement, 0);

        (void)fprintf(out, "%s%s", ftell(out) > 0 ? ";" : "",
                      column == NULL ? "NULL" : column);
    }
    cr_assert_eq(rc, SQLITE_DONE, "%s", sqlite3_errmsg(node->scan.application));
    (void)sqlite3_finalize(statement);
    (void)fclose(out);
    return text;
}

void apply_expect(struct apply_node *node, const char *sql, const char *text)
{
    const char *found = apply_text(node, sql);

    cr_expect_str_eq(found, text, "%s gives\n  %s\ninstead of\n  %s", sql, found, text);
}

void apply_expect_same(struct apply_node *node, struct apply_node *other, const char *sql)
{
    char *text = strdup(apply_text(other, sql));

    apply_expect(node, sql, text);
    free(text);
}

void apply_expect_known(struct apply_node *node)
{
    struct capture_counts counts;
    uint64_t last = scan_last_seq(&node->scan);

    apply_node_restart(node);
    OK(scan_capture_try(&node->scan, &counts, &err));
    cr_expect_eq(counts.entries, 0, "a scan after apply logs: %s",
                 counts.entries == 0 ? "" : scan_text(&node->scan, last + 1));
}

void apply_expect_quiet(struct apply_node *node)
{
    uint64_t last = scan_last_seq(&node->scan);
    struct sqlite_state before = scan_state(&node->scan), after;

    apply_expect_known(node);
    apply_run(node);
    after = scan_state(&node->scan);
    cr_expect_eq(scan_last_seq(&node->scan), last);
    cr_expect_eq(after.counter, before.counter, "applying nothing wrote to the database");
}

struct printing {
    FILE *out;
    struct store_txn *txn;
};

static void print_row(struct printing *printing, uint32_t table, struct bytes key)
{
    struct buffer scratch = {0};
    const char *name = "?", *between = "(";

    if (table != 0)
        OK(tables_name(printing->txn, table, &name, &err));
    (void)fputs(name, printing->out);
    while (key.size > 0) {
        struct value value;

        buffer_clear(&scratch);
        OK(row_key_take(&key, &value, &scratch, &err));
        if (value.type == VALUE_INTEGER)
            (void)fprintf(printing->out, "%s%lld", between, (long long)value.integer);
        else
            (void)fprintf(printing->out, "%s%.*s", between, (int)value.bytes.size,
                          (const char *)value.bytes.data);
        between = ",";
    }
    (void)fputs(between[0] == ',' ? ")" : "", printing->out);
    buffer_release(&scratch);
}

static bool print_parked(void *data, uint32_t table, const struct parked *parked)
{
    static const char *const kinds[] = {"", "unique", "outer", "inner"};
    struct printing *printing = data;

    if (ftell(printing->out) > 0)
        (void)fputc(';', printing->out);
    print_row(printing, table, parked->key);
    (void)fprintf(printing->out, " %s %.*s of ", kinds[parked->kind],
                  (int)parked->constraint.size, (const char *)parked->constraint.data);
    print_row(printing, parked->blocker_table, parked->blocker_key);
    return true;
}

static bool print_quarantined(void *data, uint32_t table, const struct quarantined *row)
{
    struct printing *printing = data;

    if (ftell(printing->out) > 0)
        (void)fputc(';', printing->out);
    print_row(printing, table, row->key);
    (void)fprintf(printing->out, ": %.*s", (int)row->message.size,
                  (const char *)row->message.data);
    return true;
}

static char *print_all(struct apply_node *node, bool parked)
{
    static char *texts[2];
    static size_t size;
    struct printing printing;

    free(texts[parked]);
    printing.out = open_memstream(&texts[parked], &size);
    OK(store_begin(node->scan.store, TXN_READ, &printing.txn, &err));
    if (parked)
        OK(parked_visit(printing.txn, 0, print_parked, &printing, &err));
    else
        OK(quarantine_visit(printing.txn, 0, print_quarantined, &printing, &err));
    store_abort(printing.txn);
    (void)fclose(printing.out);
    return texts[parked];
}

const char *apply_parked(struct apply_node *node)
{
    return print_all(node, true);
}

const char *apply_quarantine(struct apply_node *node)
{
    return print_all(node, false);
}
