/* A stream of logical changes from a Postgres slot, over a connection of its own.
 *
 * Everything happens on the caller's thread and inside these calls: the stream waits on a
 * loop of its own. The server ends a connection that tells it nothing for
 * wal_sender_timeout (60 s by default): whoever works long between two calls of
 * postgres_stream_next() calls postgres_stream_tick() meanwhile, every few seconds.
 *
 * The slot forgets what was confirmed, for ever. So what is confirmed is on the caller's
 * disk before, and so is the LSN itself: a slot that stands further than its reader
 * remembers is one that somebody else moved. */
#ifndef CAPTURE_POSTGRES_STREAM_H
#define CAPTURE_POSTGRES_STREAM_H

#include "capture/pgoutput.h"

struct postgres_stream;

/* Begin to stream what slot tells of publication, behind start_lsn, which the caller has
 * on disk; the server begins where the slot was confirmed, when that is further: compare
 * first (postgres_slot_read()). url: see postgres_open(). Blocks while it connects. On
 * success *out is the caller's, for postgres_stream_close(), all on one thread.
 * REFUSED: the slot is gone, was lost, or is not one for this: says what to do. BUSY:
 * somebody else reads the slot; if that was us, the server has not noticed yet that we
 * went: try again. UNAVAILABLE: no server, not allowed in. NO_MEMORY. IO. */
MUST_CHECK enum status postgres_stream_open(struct postgres_stream **out, const char *url,
                                            const char *slot, const char *publication,
                                            uint64_t start_lsn, struct error *err);

/* Tell the server what is confirmed, end the stream, and wait for the server to let go of
 * the slot, but not longer than 2 s. NULL is allowed. */
void postgres_stream_close(struct postgres_stream *stream);

enum postgres_stream_event {
    POSTGRES_STREAM_MESSAGE,
    POSTGRES_STREAM_CAUGHT_UP,
    POSTGRES_STREAM_NOTHING
};

struct postgres_stream_item {
    enum postgres_stream_event event;
    struct pgoutput_message message; /* its views live until the next call but tick */
    /* Caught up: every transaction that committed below it has been told, to the last
     * message. On a database where nothing happens it grows with what happens beside it.
     */
    uint64_t lsn;
    /* Caught up: the server waits for an answer, since it stops, or has not heard of us
     * for long. One that stops waits until lsn is confirmed. */
    bool answer_wanted;
};

/* Wait for the next message, wait_ms at most (0: what is here already). NOTHING: time is
 * up, or postgres_stream_wake() was called. CAUGHT_UP comes only between transactions,
 * each time that the server says so; when nothing told before is unconfirmed, the caller
 * keeps lsn on disk and confirms it - at once when an answer is wanted, else now and
 * then, as WAL is held back by 16 MiB. Stray messages of streamed transactions are passed
 * over. UNAVAILABLE: the connection or the server is gone; the stream is to be closed,
 * and opened anew. REFUSED: the publication is not there, or was not when this WAL was
 * written. CORRUPT: not what a server sends. Otherwise what the server said. */
MUST_CHECK enum status postgres_stream_next(struct postgres_stream *stream,
                                            uint64_t wait_ms,
                                            struct postgres_stream_item *item,
                                            struct error *err);

/* Everything below lsn is on disk: the end_lsn of a COMMIT, or the lsn of a CAUGHT_UP,
 * that was told; smaller than before says nothing. The server learns it when next waits,
 * or within a second from next and tick. */
void postgres_stream_confirm(struct postgres_stream *stream, uint64_t lsn);

/* Have the server say how far it is: CAUGHT_UP follows, when it has sent what it is at.
 * By itself it says so only at the end of WAL that is new to it and to us: on a server
 * where nothing happens, not for long. */
void postgres_stream_ask(struct postgres_stream *stream);

/* Tell the server that we live, and what is confirmed, when that is due; an answer that
 * it waits for is. Cheap, never blocks; what fails is told by the next
 * postgres_stream_next(). */
void postgres_stream_tick(struct postgres_stream *stream);

/* Have a postgres_stream_next() that waits, or the next one that would, return NOTHING.
 * From any thread, and from a signal's handler; not beside postgres_stream_close(). */
void postgres_stream_wake(struct postgres_stream *stream);

/* What was confirmed last; at first start_lsn. */
uint64_t postgres_stream_confirmed(const struct postgres_stream *stream);

#endif
