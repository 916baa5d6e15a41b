/* The frames of Postgres's streaming replication, which travel inside of COPY data: what
 * the server sends (WAL data, keepalives) and what it is told (status). Pure: bytes in,
 * a struct with views out.
 *
 * Times are Unix microseconds; on the wire they count from 2000-01-01 UTC. */
#ifndef CAPTURE_REPLICATION_FRAME_H
#define CAPTURE_REPLICATION_FRAME_H

#include "log/bytes.h"
#include "log/error.h"

enum replication_frame_kind { REPLICATION_DATA = 'w', REPLICATION_KEEPALIVE = 'k' };

struct replication_frame {
    enum replication_frame_kind kind;
    /* Data: where its content stands; 0 for what stands nowhere (a relation). */
    uint64_t start_lsn;
    /* Keepalive: all that committed below it was sent. Data: no such promise. */
    uint64_t wal_end;
    int64_t sent_us;
    bool reply_wanted;    /* keepalive: at once, or the server ends the connection */
    struct bytes content; /* data: one message of the plugin; a view of the input */
};

/* CORRUPT: cut, too long, or of an unknown kind. */
MUST_CHECK enum status replication_frame_decode(struct bytes in,
                                                struct replication_frame *out,
                                                struct error *err);

enum { REPLICATION_STATUS_SIZE = 34 };

/* What was received; what of it is on disk and need not be sent again (0: nothing is said
 * of it); whether a keepalive is to answer. */
struct replication_status {
    uint64_t received_lsn;
    uint64_t durable_lsn;
    int64_t sent_us;
    bool reply_wanted;
};

/* durable_lsn is at most received_lsn. */
void replication_status_encode(const struct replication_status *status,
                               uint8_t out[static REPLICATION_STATUS_SIZE]);

/* Between microseconds since 2000 and since 1970. False, with *unix_us as it was: it does
 * not fit (infinity, and times near it). */
bool replication_time_take(uint64_t wire, int64_t *unix_us);
uint64_t replication_time_put(int64_t unix_us);

#endif
