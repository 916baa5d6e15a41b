/* What the files of the Postgres source share: postgres_source.c, _run.c, _lay.c,
 * _echo.c, _begin.c, _snapshot.c, _late.c. */
#ifndef CAPTURE_POSTGRES_SOURCE_PRIVATE_H
#define CAPTURE_POSTGRES_SOURCE_PRIVATE_H

#include "capture/postgres_relations.h"
#include "capture/postgres_source.h"
#include "capture/postgres_stream.h"
#include "capture/postgres_taken.h"
#include "log/intent.h"

/* The transaction that is being told. */
struct told_transaction {
    bool open;
    bool skipped; /* it is in the log already */
    uint64_t commit_lsn;
    struct buffer note;
    bool echo;            /* it is a batch of our own, which did what intent says */
    struct intent intent; /* its out is empty: the fold reads it again */
    uint32_t held;        /* rows told since the last commit of the store */
};

/* What the last look for tables that are not captured has found; it is looked again when
 * any of it is another. */
struct late_look {
    bool any;
    int64_t schema_version;
    uint32_t waits; /* oid of a table of which was said that it can't be taken yet */
};

struct postgres_source {
    struct source source;
    struct postgres *postgres;
    struct store *store;
    struct postgres_source_options options;
    struct catalog catalog;      /* as last read */
    struct postgres_taken taken; /* as the store says since the stream was opened */
    struct late_look looked;
    struct postgres_relations *relations;
    struct postgres_stream *stream; /* NULL: to be opened */
    struct layer_run run;
    struct pending *pending; /* kept between captures */
    struct told_transaction told;
    struct capture_counts counts; /* of this capture */
    uint64_t lsn;                 /* META_LSN, as it is in the store or the open group */
    uint64_t kept;                /* as it is in the store, durable */
    uint64_t look_lsn, look_us;   /* the end of the server's log, as last asked; when */
    bool waiting;                 /* entries have ended that are not durable yet */
    bool again; /* the transaction is to be told again from its beginning */
    struct buffer old_key, new_key, moved;
};

struct postgres_source *postgres_source_of(struct source *source);

/* The run of one capture; closed also after a failed opening. */
MUST_CHECK enum status postgres_run_open(struct postgres_source *self, struct error *err);
void postgres_run_close(struct postgres_source *self, struct capture_counts *counts);

/* Keep numbers that no entry says, durable on return; nothing waits to be. */
MUST_CHECK enum status postgres_run_keep(struct postgres_source *self,
                                         const struct meta_update *updates, size_t count,
                                         struct error *err);

/* The same for self->taken, of which so many count from here on. */
MUST_CHECK enum status postgres_run_keep_taken(struct postgres_source *self,
                                               size_t counting, struct error *err);

/* Forget the rows of the transaction that was told, or of one that is told again. */
MUST_CHECK enum status postgres_run_forget(struct postgres_source *self,
                                           struct error *err);

/* An echo (log/echo.h): the mark that begins it; a row of it, by the values at the
 * layer's hand, *ours false when the batch did not write it; its end, durable on return.
 * REFUSED: the store does not know the batch. */
MUST_CHECK enum status postgres_echo_begin(struct postgres_source *self,
                                           struct bytes mark, struct error *err);
MUST_CHECK enum status postgres_echo_row(struct postgres_source *self,
                                         struct postgres_relation *relation, bool live,
                                         bool *ours, struct error *err);
MUST_CHECK enum status postgres_echo_end(struct postgres_source *self, uint64_t end_lsn,
                                         struct error *err);

/* Close and open again the run's appender; what was ended is durable. For who needs the
 * store's one write transaction. */
MUST_CHECK enum status postgres_run_yield(struct postgres_source *self,
                                          struct error *err);
MUST_CHECK enum status postgres_run_resume(struct postgres_source *self,
                                           struct error *err);

/* Read the catalog, and log what of it is new or another than was logged; durable on
 * return. No transaction is being told. */
enum status postgres_source_schema(struct postgres_source *self, struct error *err);

/* Lay what was committed up to now, and keep it. */
MUST_CHECK enum status postgres_source_follow(struct postgres_source *self,
                                              struct error *err);
/* Read self->taken anew. */
MUST_CHECK enum status postgres_source_read_taken(struct postgres_source *self,
                                                  struct error *err);
/* Lay all rows of one table as the transaction that is open on read shows them, its local
 * ones that are not there as gone; updates become true with them. */
MUST_CHECK enum status postgres_source_lay_table(struct postgres_source *self,
                                                 struct postgres *read,
                                                 const struct table *table,
                                                 const struct meta_update *updates,
                                                 size_t update_count, struct error *err);

/* The server, and where its log ends. */
struct postgres_server {
    uint64_t system; /* its identifier */
    uint64_t timeline;
    uint64_t end_lsn;
};

MUST_CHECK enum status postgres_source_server(struct postgres_source *self,
                                              struct postgres_server *out,
                                              struct error *err);

/* Capture opens it again. */
void postgres_source_close_stream(struct postgres_source *self);

/* Where the stream goes on from what a snapshot shows. */
struct postgres_start {
    uint64_t lsn;
    struct postgres_server server;
};

/* Log the tables as they are, make publication and slot anew, and begin a transaction
 * that reads what is to be laid before the slot's stream: postgres_rollback() ends it.
 * From when the old slot is dropped the store has no position. */
MUST_CHECK enum status postgres_source_start(struct postgres_source *self,
                                             struct postgres_start *out,
                                             struct error *err);

/* Drop publication and slot, if they are there. */
MUST_CHECK enum status postgres_source_forsake(struct postgres_source *self,
                                               struct error *err);

/* source.h's enter: all rows as they were when the slot began, laid over what the store
 * says, as a scan does. When it fails it drops publication and slot. */
MUST_CHECK enum status postgres_source_enter(struct source *source, bool yields,
                                             struct capture_counts *counts,
                                             struct error *err);

/* source.h's resync. When it fails late it drops publication and slot. */
MUST_CHECK enum status postgres_source_resync(struct source *source,
                                              source_rewrite_cb rewrite, void *data,
                                              struct capture_counts *counts,
                                              struct error *err);

/* The first snapshot (source.h): makes publication and slot, which are not there yet, and
 * copies every row as it was when the slot began. When it fails it drops both. */
MUST_CHECK enum status postgres_source_base(struct source *source,
                                            struct capture_counts *counts,
                                            struct error *err);

/* Add what one message says to the entry that is being made, or end it. */
enum status postgres_source_lay(struct postgres_source *self,
                                const struct pgoutput_message *message,
                                struct error *err);

#endif
