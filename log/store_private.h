/* What the files of log/ share about a store; nobody else includes this. */
#ifndef LOG_STORE_PRIVATE_H
#define LOG_STORE_PRIVATE_H

#include "log/store.h"

#include <lmdb.h>
#include <pthread.h>

/* The sub-databases (docs/FORMAT.md, "Store"). Integers in keys are big-endian. */
enum store_dbi {
    DBI_META,   /* meta_key 1 -> number 8, or bytes */
    DBI_LOG,    /* seq 8 -> entry, or where its parts are */
    DBI_PART,   /* run 8, first index 4, kind 1 -> items, or notes on them */
    DBI_ORIGIN, /* origin 8, origin_seq 8 -> seq [signature]; origin_seq 0 -> the head */
    DBI_ROW,    /* table 4, row key -> winner */
    DBI_HELD,   /* the same -> what the database holds instead */
    DBI_TABLE,  /* definitions and names, see tables.c */
    DBI_MEMBER, /* node 8 -> its newest member record */
    DBI_PEER,   /* see peers.c */
    DBI_CONFLICT,   /* see conflicts.c */
    DBI_PARKED,     /* table 4, row key -> why */
    DBI_QUARANTINE, /* table 4, row key -> why */
    DBI_REPAIR,     /* table 4, row key -> nothing */
    DBI_INTENT,     /* see intent.c */
    DBI_RUN,        /* see runs.c: what there is of the next four */
    DBI_ROW_A,      /* number 4, key of `row` -> the same */
    DBI_ROW_B,
    DBI_HELD_A,
    DBI_HELD_B,
    DBI_COUNT,
    DBI_SINCE_2 = DBI_RUN /* stores of format 1 have none from here on */
};

/* Meta keys that only log/ uses, in the same space as enum meta_key. */
enum {
    META_PRIVATE_FORMAT = 64,
    META_PRIVATE_NODE = 65,
    META_PRIVATE_NAME = 66,
    META_PRIVATE_INCARNATION = 67,
    META_PRIVATE_FLEET = 68,
    META_PRIVATE_KEY_GENERATION = 69,
    META_PRIVATE_PUBLIC_KEY = 70,
    META_PRIVATE_RUN_OF_CAPTURE = 71, /* run being written under that lock; 0: none */
    META_PRIVATE_RUN_OF_IMPORT = 72,
    META_PRIVATE_ROWS = 73, /* how many keys have a record in the row index, */
    META_PRIVATE_HELD = 74, /* and how many a held image */
};

enum { CHECKED_COUNT_BITS = 24 };

/* How many rows of a transaction are worth a sorted run of their own. */
enum { RUN_ROWS_MIN = 2048, WALK_STEPS_MIN = 16, LAYERS = 2 };

struct definition_cache;
struct layer;
struct piece_marks;
struct late_records;

struct store {
    MDB_env *env;
    MDB_dbi dbi[DBI_COUNT];
    struct identity identity;
    char *folder;
    enum store_mode mode;
    const struct wall_clock *clock;
    uint64_t max_skew_us;
    uint64_t lock_wait_us;
    const struct progress *progress; /* NULL: nobody watches */
    int lock_fd[STORE_LOCKS];        /* -1 when not held */
    unsigned lock_count[STORE_LOCKS];
    _Atomic int open_txns;
    bool settling; /* appender_settle is at work: its own transactions do not settle again
                    */
    bool has_runs; /* false: of format 1, and only read */
    uint32_t run_rows_min;   /* RUN_ROWS_MIN, but for tests */
    uint32_t walk_steps_min; /* WALK_STEPS_MIN, but for tests */
    struct definition_cache *cache;
    /* The entries that were checked one after the other since a reader began: each walk
     * of a batch comes by them again. How many, in CHECKED_COUNT_BITS, and the first of
     * them above that; 0: none. One number, since threads may each have a transaction. */
    _Atomic uint64_t checked;
};

/* Which of the log's records a transaction has checked: names, by their low bits. What
 * stands there does not change while the transaction lasts. */
enum { CHECKED_MAX = 2048 }; /* a power of two */

struct store_txn {
    struct store *store;
    MDB_txn *txn;
    bool write;
    uint64_t row_quarters;          /* see store_row_writes() */
    uint64_t *checked;              /* owned: CHECKED_MAX, or NULL */
    struct piece_marks *marks;      /* owned, or NULL */
    struct late_records *late;      /* owned, or NULL */
    struct layer *layers[LAYERS];   /* owned, or NULL: see layered.h; row, held */
    MDB_cursor *cursors[DBI_COUNT]; /* for single records; NULL: not yet */
};

/* Open the environment of folder, make its sub-databases when create. Identity is not
 * read. */
MUST_CHECK enum status store_allocate(struct store **out, const char *folder,
                                      enum store_mode mode, bool create,
                                      struct error *err);

/* Bring a store of format 1 that may be written, and was just opened, to STORE_FORMAT. */
MUST_CHECK enum status store_raise_format(struct store *store, struct error *err);

/* Turn a result of LMDB's into one of ours: the only place that knows both. The reason
 * names the store's folder. */
enum status from_lmdb(const struct store *store, struct error *err, int rc,
                      const char *call);

extern const char *const store_dbi_names[DBI_COUNT];

/* The transaction's own cursor: the next key is often in the leaf of the last one. LMDB
 * moves it along with what is written by other ways. Returns what LMDB says. */
int store_cursor(struct store_txn *txn, enum store_dbi dbi, MDB_cursor **out);

/* get: NOT_FOUND leaves err untouched. */
MUST_CHECK enum status store_get(struct store_txn *txn, enum store_dbi dbi,
                                 struct bytes key, struct bytes *value,
                                 struct error *err);
MUST_CHECK enum status store_put(struct store_txn *txn, enum store_dbi dbi,
                                 struct bytes key, struct bytes value, struct error *err);
/* Removing what is not there is no error. */
MUST_CHECK enum status store_delete(struct store_txn *txn, enum store_dbi dbi,
                                    struct bytes key, struct error *err);
/* How many pages the transaction dirties, at most and about, for records that are found
 * by a row's key (row, held, parked, quarantine): one each, or a quarter of those that
 * may become a sorted run. */
uint64_t store_row_writes(const struct store_txn *txn);
MUST_CHECK enum status store_count(struct store_txn *txn, enum store_dbi dbi,
                                   uint64_t *count, struct error *err);

/* Records in log, part, row, held, conflict end in 8 bytes of SipHash-2-4 (key all zero)
 * over what stands before: a changed byte is noticed, not trusted. check takes them off.
 */
enum { RECORD_CHECK_SIZE = 8 };
void record_seal(struct buffer *record);
MUST_CHECK enum status record_check(struct bytes *record, const char *what,
                                    struct error *err);

/* The same for a record that never changes, once a transaction: name tells it from all
 * others. A walk through a row's history comes by the same large entries again and again.
 * entry: an entry's, by its seq. */
MUST_CHECK enum status record_check_once(struct store_txn *txn, uint64_t name,
                                         struct bytes *record, const char *what,
                                         struct error *err);
MUST_CHECK enum status record_check_entry(struct store_txn *txn, uint64_t seq,
                                          struct bytes *record, struct error *err);

/* The cache of definitions lives with the store; a write transaction that is aborted
 * takes back what it had cached. */
MUST_CHECK enum status definition_cache_open(struct definition_cache **out,
                                             struct error *err);
void definition_cache_close(struct definition_cache *cache);
void definition_cache_settle(struct definition_cache *cache, bool committed);

/* Log a definition of origin's: number is the next, the fleet name gets a table id. */
MUST_CHECK enum status tables_add(struct store_txn *txn, uint64_t origin,
                                  struct bytes definition, struct error *err);

#endif
