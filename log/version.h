/* The version of a row: what last-write-wins compares. Total order; extends
 * happens-before as long as each origin's timestamps follow log/clock.h.
 *
 * Bytes: stamp_us varint, origin 8, origin_seq varint, place varint.
 * Text (JSON, messages): "STAMP_US.ORIGIN.SEQ.PLACE", the origin in 16 hex digits. */
#ifndef LOG_VERSION_H
#define LOG_VERSION_H

#include "log/buffer.h"

struct version {
    uint64_t stamp_us;   /* hybrid timestamp, microseconds since 1970; 0 for base rows */
    uint64_t origin;     /* node id; 0 only in the version of nothing */
    uint64_t origin_seq; /* from 1 */
    uint32_t place;      /* in the entry, from 0 */
};

enum { VERSION_TEXT_SIZE = 80, NODE_ID_TEXT_SIZE = 17 };

/* <0, 0, >0. The version of nothing (all zero) is below every other. */
int version_compare(const struct version *a, const struct version *b);
bool version_is_nothing(const struct version *version);

void version_put(struct buffer *out, const struct version *version);
bool version_take(struct bytes *in, struct version *out);

void version_text(const struct version *version, char out[VERSION_TEXT_SIZE]);
void node_id_text(uint64_t node, char out[NODE_ID_TEXT_SIZE]);

#endif
