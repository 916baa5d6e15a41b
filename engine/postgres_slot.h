/* Replication slots of a Postgres server, and the server as replication knows it.
 *
 * A slot holds back WAL (and dead rows of the catalog) until what it would still send is
 * confirmed: one that nobody reads fills the disk. */
#ifndef ENGINE_POSTGRES_SLOT_H
#define ENGINE_POSTGRES_SLOT_H

#include "engine/postgres_connection.h"

#include <stdbool.h>

/* The ways out of a log that its database has left behind, for messages: of what capture
 * has missed; of rows that are called otherwise than they were. */
#define POSTGRES_RESYNC                                                            \
    "`rowferry resync --prefer database` logs what the database holds now as new " \
    "writes, --prefer log makes it what the log says"
#define POSTGRES_BEGIN_ANEW                                                      \
    "`rowferry init --take-over` with a new --store founds a fleet on what the " \
    "database "                                                                  \
    "holds now"

enum { POSTGRES_NAME_SIZE = 64 }; /* of any object's name, with the NUL */

/* Another identifier is another cluster, and another timeline one that was promoted or
 * restored since. */
struct postgres_system {
    uint64_t identifier;
    uint32_t timeline;
    uint64_t flushed_lsn; /* all that committed below it can be streamed */
};

/* postgres was opened with POSTGRES_REPLICATION. UNAVAILABLE: the role may not. */
MUST_CHECK enum status postgres_identify_system(struct postgres *postgres,
                                                struct postgres_system *out,
                                                struct error *err);

enum postgres_wal_status {
    POSTGRES_WAL_RESERVED,   /* within max_wal_size */
    POSTGRES_WAL_EXTENDED,   /* kept for this slot */
    POSTGRES_WAL_UNRESERVED, /* beyond the limit: lost at the next checkpoint */
    POSTGRES_WAL_LOST        /* the slot is of no use any more */
};

struct postgres_slot {
    char plugin[POSTGRES_NAME_SIZE];   /* "": a physical slot */
    char database[POSTGRES_NAME_SIZE]; /* "": a physical slot */
    bool two_phase;
    uint64_t confirmed_lsn; /* what comes after it is sent; 0: none yet, or physical */
    uint64_t restart_lsn;   /* WAL is kept from here on; 0: none, or lost */
    uint64_t kept_size;     /* bytes of WAL from there to its end; 0: on a standby */
    enum postgres_wal_status wal_status;
    bool is_limited;       /* by max_slot_wal_keep_size */
    int64_t safe_wal_size; /* when limited: bytes that may be written before it is lost;
                            * negative: beyond */
    int64_t active_pid;    /* of the server's process that reads it; 0: none */
};

/* As Postgres spells it. */
const char *postgres_wal_status_text(enum postgres_wal_status wal_status);

/* NOT_FOUND: there is no such slot. */
MUST_CHECK enum status postgres_slot_read(struct postgres *postgres, const char *name,
                                          struct postgres_slot *out, struct error *err);

/* What a new slot stands on: the snapshot shows what committed below lsn, the slot sends
 * the rest: no gap, no overlap. */
struct postgres_slot_start {
    uint64_t lsn;
    char snapshot[POSTGRES_NAME_SIZE]; /* for SET TRANSACTION SNAPSHOT, in other sessions,
                                        * until postgres runs its next command or ends */
};

/* Make a permanent slot for pgoutput. Blocks until all transactions that write now have
 * ended. postgres was opened with POSTGRES_REPLICATION and is in no transaction. The
 * publication that will be read must be there before: old WAL knows no newer one.
 * REFUSED: it is there already, or the name can't be one, or the server's settings
 * (wal_level, max_replication_slots) do not allow it. UNAVAILABLE: the role may not. */
MUST_CHECK enum status postgres_slot_create(struct postgres *postgres, const char *name,
                                            struct postgres_slot_start *out,
                                            struct error *err);

/* The same of one that lasts as long as the session: for its snapshot. */
MUST_CHECK enum status postgres_slot_create_temporary(struct postgres *postgres,
                                                      const char *name,
                                                      struct postgres_slot_start *out,
                                                      struct error *err);

/* Whether a slot that somebody else made can be read from this database. REFUSED,
 * NOT_FOUND: no, and why. */
MUST_CHECK enum status postgres_slot_check(struct postgres *postgres, const char *name,
                                           struct error *err);

/* Let it tell nothing of what committed below lsn. */
MUST_CHECK enum status postgres_slot_advance(struct postgres *postgres, const char *name,
                                             uint64_t lsn, struct error *err);

/* NOT_FOUND: there is no such slot. BUSY: somebody reads it. */
MUST_CHECK enum status postgres_slot_drop(struct postgres *postgres, const char *name,
                                          struct error *err);

#endif
