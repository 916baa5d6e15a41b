/* What a SQLite batch is about to do, written before the database's commit and folded
 * into held, parked, quarantine and the applied position after it (DESIGN section 7).
 *
 * The plan itself (log/plan.h) is not stored: it follows from the log and the held
 * images, which nobody changes for its rows before the fold. The intent holds what
 * differs. */
#ifndef LOG_INTENT_H
#define LOG_INTENT_H

#include "log/appender.h"
#include "log/planned_rows.h"

enum intent_item_kind {
    INTENT_PARKED = 1, /* a live row that the database will not show; also evictions:
                          held becomes absent, parked gets a record */
    INTENT_SHOWN = 2,  /* a row beyond the plan of which the batch wrote the version that
                          it should show (a tombstone: deleted it): released, or tried
                          anew. held goes or becomes that, parked and quarantine go */
    INTENT_QUARANTINED = 3, /* not written; held stays as it was */
    INTENT_KEPT = 4, /* written, with columns that only this database has: held becomes
                        this image under our own definition, with the version written */
    INTENT_REPAIRED = 5, /* of an echoed intent: a row beyond the plan, written as the
                            change at this place made it; the echo tells it */
    INTENT_SAME = 6, /* of an echoed intent: taken out and put back as it was: what the
                        echo tells of it is nothing new */
};

struct intent_item {
    enum intent_item_kind kind;
    uint32_t table;
    struct bytes key;
    struct parked parked;           /* PARKED; its key is not used. Without the row as it
                                       was shown, that of an older record stays */
    struct quarantined quarantined; /* QUARANTINED; its key is not used */
    bool absent;                    /* QUARANTINED: the batch took the old row away: held
                                       becomes absent */
    struct bytes image;         /* KEPT; QUARANTINED, unless empty: held becomes it, of
                                   no version */
    uint32_t definition;        /* of the image. KEPT: our own number */
    uint64_t definition_origin; /* QUARANTINED with an image: whose number that is */
    struct place place;         /* REPAIRED */
};

struct intent {
    uint64_t from; /* the batch is entries from+1 .. to */
    uint64_t to;
    uint64_t counter; /* rowferry_state's counter after the commit */
    uint64_t
        max_stamp_us; /* largest timestamp among its entries: the clock observes it */
    struct bytes out; /* tables of which the batch took nothing, as plan_range.out; a view
                       */
    bool repair; /* resync --prefer log: the database was rewritten as of `to`, the last
                    entry: every row without an item shows its winner */
    bool echoed; /* local writes may have come between the plan and the commit: what was
                    written is told row by row (log/echo.h), and the fold sends to
                    repair what of the plan was not */
    bool whole;  /* with echoed: all of the plan was written */
};

/* Replace any intent by a new one, in transactions of bounded size. Until end it does not
 * count. From open to end or close a write transaction is open on this thread. A later
 * item of the same row replaces the earlier one. end also sets META_SEEN to counter - 1.
 */
struct intent_writer;
MUST_CHECK enum status intent_writer_open(struct intent_writer **out, struct store *store,
                                          struct error *err);
MUST_CHECK enum status intent_writer_add(struct intent_writer *writer,
                                         const struct intent_item *item,
                                         struct error *err);
MUST_CHECK enum status intent_writer_end(struct intent_writer *writer,
                                         const struct intent *intent, struct error *err);
void intent_writer_close(struct intent_writer *writer);

/* Whether a whole intent stands in the store. NOT_FOUND is a plain answer. out->out lives
 * until the transaction ends or writes. */
MUST_CHECK enum status intent_get(struct store_txn *txn, struct intent *out,
                                  struct error *err);
/* The item for one row; NOT_FOUND is a plain answer. Views live until the transaction
 * ends or writes. */
MUST_CHECK enum status intent_item_find(struct store_txn *txn, uint32_t table,
                                        struct bytes key, struct intent_item *out,
                                        struct error *err);

/* The database has committed: carry plan and intent into held, parked, quarantine, clock,
 * META_OUT, applied position and vector, in steps. May be called again after a crash at
 * any point. planned: what was written of the plan, by who wrote it; NULL: not known any
 * more. updates: meta values set in the last step. NOT_FOUND: there is no whole intent.
 */
MUST_CHECK enum status intent_fold(struct store *store,
                                   const struct planned_rows *planned,
                                   const struct meta_update *updates, size_t update_count,
                                   struct error *err);

/* The database has not committed: remove the intent, also one that was not ended. */
MUST_CHECK enum status intent_drop(struct store *store, struct error *err);

/* Nobody can tell any more whether the database has committed. Of the rows that the batch
 * would have taken out of it, those that gone says it has not are taken to be (parked,
 * quarantined): nobody deleted them. What else was written looks like a local write of
 * the same; the intent is removed. In steps; may be called again. gone: the database is
 * asked, outside of the store's transactions. */
typedef enum status (*intent_gone_cb)(void *data, uint32_t table, struct bytes key,
                                      bool *gone, struct error *err);
MUST_CHECK enum status intent_drop_unknown(struct store *store, intent_gone_cb gone,
                                           void *data, struct error *err);

#endif
