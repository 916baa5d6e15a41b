/* A source: where a node's local writes come from. A new kind of database is one of
 * these. */
#ifndef CAPTURE_SOURCE_H
#define CAPTURE_SOURCE_H

#include "log/appender.h"

struct source {
    const struct source_ops *ops;
};

struct capture_counts {
    uint64_t entries;
    uint64_t changes;
};

typedef enum status (*source_rewrite_cb)(void *data, struct error *err);

struct source_ops {
    /* Log what was written since the last call. Blocks. The caller holds LOCK_CAPTURE and
     * LOCK_APPLY. Before anything is captured a target that is ahead of the store is
     * folded (log/intent.h). REFUSED: a restored database or store (names `resync`).
     * BUSY, UNAVAILABLE, IO: the database; nothing is logged. */
    enum status (*capture)(struct source *source, struct capture_counts *counts,
                           struct error *err);

    /* The first snapshot, when the node is made: definitions, then every row as base rows
     * (ENTRY_BASE). The store has only its member entry, the database nothing of
     * rowferry's; or both are as a call has left them that was killed, or failed, after
     * some tables: then it goes on. REFUSED: with that it can't. */
    enum status (*base)(struct source *source, struct capture_counts *counts,
                        struct error *err);

    /* A node joins: its rows have met the fleet's (node/meeting.h), its member entry is
     * logged, it has taken nothing yet. From here on what is written is captured. yields:
     * rows that the fleet has otherwise are logged first, as base rows that lose to the
     * fleet's and are conflicts (log/merge.h). Whatever else differs is left for capture,
     * or logged already. Called again after a kill it goes on. Failures as capture's. */
    enum status (*enter)(struct source *source, bool yields,
                         struct capture_counts *counts, struct error *err);

    /* Capture can't go on, or has missed something. Without rewrite: log what can still
     * be told, and begin anew with all rows, laid over what the store says that the
     * database holds; what differs is a write of now. With it: rewrite makes the database
     * what the log says, and then capture begins anew. Killed, or after a failure that
     * came late, capture refuses until this was called again. NULL: a source that does so
     * anyway. */
    enum status (*resync)(struct source *source, source_rewrite_cb rewrite, void *data,
                          struct capture_counts *counts, struct error *err);
    void (*close)(struct source *source);
};

#endif
