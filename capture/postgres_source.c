/* Happy path: the server's messages are laid one after another, each COMMIT ends an
 * entry; when nothing more has come the group is made durable, and confirmed to the slot.
 */
#include "capture/postgres_source.h"

#include "capture/postgres_source_private.h"
#include "engine/postgres_slot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* For a message, before the server is asked how far it is: a server that reads what
     * others have written meanwhile says nothing until it has ended. */
    WAIT_MS_FIRST = 2,
    WAIT_MS_MAX = 1000,
    IDLE_BYTES = 16 << 20, /* of WAL that is none of ours, before that is confirmed */
};

struct postgres_source *postgres_source_of(struct source *source)
{
    return (struct postgres_source *)source; /* its first member */
}

/* ---- where the slot stands */

/* The server that was captured, as the store knows it. */
struct known_server {
    uint64_t system;
    uint64_t timeline; /* 0: not known */
};

static enum status read_meta(struct postgres_source *self, struct known_server *known,
                             struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(self->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = meta_get(txn, META_LSN, &self->lsn, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_SYSTEM, &known->system, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_TIMELINE, &known->timeline, err);
    store_abort(txn);
    return status;
}

static enum status refuse(const char *what, const char *slot, struct error *err)
{
    return error_set(err, STATUS_REFUSED, "the replication slot %s %s: " POSTGRES_RESYNC,
                     slot, what);
}

/* It is the server that was captured from, and has all that was captured. Its log may end
 * within a page's header after what ended with the page before. */
static enum status check_server(struct postgres_source *self, struct error *err)
{
    struct known_server known = {0};
    struct postgres_server server;
    enum status status = postgres_source_server(self, &server, err);

    if (status == STATUS_OK)
        status = read_meta(self, &known, err);
    if (status != STATUS_OK)
        return status;
    if (self->lsn == 0) {
        return error_set(
            err, STATUS_REFUSED,
            "an earlier resync of this node has not come to its end: " POSTGRES_RESYNC);
    }
    if (server.system != known.system) {
        return error_set(err, STATUS_REFUSED,
                         "not the server that was captured: this one is a copy, or was "
                         "made anew; " POSTGRES_RESYNC);
    }
    if (known.timeline != 0 && server.timeline != known.timeline) {
        return error_set(err, STATUS_REFUSED,
                         "the server was promoted or restored since it was captured "
                         "(timeline %" PRIu64 ", not %" PRIu64 "): " POSTGRES_RESYNC,
                         server.timeline, known.timeline);
    }
    if (server.end_lsn < self->lsn) {
        return error_set(err, STATUS_REFUSED,
                         "the server was restored from a copy: it lacks what was "
                         "captured from it; " POSTGRES_RESYNC);
    }
    return STATUS_OK;
}

/* Nobody has read the slot but us. */
static enum status check_slot(struct postgres_source *self, struct error *err)
{
    const char *name = self->options.slot;
    struct postgres_slot slot;
    enum status status = postgres_slot_read(self->postgres, name, &slot, err);

    if (status == STATUS_NOT_FOUND)
        return refuse("is gone, and with it what was written since", name, err);
    if (status != STATUS_OK)
        return status;
    if (strcmp(slot.database, PQdb(postgres_handle(self->postgres))) != 0)
        return refuse("is of another database, of which this one is a copy", name, err);
    if (slot.wal_status == POSTGRES_WAL_LOST) {
        return refuse("was given up by the server (max_slot_wal_keep_size), and with it "
                      "what was written since",
                      name, err);
    }
    if (slot.confirmed_lsn > self->lsn)
        return refuse("was read by somebody else, or this store is a copy from before",
                      name, err);
    return STATUS_OK;
}

void postgres_source_close_stream(struct postgres_source *self)
{
    postgres_stream_close(self->stream);
    self->stream = NULL;
}

enum status postgres_source_read_taken(struct postgres_source *self, struct error *err)
{
    struct store_txn *txn;
    enum status status = appender_txn(self->run.appender, &txn, err);

    return status == STATUS_OK ? postgres_taken_read(&self->taken, txn, err) : status;
}

/* What was told before is told again as far as it was not confirmed. */
static enum status open_stream(struct postgres_source *self, struct error *err)
{
    enum status status = check_server(self, err);

    if (status == STATUS_OK)
        status = check_slot(self, err);
    if (status == STATUS_OK) {
        postgres_relations_close(self->relations);
        status = postgres_relations_open(&self->relations, self->postgres,
                                         store_identity(self->store)->node,
                                         self->options.rules, &self->taken, err);
    }
    if (status == STATUS_OK)
        status = postgres_source_read_taken(self, err);
    if (status == STATUS_OK)
        status = postgres_source_schema(self, err);
    if (status != STATUS_OK)
        return status;
    return postgres_stream_open(&self->stream, postgres_url(self->postgres),
                                self->options.slot, self->options.publication, self->lsn,
                                err);
}

/* ---- capture */

/* The end of the WAL as it is now. At the beginning of a page it is given as what follows
 * the page's header, where nothing that was sent may ever end. flushed: up to where it is
 * on disk. */
static enum status ask_end(struct postgres_source *self, uint64_t *lsn, bool *flushed,
                           struct error *err)
{
    static const char sql[] =
        "SELECT lsn, lsn <= pg_current_wal_flush_lsn() - '0/0'::pg_lsn"
        " FROM (SELECT CASE WHEN lsn % size IN (24, 40) THEN lsn - lsn % size ELSE lsn "
        "END"
        "  FROM (SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS lsn,"
        "   current_setting('wal_block_size')::int AS size) AS now) AS now (lsn)";
    PGresult *result = NULL;
    enum status status = postgres_query(self->postgres, sql, 0, NULL, &result, err);

    if (status == STATUS_OK) {
        *lsn = strtoumax(PQgetvalue(result, 0, 0), NULL, 10);
        *flushed = PQgetvalue(result, 0, 1)[0] == 't';
    }
    PQclear(result);
    return status;
}

/* Only what is on disk is sent, and what transactions wrote that are still open may stay
 * off it for long: a commit puts it there, of a transaction that wrote something itself;
 * to have an id is not enough for the server to wait for the disk. */
static enum status find_end(struct postgres_source *self, uint64_t *lsn,
                            struct error *err)
{
    bool flushed = true;
    enum status status = ask_end(self, lsn, &flushed, err);

    if (status != STATUS_OK || flushed)
        return status;
    return postgres_execute(
        self->postgres,
        "BEGIN; SET LOCAL synchronous_commit = local;"
        "SELECT pg_current_xact_id(),"
        " pg_logical_emit_message(false, 'rowferry.flush', ''); COMMIT",
        err);
}

/* How fast the server writes is to be told from what was last seen of it. */
static enum status remember_look(struct postgres_source *self, struct error *err)
{
    struct store_txn *txn;
    enum status status = appender_write_txn(self->run.appender, &txn, err);

    if (status == STATUS_OK)
        status = meta_put(txn, META_LOOK_LSN, self->look_lsn, err);
    return status == STATUS_OK ? meta_put(txn, META_LOOK_US, self->look_us, err) : status;
}

/* Make what was laid durable, and tell the slot. */
static enum status end_group(struct postgres_source *self, struct error *err)
{
    enum status status = STATUS_OK;

    if (self->waiting)
        status = remember_look(self, err);
    if (status == STATUS_OK && self->waiting)
        status = appender_commit(self->run.appender, err);
    if (status == STATUS_OK && self->waiting) {
        self->waiting = false;
        self->kept = self->lsn;
        postgres_stream_confirm(self->stream, self->kept);
    }
    return status;
}

/* Nothing of ours up to lsn: that is kept and confirmed, too, but not for every
 * keepalive.
 */
static enum status keep_idle(struct postgres_source *self, uint64_t lsn, bool at_once,
                             struct error *err)
{
    struct meta_update updates[] = {
        {META_LSN,      lsn           },
        {META_LOOK_LSN, self->look_lsn},
        {META_LOOK_US,  self->look_us }
    };
    enum status status = end_group(self, err);

    if (status != STATUS_OK || lsn <= self->kept ||
        (!at_once && lsn - self->kept < IDLE_BYTES))
        return status;
    status = postgres_run_keep(self, updates, 3, err);
    if (status != STATUS_OK)
        return status;
    self->lsn = self->kept;
    postgres_stream_confirm(self->stream, lsn);
    return status;
}

/* Nothing has come: what is whole becomes durable. Wait for more. */
static enum status wait_more(struct postgres_source *self, uint64_t *wait_ms,
                             struct postgres_stream_item *item, struct error *err)
{
    enum status status = self->told.open ? STATUS_OK : end_group(self, err);

    if (status == STATUS_OK)
        status = postgres_stream_next(self->stream, *wait_ms, item, err);
    if (status == STATUS_OK && item->event == POSTGRES_STREAM_NOTHING) {
        postgres_stream_ask(self->stream);
        *wait_ms = *wait_ms * 2 < WAIT_MS_MAX ? *wait_ms * 2 : WAIT_MS_MAX;
    }
    return status;
}

/* Lay what comes until everything below end was told. */
static enum status follow(struct postgres_source *self, uint64_t end, struct error *err)
{
    struct postgres_stream_item item;
    uint64_t wait_ms = WAIT_MS_FIRST;
    enum status status;

    for (;;) {
        status = postgres_stream_next(self->stream, 0, &item, err);
        if (status == STATUS_OK && item.event == POSTGRES_STREAM_NOTHING)
            status = wait_more(self, &wait_ms, &item, err);
        if (status == STATUS_OK && item.event == POSTGRES_STREAM_MESSAGE) {
            wait_ms = WAIT_MS_FIRST;
            status = postgres_source_lay(self, &item.message, err);
        }
        if (status != STATUS_OK || self->again)
            return status;
        if (item.event != POSTGRES_STREAM_CAUGHT_UP)
            continue;
        status = keep_idle(self, item.lsn, item.answer_wanted, err);
        if (status != STATUS_OK || item.lsn >= end)
            return status;
    }
}

/* A server ends a stream that was not read for wal_sender_timeout: apply was at work for
 * long since the last call. Nothing was laid from it, so that a new one may go on. */
static bool was_left_alone(const struct postgres_source *self, bool from_before,
                           enum status status)
{
    return from_before && status == STATUS_UNAVAILABLE && !self->waiting &&
           !self->told.open;
}

enum status postgres_source_follow(struct postgres_source *self, struct error *err)
{
    uint64_t end = 0;
    enum status status = STATUS_OK;
    bool from_before = self->stream != NULL;

    do {
        self->again = false;
        self->told.open = false;
        if (self->stream == NULL)
            status = open_stream(self, err);
        if (status == STATUS_OK && end == 0) {
            status = find_end(self, &end, err);
            self->look_lsn = end;
            self->look_us = store_now_us(self->store);
        }
        if (status == STATUS_OK)
            postgres_stream_ask(self->stream);
        if (status == STATUS_OK)
            status = follow(self, end, err);
        if (was_left_alone(self, from_before, status)) {
            status = STATUS_OK;
            self->again = true;
        }
        from_before = false;
        if (status != STATUS_OK || self->again)
            postgres_source_close_stream(self);
    } while (status == STATUS_OK && self->again);
    return status;
}

static enum status capture(struct source *source, struct capture_counts *counts,
                           struct error *err)
{
    struct postgres_source *self = postgres_source_of(source);
    struct store_txn *txn;
    enum status status = postgres_run_open(self, err);

    self->waiting = false;
    if (status == STATUS_OK)
        status = appender_txn(self->run.appender, &txn, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_LSN, &self->kept, err);
    if (status == STATUS_OK)
        status = postgres_source_follow(self, err);
    postgres_run_close(self, counts);
    return status == STATUS_OK ? status
                               : error_wrap(err, status, postgres_url(self->postgres));
}

/* ---- life */

static void close_source(struct source *source)
{
    struct postgres_source *self = postgres_source_of(source);

    postgres_source_close_stream(self);
    postgres_relations_close(self->relations);
    catalog_release(&self->catalog);
    postgres_taken_release(&self->taken);
    layer_run_release(&self->run);
    pending_close(self->pending);
    buffer_release(&self->told.note);
    buffer_release(&self->old_key);
    buffer_release(&self->new_key);
    buffer_release(&self->moved);
    free(self);
}

enum status postgres_source_open(struct source **out, struct postgres *postgres,
                                 struct store *store,
                                 const struct postgres_source_options *options,
                                 struct error *err)
{
    static const struct source_ops ops = {.capture = capture,
                                          .base = postgres_source_base,
                                          .enter = postgres_source_enter,
                                          .resync = postgres_source_resync,
                                          .close = close_source};
    struct postgres_source *self = calloc(1, sizeof *self);

    *out = NULL;
    if (self == NULL)
        return error_set(err, STATUS_NO_MEMORY, "Postgres source: out of memory");
    self->source.ops = &ops;
    self->postgres = postgres;
    self->store = store;
    self->options = *options;
    *out = &self->source;
    return STATUS_OK;
}
