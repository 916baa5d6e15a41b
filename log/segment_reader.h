/* Reads a segment record by record: decrypts, unpacks, and notices every byte that is not
 * as its writer wrote it. What the records mean is for segment_check and segment_import.
 */
#ifndef LOG_SEGMENT_READER_H
#define LOG_SEGMENT_READER_H

#include "log/segment.h"
#include "log/segment_format.h"

struct segment_reader;

struct segment_record {
    enum segment_record_type type;
    struct bytes payload; /* lives until the next record is read */
};

/* Begin where file stands. identity and name outlive the reader. On success *out is the
 * caller's, for close. REFUSED: with *refusal. */
MUST_CHECK enum status segment_reader_open(struct segment_reader **out,
                                           const struct identity *identity, FILE *file,
                                           const char *name, enum refusal *refusal,
                                           struct error *err);
void segment_reader_close(struct segment_reader *reader);

/* Tell who watches the store how far reading is; step: what it is for, size: of all bytes
 * (0: unknown). */
void segment_reader_watch(struct segment_reader *reader, const struct store *store,
                          const char *step, uint64_t size);

/* NOT_FOUND (a plain answer): the segment has ended, rightly and with nothing behind it.
 * REFUSED: with *refusal. IO. NO_MEMORY. */
MUST_CHECK enum status segment_reader_next(struct segment_reader *reader,
                                           struct segment_record *out,
                                           enum refusal *refusal, struct error *err);

/* Bytes of the file read so far. */
uint64_t segment_reader_bytes(const struct segment_reader *reader);

/* What tells this segment from every other one. */
const uint8_t *segment_reader_nonce(const struct segment_reader *reader);

#endif
