/* A store: one node's directory. An LMDB environment (the log and all that follows from
 * it), rowferry.ini, and the keys.
 *
 * Many processes may open one store. Calls block on the disk. A transaction stays on the
 * thread that began it, and one thread has at most one open. Row data is only ever
 * changed by log/appender.h and log/fold.h. */
#ifndef LOG_STORE_H
#define LOG_STORE_H

#include "log/clock.h"
#include "log/definition.h"
#include "log/entry.h"
#include "log/progress.h"

struct store;
struct store_txn;

enum { STORE_FORMAT = 2, FLEET_ID_SIZE = 16, FLEET_KEY_SIZE = 32, NODE_NAME_MAX = 255 };

/* The way back into the fleet for a node whose numbers were used twice, or are stamped
 * wrongly: for messages, after "or". */
#define STORE_JOIN_ANEW                                                            \
    "give this store up: `rowferry token` on another member, then `rowferry init " \
    "--join --take-over` with a new --store"

/* Who a store is. */
struct identity {
    uint64_t node; /* random, never 0 */
    char name[NODE_NAME_MAX + 1];
    uint64_t incarnation; /* random; a new one after resync */
    uint8_t fleet[FLEET_ID_SIZE];
    uint8_t fleet_key[FLEET_KEY_SIZE];   /* secret */
    uint32_t key_generation;             /* of fleet_key, from 1 */
    uint8_t public_key[PUBLIC_KEY_SIZE]; /* Ed25519 */
    uint8_t secret_key[64];              /* secret */
};

enum store_mode { STORE_READ_ONLY, STORE_READ_WRITE };

/* Make a store in folder, which must not exist or be empty. Durable on return; on failure
 * what was made is removed again. REFUSED: there is a store already. UNAVAILABLE, IO,
 * FULL. */
MUST_CHECK enum status store_create(const char *folder, const struct identity *identity,
                                    struct error *err);

/* Open an existing store. On success *out is the caller's, for store_close(). A pending
 * adoption (log/appender.h) is left to the first writer.
 * UNAVAILABLE: no store there, unreadable, or of a newer format (named). */
MUST_CHECK enum status store_open(struct store **out, const char *folder,
                                  enum store_mode mode, struct error *err);
void store_close(struct store *store);

const struct identity *store_identity(const struct store *store);

/* A new incarnation of this node (resync): random, not 0. Durable on return. */
MUST_CHECK enum status store_reincarnate(struct store *store, uint64_t incarnation,
                                         struct error *err);
const char *store_folder(const struct store *store);

/* The seams of time. clock must outlive the store; default wall_clock_system, 5 minutes.
 */
void store_set_clock(struct store *store, const struct wall_clock *clock,
                     uint64_t max_skew_us);
uint64_t store_now_us(const struct store *store);
uint64_t store_max_skew_us(const struct store *store);

/* Who watches long work on this store; it must outlive it. NULL, the default: nobody. */
void store_set_progress(struct store *store, const struct progress *progress);
const struct progress *store_progress(const struct store *store);

/* ---- locks: flock on files in the store; released by close or by the death of the
 * process */

/* LOCK_STAY: of who stays on this store; it keeps nobody else out. */
enum store_lock { LOCK_CAPTURE, LOCK_IMPORT, LOCK_APPLY, LOCK_STAY, STORE_LOCKS };

/* Take a lock. Held locks may be taken again by the same store (counted). REFUSED:
 * another process has it (named by its pid) and kept it as long as this one waits. */
MUST_CHECK enum status store_lock(struct store *store, enum store_lock lock,
                                  struct error *err);

/* How long store_lock() waits for another process; 0, the default: not at all. */
void store_set_lock_wait(struct store *store, uint64_t wait_us);
void store_unlock(struct store *store, enum store_lock lock);

/* ---- transactions */

enum txn_mode { TXN_READ, TXN_WRITE };

/* Begin. On success *out must be committed or aborted, on this thread. A write
 * transaction first lets a pending adoption finish (in transactions of its own). BUSY
 * never: a writer waits for the other processes' writers. */
MUST_CHECK enum status store_begin(struct store *store, enum txn_mode mode,
                                   struct store_txn **out, struct error *err);

/* End it, whatever the result. FULL (also of a disk that fills up in the midst of a
 * write), IO: nothing of it is seen. */
MUST_CHECK enum status store_commit(struct store_txn *txn, struct error *err);
void store_abort(struct store_txn *txn); /* NULL is allowed */
struct store *store_of(const struct store_txn *txn);

/* ---- meta: named numbers and byte strings. NOT_FOUND is never an error here: numbers
 * are 0, strings empty, until set. */

enum meta_key {
    META_LAST_SEQ = 1, /* last visible entry */
    META_APPLIED = 2,  /* seq up to which the database has taken the log */
    META_CLOCK = 3,    /* hybrid clock's last_us */
    META_SEEN = 4,     /* counter of rowferry_state as last seen (DESIGN 6) */
    META_OWN_MTIME_US =
        5, /* database + WAL modification time right after our last write */
    META_APP_MTIME_US =
        6,             /* the same right before it: the last write that was not ours */
    META_ADOPTION = 7, /* bytes: a run being merged; empty: none */
    META_NEXT_RUN = 8,
    META_NEXT_TABLE = 9,
    META_NEXT_CONFLICT = 10,
    META_APPLIED_VECTOR = 11, /* bytes: vector of the entries up to META_APPLIED */
    META_VECTOR = 12,         /* bytes: vector of the whole log */
    META_OUTBOX = 13, /* id of the last row of rowferry_outbox that is in the log */
    META_NEXT_SEGMENT = 14,
    META_JOIN = 15, /* bytes: what init --join remembers; empty: joined or founder */
    META_SCHEMA_VERSION = 16, /* made of the PRAGMA schema_version and the options that
                                 the last apply saw */
    META_DATABASE = 17,       /* bytes: the database's URL, sqlite:PATH (absolute) */
    META_FOUNDER = 18,        /* 1 when this node founded the fleet */
    META_OUT = 19,          /* bytes: the tables of which the database takes nothing, see
                               log/plan.h */
    META_SIGNED_SEQ = 20,   /* own origin_seq at which the newest signed head is */
    META_FOREIGN_KEYS = 21, /* whether they count here unless rowferry.ini says: 1, or 2:
                               they do not; 0: nobody has decided */
    META_LAST_QUARANTINED = 22, /* number of the newest quarantined row */
    META_LSN = 23,              /* Postgres: all that committed below it is in the log */
    META_SYSTEM = 24,           /* Postgres: the server's system identifier */
    META_TAKEN = 25,            /* bytes, Postgres: the tables that are captured, see
                                   capture/postgres_taken.h */
    META_TAKEN_COUNT = 26,      /* how many of them, from the first, count */
    META_TIMELINE = 27,         /* Postgres: its timeline; 0: not known */
    META_LOOK_LSN = 28, /* Postgres: where its log ended when capture last looked, and
                           kept something; */
    META_LOOK_US = 29,  /* when that was; 0: never */
};

MUST_CHECK enum status meta_get(struct store_txn *txn, enum meta_key key, uint64_t *value,
                                struct error *err);
MUST_CHECK enum status meta_put(struct store_txn *txn, enum meta_key key, uint64_t value,
                                struct error *err);
/* The view lives until the transaction ends or writes. */
MUST_CHECK enum status meta_get_bytes(struct store_txn *txn, enum meta_key key,
                                      struct bytes *value, struct error *err);
MUST_CHECK enum status meta_put_bytes(struct store_txn *txn, enum meta_key key,
                                      struct bytes value, struct error *err);
/* vector is initialised by the caller and replaced. key: META_VECTOR,
 * META_APPLIED_VECTOR. */
MUST_CHECK enum status meta_get_vector(struct store_txn *txn, enum meta_key key,
                                       struct version_vector *vector, struct error *err);

#endif
