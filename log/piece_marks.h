/* Where the changes of a piece (an entry's body, or one part of it) stand: a mark at
 * every so many, so that one change in the middle of thousands is found without passing
 * over all those before it. Kept with the transaction, bounded. Private to log/. */
#ifndef LOG_PIECE_MARKS_H
#define LOG_PIECE_MARKS_H

#include "log/log_record.h"

/* Move items and notes, which stand at the piece's first change, forward to the last mark
 * at or before its nth change (from 0). *at: the change that they stand at then. name
 * tells the piece from all others of the store. CORRUPT. */
MUST_CHECK enum status piece_marks_seek(struct store_txn *txn, uint64_t name,
                                        uint32_t nth, struct bytes *items,
                                        struct notes_view *notes, uint32_t *at,
                                        struct error *err);

/* Pass over one change. */
MUST_CHECK enum status piece_skip(struct bytes *items, struct notes_view *notes,
                                  struct error *err);

/* Give back what a transaction keeps. NULL is allowed. */
void piece_marks_release(struct piece_marks *marks);

#endif
