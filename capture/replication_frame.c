#include "capture/replication_frame.h"

#include <assert.h>

/* From 1970-01-01 to 2000-01-01, both UTC. */
#define EPOCH_US INT64_C(946684800000000)

bool replication_time_take(uint64_t wire, int64_t *unix_us)
{
    int64_t since_2000 = (int64_t)wire;

    if (since_2000 > INT64_MAX - EPOCH_US)
        return false;
    *unix_us = since_2000 + EPOCH_US;
    return true;
}

uint64_t replication_time_put(int64_t unix_us)
{
    assert(unix_us >= INT64_MIN + EPOCH_US);
    return (uint64_t)(unix_us - EPOCH_US);
}

/*  offset  size      field          data
 *       0  1         kind           'w'
 *       1  8         start_lsn
 *       9  8         wal_end
 *      17  8         sent           microseconds since 2000
 *      25  the rest  content
 *
 *  offset  size      field          keepalive
 *       0  1         kind           'k'
 *       1  8         wal_end
 *       9  8         sent           microseconds since 2000
 *      17  1         reply_wanted   0, 1
 */
enum status replication_frame_decode(struct bytes in, struct replication_frame *out,
                                     struct error *err)
{
    struct replication_frame frame = {0};
    size_t size = in.size;
    uint64_t kind, sent;
    uint64_t reply_wanted = 0;
    bool whole;

    if (!bytes_take(&in, 1, &kind))
        return error_set(err, STATUS_CORRUPT, "replication: an empty frame");
    if (kind != REPLICATION_DATA && kind != REPLICATION_KEEPALIVE)
        return error_set(err, STATUS_CORRUPT, "replication: frame of unknown kind 0x%02x",
                         (unsigned)kind);
    frame.kind = (enum replication_frame_kind)kind;
    whole =
        (frame.kind == REPLICATION_KEEPALIVE || bytes_take(&in, 8, &frame.start_lsn)) &&
        bytes_take(&in, 8, &frame.wal_end) && bytes_take(&in, 8, &sent) &&
        (frame.kind == REPLICATION_DATA ? bytes_take_view(&in, in.size, &frame.content)
                                        : bytes_take(&in, 1, &reply_wanted));
    if (!whole || in.size > 0) {
        return error_set(err, STATUS_CORRUPT,
                         "replication: frame '%c' of %zu bytes is %s", (char)kind, size,
                         whole ? "too long" : "cut short");
    }
    if (reply_wanted > 1 || !replication_time_take(sent, &frame.sent_us))
        return error_set(err, STATUS_CORRUPT,
                         "replication: frame '%c' with a wrong time or flag", (char)kind);
    frame.reply_wanted = reply_wanted == 1;
    *out = frame;
    return STATUS_OK;
}

/*  offset  size  field
 *       0  1     kind           'r'
 *       1  8     written        received_lsn
 *       9  8     flushed        durable_lsn
 *      17  8     applied        durable_lsn: the log is all that this end applies to
 *      25  8     sent           microseconds since 2000
 *      33  1     reply_wanted   0, 1
 */
void replication_status_encode(const struct replication_status *status,
                               uint8_t out[static REPLICATION_STATUS_SIZE])
{
    uint8_t *end = out;

    assert(status->durable_lsn <= status->received_lsn);
    end = bytes_put(end, 'r', 1);
    end = bytes_put(end, status->received_lsn, 8);
    end = bytes_put(end, status->durable_lsn, 8);
    end = bytes_put(end, status->durable_lsn, 8);
    end = bytes_put(end, replication_time_put(status->sent_us), 8);
    end = bytes_put(end, status->reply_wanted, 1);
    assert(end == out + REPLICATION_STATUS_SIZE);
}
