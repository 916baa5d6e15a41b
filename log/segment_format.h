/* A segment's layout: the clear header (sealing.h), then frames, then in the frames'
 * content, one after another, records. What writer and reader agree on; nobody else
 * includes this.
 *
 *  size  field
 *  66    clear header
 *        then frames, each:
 *  4     size       of the sealed message, FRAME_SEALED_MIN to FRAME_SEALED_MAX
 *  size  message    secretstream XChaCha20-Poly1305, the clear header as additional data;
 *                   tag FINAL on the last one, MESSAGE on all others; nothing follows it.
 *                   Plain it is one zstd frame of at most FRAME_RAW_MAX bytes when
 * unpacked, and of at least 1.
 *
 * All frames' content together is a stream of records, each: type 1, size varint,
 * payload.
 *
 *  type  payload
 *     1  BEGIN   origin of the sender 8; ranges with hashes (segment_ranges.h). The first
 *                record; the frame that it ends in holds no other.
 *     2  ENTRY   chain hash 32, then the entry's header (entry.h)
 *     3  BODY    whole items of that entry; as many records as its body_size needs
 *     4  HEAD    signature 64 of the entry that has just ended
 *     5  ACK     an acknowledgement
 *     6  END     count of entries varint, of items varint. The last record.
 *
 * Order: BEGIN, then (ENTRY BODY... HEAD?)... in the sender's log order, which is causal,
 * then ACK..., END. Of each origin the entries of its range, each once, ascending; the
 * last of them has a HEAD. */
#ifndef LOG_SEGMENT_FORMAT_H
#define LOG_SEGMENT_FORMAT_H

#include <sodium.h>

enum {
    FRAME_RAW_MAX = 256 * 1024,
    FRAME_PACKED_MAX = FRAME_RAW_MAX + FRAME_RAW_MAX / 256 + 64, /* zstd's bound */
    FRAME_SEALED_MIN = crypto_secretstream_xchacha20poly1305_ABYTES + 1,
    FRAME_SEALED_MAX = FRAME_PACKED_MAX + crypto_secretstream_xchacha20poly1305_ABYTES,
};

enum segment_record_type {
    RECORD_BEGIN = 1,
    RECORD_ENTRY = 2,
    RECORD_BODY = 3,
    RECORD_HEAD = 4,
    RECORD_ACK = 5,
    RECORD_END = 6,
};

/* A body record is one item at least, and an item two values of SQLite's limit (10^9). */
#define RECORD_BODY_MAX  ((uint64_t)3 << 30)
#define RECORD_OTHER_MAX ((uint64_t)16 << 20)

#endif
